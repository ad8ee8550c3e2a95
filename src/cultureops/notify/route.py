"""Sends one message by one route: through apprise, on a thread of its own, within a deadline."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias
from urllib.parse import unquote, urlsplit

from cultureops.errors import ConfigError
from cultureops.field import printable
from cultureops.notify.lane import Lane, LaneFull
from cultureops.notify.message import Message

__all__ = ["AppriseSender", "Outcome", "Route", "Send", "check_url"]

AT_ONCE: Final = 4
"""Messages of one route under way at a time; one that hangs takes a place until its own time-outs are over [OWN]."""

_SHORTEST_SECRET: Final = 4
_LONGEST_REASON: Final = 500
_SAID: Final = re.compile(r"^Socket Exception: |^SMTP |^HTTP ")


@dataclass(frozen=True, slots=True)
class Route:
    """One way to reach people; ``url`` is apprise's and may hold secrets, so it is never shown.

    ``deadline_s`` and ``pause_s`` (least time between two messages) are real seconds, ``retry_after_s`` is lab time.
    ``brief`` sends the subject and the link alone.
    """

    name: str
    url: str = field(repr=False)
    deadline_s: float = 20.0
    retries: int = 2
    retry_after_s: float = 15.0
    pause_s: float = 0.0
    brief: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether a message was taken by the route's server, and what was said."""

    is_sent: bool
    reason: str


Send: TypeAlias = Callable[[Route, Message], Awaitable[Outcome]]
"""Sends a message by a route, within its deadline; never raises but for cancellation."""


class _Listener(logging.Handler):
    """Hears what apprise says on each thread: it reports failures to its log alone."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.heard = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        said: list[str] | None = getattr(self.heard, "said", None)
        if said is None:
            return
        message = record.getMessage()
        if record.levelno >= logging.WARNING or _SAID.match(message):  # at lower levels it tells URLs and bodies
            said.append(message)


_LISTENER: Final = _Listener()


class AppriseSender:
    """Sends through apprise; what hangs on one route delays no other."""

    def __init__(self) -> None:
        self._lanes: dict[str, Lane] = {}

    async def __call__(self, route: Route, message: Message) -> Outcome:
        """Send a message within the route's deadline and say what became of it."""
        lane = self._lanes.setdefault(route.name, Lane(f"notify-{route.name}", AT_ONCE + 1))
        try:
            return await lane.run(lambda: _send(route, message), route.deadline_s)
        except TimeoutError:
            return Outcome(False, f"no answer within {route.deadline_s:g} s; it may have been delivered all the same")
        except LaneFull as full:
            return Outcome(False, str(full))
        except Exception as error:
            return Outcome(False, _without_secrets(f"{type(error).__name__}: {error}", route.url))


def check_url(url: str) -> bool:
    """Say whether a URL that apprise can send to holds a secret; raises ConfigError for one that it can't."""
    plugin = _plugin(url)
    if plugin is None:
        scheme = url.partition("://")[0]
        raise ConfigError(
            f"no service can be reached by it (it begins with {scheme[:20]!r}); expected a URL of apprise such as "
            "mailtos://, mailto://host?from=...&to=..., json://host/path; see be-told.md"
        )
    return bool(plugin.url(privacy=True) != plugin.url(privacy=False))


def _plugin(url: str) -> Any:
    """Make apprise's plug-in of a URL; the first one takes half a second, so sites are checked before they run."""
    heard = logging.getLogger("apprise")
    if _LISTENER not in heard.handlers:
        heard.addHandler(_LISTENER)
        heard.propagate = False  # it would tell secrets to whatever log there is
        heard.setLevel(logging.DEBUG)
        logging.getLogger("urllib3").setLevel(logging.INFO)  # below that it tells paths
    import apprise

    asset = apprise.AppriseAsset(app_id="cultureops", app_desc="cultureops", app_url="", storage_mode="memory")
    return apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)


def _send(route: Route, message: Message) -> Outcome:
    """Send on the thread that this runs on; a plug-in of its own for each message, so that none waits for another."""
    from apprise import NotifyFormat, NotifyType

    said: list[str] = []
    _LISTENER.heard.said = said
    try:
        plugin = _plugin(route.url)
        if plugin is None:
            return Outcome(False, "its URL is not understood any more; check the site file")
        asked = route.url.partition("?")[2]
        for name, key in (("socket_connect_timeout", "cto="), ("socket_read_timeout", "rto=")):
            if key not in asked:
                setattr(plugin, name, route.deadline_s)
        if (client := getattr(plugin, "client", None)) is not None:
            _bound(client)
        plugin.throttle = lambda *_args, **_options: None  # the route's own pause_s says how fast it may go
        kind = NotifyType.FAILURE if message.is_critical else NotifyType.WARNING
        sent = plugin.notify(title=message.subject, body=message.body, notify_type=kind, body_format=NotifyFormat.TEXT)
        reason = _without_secrets("; ".join(said) or "no reason was given", route.url)
        return Outcome(True, "") if sent else Outcome(False, reason)
    finally:
        del _LISTENER.heard.said


def _bound(client: object) -> None:
    """Bound what a broker may send in answer, where the plug-in speaks to one."""
    from paho.mqtt.client import Client

    from cultureops.device.transport.mqtt_guard import Guard

    if isinstance(client, Client):
        Guard(client)


def _without_secrets(text: str, url: str) -> str:
    """Return what may be shown of a failure: one line without anything that stands in the URL but its host."""
    parts = urlsplit(url)
    hidden = [url, parts.query, parts.path, parts.username, parts.password]
    hidden += re.split(r"[/&=,;]", f"{parts.path}/{parts.query}")
    secrets = {form for part in hidden if part for form in (part, unquote(part)) if len(form) >= _SHORTEST_SECRET}
    secrets -= {parts.hostname or ""}
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return printable(" ".join(text.split()))[:_LONGEST_REASON]
