"""What a site file says of telling people: routes, people, roster, escalation and heartbeat."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from cultureops.config import Table
from cultureops.errors import ConfigError
from cultureops.notify.heartbeat import HeartbeatSettings
from cultureops.notify.policy import DEFAULT, Policies
from cultureops.notify.policy_rows import check_known, policies_from
from cultureops.notify.roster import EVERYBODY, ON_CALL, Duty, Person, Roster
from cultureops.notify.route import Route, check_url
from cultureops.notify.schedule import mute_from, stretch_from, week_hours_from

__all__ = ["UNDELIVERED_LIMIT_S", "NotifySettings", "notify_from"]

T = TypeVar("T")

UNDELIVERED_LIMIT_S: Final = 300.0
"""How long an alarm may be due to be told without anybody having been reached, unless the site says otherwise [OWN]."""
_DAY_S: Final = 86_400.0
_LONGEST_NAME: Final = 100


@dataclass(frozen=True, slots=True)
class NotifySettings:
    """Whom a site tells what and how; without routes it tells nobody.

    ``public_url`` is where people reach the pages, for links to acknowledge by; None leaves links out.
    When an alarm has been due for ``undelivered_limit_s`` without anybody having been reached, that is a problem.
    """

    site: str = ""
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    routes: tuple[Route, ...] = ()
    people: tuple[Person, ...] = ()
    duties: tuple[Duty, ...] = ()
    policies: Policies = DEFAULT
    public_url: str | None = None
    link_valid_s: float = _DAY_S
    tell_when_acknowledged: bool = True
    first_out_s: float = 60.0
    heartbeat: HeartbeatSettings | None = None
    undelivered_limit_s: float = UNDELIVERED_LIMIT_S

    @property
    def roster(self) -> Roster:
        """Who is on call when."""
        return Roster(self.people, self.duties, self.zone)


def notify_from(table: Table, site: str, zone: ZoneInfo) -> NotifySettings:
    """Read the sections of a whole site file, of the site of this name; raises ConfigError with file and line."""
    routes = _named("route", table.tables("route"), _route, lambda route: route.name)
    people = _named("person", table.tables("person"), lambda row: _person(row, routes, zone), lambda one: one.id)
    duties = tuple(_duty(row, people, zone) for row in table.tables("roster"))
    policies = policies_from(table, people, has_roster=bool(duties))
    if routes and not people:
        raise table.tables("route")[0].error("leads to nobody; add [[person]] with id = and routes =")
    general = table.optional_table("notify")
    heartbeat = _heartbeat(table.optional_table("heartbeat"))
    settings = NotifySettings(site, zone, routes, people, duties, policies, heartbeat=heartbeat)
    return settings if general is None else _general(general, settings)


def _general(table: Table, settings: NotifySettings) -> NotifySettings:
    public_url = table.text("public_url", "").rstrip("/")
    if public_url and not _is_web(public_url):
        raise table.error(f"{public_url!r} is no address of pages; write e.g. https://lab.example", "public_url")
    read = NotifySettings(
        settings.site, settings.zone, settings.routes, settings.people, settings.duties, settings.policies,
        public_url or None,
        table.number("link_valid_s", _DAY_S, minimum=60, maximum=30 * _DAY_S),
        table.flag("tell_when_acknowledged", True),
        table.number("first_out_s", 60.0, minimum=1, maximum=3600),
        settings.heartbeat,
        table.number("undelivered_limit_s", UNDELIVERED_LIMIT_S, minimum=60, maximum=3600),
    )  # fmt: skip
    table.done()
    return read


def _named(what: str, rows: Sequence[Table], read: Callable[[Table], T], name_of: Callable[[T], str]) -> tuple[T, ...]:
    found: dict[str, T] = {}
    for row in rows:
        one = read(row)
        name = name_of(one)
        if name in found:
            raise row.error(f"there are two of the name {name!r}; keep one {what}")
        found[name] = one
    return tuple(found.values())


def _name(table: Table, key: str) -> str:
    name = table.text(key)
    if not name.strip() or not name.isprintable() or len(name) > _LONGEST_NAME:
        raise table.error(f"{name[:40]!r} is no name; expected 1 to {_LONGEST_NAME} printable characters", key)
    return name


def _route(table: Table) -> Route:
    name = _name(table, "name")
    url, key = _url(table)
    try:
        holds_secret = check_url(url)
    except ConfigError as error:
        raise table.error(str(error), key) from None
    if holds_secret and key == "url":
        raise table.error(
            "holds a secret, which must not stand in a site file; put the URL alone into a file and name that: "
            "url_file = , or into the environment: url_env =",
            key,
        )
    route = Route(
        name,
        url,
        deadline_s=table.number("deadline_s", 20.0, minimum=0.1, maximum=300),
        retries=table.integer("retries", 2, minimum=0, maximum=10),
        retry_after_s=table.number("retry_after_s", 15.0, minimum=0, maximum=600),
        pause_s=table.number("pause_s", 0.0, minimum=0, maximum=60),
        brief=table.flag("brief", False),
    )
    table.done()
    return route


def _url(table: Table) -> tuple[str, str]:
    """Return a URL and the key it comes from; exactly one of three."""
    given = [key for key in ("url", "url_file", "url_env") if table.has(key)]
    if len(given) != 1:
        raise table.error("expected one of url =, url_file = (a file with the URL alone) or url_env = (a variable)")
    (key,) = given
    said = table.text(key)
    try:
        url = _read(said) if key == "url_file" else os.environ[said] if key == "url_env" else said
    except KeyError:
        raise table.error(f"the environment has no variable {said!r}; set it where cultureops starts", key) from None
    except (OSError, UnicodeDecodeError) as error:
        raise table.error(f"{said} can't be read: {error}; it holds the URL alone", key) from None
    if not url.strip() or not url.isprintable():
        raise table.error("holds no URL; expected one line of text", key)
    return url.strip(), key


def _read(name: str) -> str:
    return Path(name).read_text(encoding="utf-8").rstrip("\r\n")


def _person(table: Table, routes: Sequence[Route], zone: ZoneInfo) -> Person:
    name, wanted, known = _name(table, "id"), table.texts("routes"), [route.name for route in routes]
    if name in (ON_CALL, EVERYBODY):
        raise table.error(f"{name!r} means others; expected an account name", "id")
    if name.startswith("COI-"):
        raise table.error("is a patient's token; expected the account of somebody who works here", "id")
    if not wanted:
        raise table.error("is missing or empty; expected names of [[route]], the preferred one first", "routes")
    for route in wanted:
        if route not in known:
            raise table.error(f"there is no [[route]] {route!r}; known: {', '.join(known) or 'none'}", "routes")
    person = Person(
        name,
        tuple(dict.fromkeys(wanted)),
        _each(table, "mute", mute_from),
        _each(table, "off_duty", lambda text: stretch_from(text, zone)),
    )
    table.done()
    return person


def _duty(table: Table, people: Sequence[Person], zone: ZoneInfo) -> Duty:
    name = table.text("person")
    check_known(table, "person", name, people)
    duty = Duty(
        name,
        _each(table, "weekly", week_hours_from),
        _each(table, "shifts", lambda text: stretch_from(text, zone)),
    )
    if not duty.weekly and not duty.shifts:
        raise table.error("says no hours; add weekly = or shifts =")
    table.done()
    return duty


def _each(table: Table, key: str, read: Callable[[str], T]) -> tuple[T, ...]:
    try:
        return tuple(read(text) for text in table.texts(key))
    except ConfigError as error:
        if str(error).startswith(table.file):
            raise
        raise table.error(str(error), key) from None


def _heartbeat(table: Table | None) -> HeartbeatSettings | None:
    if table is None:
        return None
    url = key = None
    if any(table.has(name) for name in ("url", "url_file", "url_env")):
        url, key = _url(table)
        if not _is_web(url):
            raise table.error("is no address of the web; expected http:// or https://", key)
    settings = HeartbeatSettings(
        url=url,
        every_s=table.number("every_s", 60.0, minimum=1, maximum=3600),
        deadline_s=table.number("deadline_s", 10.0, minimum=0.1, maximum=60),
        tells_failure=table.flag("tell_failure", False),
        file=table.text("file", "") or None,
    )
    if settings.url is None and settings.file is None:
        raise table.error("beats for nobody; add url = (or url_file =, url_env =) or file =")
    table.done()
    return settings


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False
