"""How cultureops itself stands, in words: what is wrong comes with what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from zoneinfo import ZoneInfo

from cultureops.alarms.text import duration
from cultureops.web.templating import local

__all__ = ["Fact", "Part", "Standing", "health_parts", "to_mend"]

SILENT_AFTER: Final = 3
"""Polls in a row without an answer: the link counts as lost, as it does for the poller."""
LITTLE_SPACE_PCT: Final = 10.0
LITTLE_TIME_D: Final = 14.0
LATE_MIRROR_S: Final = 600.0
"""What is worth a look [OWN]; alarms have limits of their own, in the site file."""
BY_HAND: Final = "Note the values of the chambers by hand, look into the program's log, and call whoever maintains it."
ON_PAPER: Final = "Free or mend the disk; do not restart cultureops. Write down on paper what is done meanwhile."
MEND_HUB: Final = "Check the network, the hub, and the certificates of both. Nothing is lost; alarms go on here."
WATCH_THERE: Final = "Have somebody look at its chambers there; then mend its machine or the network."
MEND_LINK: Final = "Check its power, cable and address. Until it answers, its chamber is watched by hand."


class Standing(StrEnum):
    """How something stands; ``OFF`` is what this site has not set up."""

    WRONG = "wrong"
    WATCH = "watch"
    WELL = "well"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing, how it stands, what is known of it, and what a person is to do where there is something to do."""

    name: str
    standing: Standing
    says: str
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """Things that belong together."""

    id: str
    title: str
    facts: tuple[Fact, ...]


def health_parts(said: Mapping[str, Any], zone: ZoneInfo) -> tuple[Part, ...]:
    """Return what ``lab_health.health_of`` says as a person reads it."""
    return (
        Part("records", "Readings and records", tuple(_records(said, zone))),
        Part("links", "Links to the instruments", tuple(_links(said["devices"]))),
        *_other_nodes(said),
        Part("people", "Telling people", tuple(_people(said, zone))),
        Part("machine", "This machine", tuple(_machine(said["machine"], said["faults"], said["versions"]))),
        Part("copies", "Copies elsewhere", tuple(_copies(said, zone))),
        Part("access", "Who comes in", tuple(_access(said["access"]))),
    )


def to_mend(parts: Sequence[Part]) -> tuple[Fact, ...]:
    """Return what is wrong, then what is worth a look."""
    facts = [fact for part in parts for fact in part.facts]
    return tuple(fact for wanted in (Standing.WRONG, Standing.WATCH) for fact in facts if fact.standing is wanted)


def _judged(name: str, problem: str | None, well: str, todo: str, worse: Standing = Standing.WRONG) -> Fact:
    return Fact(name, worse, problem, todo) if problem else Fact(name, Standing.WELL, well)


def _records(said: Mapping[str, Any], zone: ZoneInfo) -> Iterator[Fact]:
    kept = f"{said['readings_stored']:,} readings; the newest frame that is durable is {said['durable_frame']['seq']:,}"
    yield _judged("Store of readings", said["store_failure"], kept, BY_HAND)
    if said["store_warning"]:
        yield Fact("SQLite", Standing.WATCH, said["store_warning"], "Keep other programs off the store's files.")
    ledger = said["ledger"]
    yield _judged("Ledger", said["ledger_failure"], f"{ledger['position']:,} events, chain {ledger['hash']}", ON_PAPER)
    if unread := said["unreadable_events"]:
        problem = f"{len(unread)} events can't be read by this program, the first at position {unread[0]}"
        yield Fact("Events", Standing.WRONG, problem, "Release nothing; run cultureops verify, which tells why.")
    yield _signed_heads(said["heads"]["signing"], zone)


def _signed_heads(signing: Mapping[str, Any], zone: ZoneInfo) -> Fact:
    name, newest = "Signed heads", signing["newest"]
    if signing["problem"]:
        return Fact(name, Standing.WRONG, signing["problem"], "See to the key: cultureops ledger heads shows it.")
    if newest is None:
        return Fact(name, Standing.OFF if signing["key_id"] is None else Standing.WELL, "no head is signed yet")
    behind = f", {signing['unsigned']:,} events behind it" if signing["unsigned"] else ""
    says = f"the newest is of {newest['size']:,} events, {local(newest['signed_at'], zone)}{behind}"
    return Fact(name, Standing.WELL, f"{says}; key {newest['key_id']}")


def _links(devices: Mapping[str, Mapping[str, Any]]) -> Iterator[Fact]:
    for device, link in devices.items():
        if not link["misses"] and not link["reason"]:
            yield Fact(device, Standing.WELL, "answers")
            continue
        why, polls = link["detail"] or link["reason"], "poll" if link["misses"] == 1 else "polls"
        silent = f"{why}; {link['misses']:,} {polls} in a row without an answer" if link["misses"] else "not asked yet"
        is_lost = link["misses"] >= SILENT_AFTER
        yield Fact(device, Standing.WRONG if is_lost else Standing.WATCH, silent, MEND_LINK if is_lost else "")
    if not devices:
        yield Fact("Instruments", Standing.OFF, "the site file names no [[device]]")


def _other_nodes(said: Mapping[str, Any]) -> Iterator[Part]:
    if "gateways" in said:
        yield Part("gateways", "Gateways", tuple(_gateway(one) for one in said["gateways"]))
    if (hub := said.get("hub")) is not None:
        waiting = f"{hub['events_waiting'] or 0:,} events and {hub['readings_waiting'] or 0:,} readings to go"
        away = None if hub["connected"] else f"{hub['last_error'] or 'not reached yet'}; {waiting}"
        yield Part("hub", "Hub", (_judged(hub["target"], away, waiting, MEND_HUB),))


def _gateway(said: Mapping[str, Any]) -> Fact:
    name, problems = said["name"], "; ".join(said["problems"])
    if not said["in_reach"]:
        away = f"gateway {name} is out of reach since {said['away_since']}"
        return Fact(name, Standing.WRONG, f"{away}; {problems}" if problems else away, WATCH_THERE)
    says = f"in reach; {said['log_size']:,} events of its log are here"
    return _judged(name, problems or None, says, "See the page of gateways.")


def _people(said: Mapping[str, Any], zone: ZoneInfo) -> Iterator[Fact]:
    notify, heart = said["notify"], said["heartbeat"]
    if notify["tells_nobody"]:
        told = "alarms stand on these pages only; nobody is called"
        yield Fact("Messages", Standing.WATCH, told, "Set up [notify] in the site file, or keep the pages in sight.")
    else:
        yield from _messages(notify)
    for route in notify["routes"]:
        problem = f"{route['failures']} failures in a row: {route['last_error']}" if route["failures"] else None
        todo = "Check the route's server and account, then send a test message."
        sent = f"{route['sent']:,} sent, {route['waiting']} waiting"
        worse = Standing.WRONG if route["failures"] >= SILENT_AFTER else Standing.WATCH
        yield _judged(f"Route {route['name']}", problem, sent, todo, worse)
    if heart is None:
        yield Fact("Heartbeat", Standing.OFF, "nobody outside notices when this machine stops")
        return
    problem = heart["withheld"] or heart["last_error"]
    beaten = "not yet" if heart["beaten_at"] is None else local(heart["beaten_at"], zone)
    yield _judged("Heartbeat", problem, f"last heard {beaten}", "Check the address that hears it, and the network.")


def _messages(notify: Mapping[str, Any]) -> Iterator[Fact]:
    problem = notify["fault"] or notify["ledger_error"]
    if problem is None and notify["undelivered_s"] > notify["limit_s"]:
        problem = f"nobody could be told of {notify['undelivered']} for {duration(notify['undelivered_s'])}"
    says = f"{notify['unacknowledged']} alarms wait for somebody, {notify['waiting']} messages wait for a route"
    says += "; alarms come in a flood and are told in digests" if notify["in_flood"] else ""
    yield _judged("Messages", problem, says, "Act on what stands on the page of alarms; then check routes and roster.")
    if notify["roster_gap_at"] is not None:
        yield Fact("Roster", Standing.WATCH, f"nobody is on call at {notify['roster_gap_at']}", "Fill the roster.")
    if notify["mute_gap_at"] is not None:
        muted = f"everybody of a level mutes high alarms at {notify['mute_gap_at']}; they are told all the same"
        yield Fact("Quiet hours", Standing.WATCH, muted, "Set the quiet hours so that somebody hears.")


def _machine(machine: Mapping[str, Any], faults: Mapping[str, Any], versions: Mapping[str, str]) -> Iterator[Fact]:
    if "machine" in machine:
        yield Fact("Disk and clock", Standing.OFF, machine["machine"])
    else:
        yield _disk(machine)
        yield _clock(machine["clock"])
    problem = f"{faults['count']:,} since the start, the latest: {faults['latest']}" if faults["count"] else None
    todo = "The log of the program says more; call whoever maintains it."
    yield _judged("Faults of ours", problem, "none since the start", todo, Standing.WATCH)
    yield Fact("Versions", Standing.WELL, ", ".join(f"{name} {number}" for name, number in versions.items()))


def _disk(machine: Mapping[str, Any]) -> Fact:
    disk, full_in_d = machine["disk"], machine["disk_full_in_d"]
    if machine["disk_problem"] or disk is None:
        said = machine["disk_problem"] or "not measured yet"
        return Fact("Disk", Standing.WATCH, said, "Look whether the disk of the data folder is there.")
    fills = "" if full_in_d is None else f"; as it fills now, full in {full_in_d:,.0f} days"
    says = f"{disk['free_gb']:,.1f} GB free ({disk['free_pct']:.0f} %){fills}"
    is_scarce = disk["free_pct"] < LITTLE_SPACE_PCT or (full_in_d is not None and full_in_d < LITTLE_TIME_D)
    return _judged("Disk", says if is_scarce else None, says, "Make room or add a disk.", Standing.WATCH)


def _clock(clock: Mapping[str, Any] | str | None) -> Fact:
    if clock is None or isinstance(clock, str):
        said = clock or "not asked yet"
        return Fact("Clock", Standing.WATCH, said, "Let chrony or systemd-timesyncd keep the time." if clock else "")
    says = f"{clock['quality']}, wrong by at most {clock['most_error_s']:.3g} s"
    problem, worse = (None if clock["quality"] == "synced" else says), Standing.WATCH
    if clock["quality"] == "unsynced":
        worse = Standing.WRONG
    return _judged("Clock", problem, says, "Check the time server; times on record may be off.", worse)


def _copies(said: Mapping[str, Any], zone: ZoneInfo) -> Iterator[Fact]:
    yield _backups(said["backups"], zone)
    for anchor in said["heads"]["anchors"]:
        since = "" if anchor["failing_since"] is None else f" (since {local(anchor['failing_since'], zone)})"
        problem = f"{anchor['problem']}{since}" if anchor["problem"] else None
        held = f"holds the head of {anchor['size']:,} events"
        yield _judged(
            f"Anchor {anchor['where']}", problem, held, "Check whether that place can be reached and written."
        )
    if not said["heads"]["anchors"]:
        yield Fact("Anchors", Standing.OFF, "nobody elsewhere holds a signed head of the ledger")
    yield _mirror(said["influxdb"])
    broker = said["mqtt"]
    if broker is None:
        yield Fact("MQTT", Standing.OFF, "not set up")
    else:
        away = None if broker["connected"] else f"{broker['target']} is away: {broker['last_error'] or 'no answer yet'}"
        todo = "Check broker and network; the newest state is sent when it is back."
        yield _judged("MQTT", away, f"{broker['target']}, {broker['sent']:,} sent", todo)


def _backups(backups: Mapping[str, Any] | None, zone: ZoneInfo) -> Fact:
    name, todo = "Backups", "See to the folder and its disk, then make one: cultureops backup."
    if backups is None:
        return Fact(name, Standing.WATCH, "none are made by this program", "Set up [backup] in the site file.")
    last = backups["last_good_at"]
    says = f"{backups['folder']}: {'none yet' if last is None else f'the last good one is of {local(last, zone)}'}"
    if backups["age_s"] > backups["alarm_after_s"]:
        return Fact(name, Standing.WRONG, f"{says}, {duration(backups['age_s'])} ago", todo)
    return _judged(name, backups["failure"] and f"{says}; since then: {backups['failure']}", says, todo, Standing.WATCH)


def _mirror(mirror: Mapping[str, Any] | None) -> Fact:
    if mirror is None:
        return Fact("Mirror", Standing.OFF, "not set up")
    backlog = "unknown" if mirror["backlog_readings"] is None else f"{mirror['backlog_readings']:,}"
    says = f"{mirror['target']}: {duration(mirror['lag_s'])} behind, {backlog} readings to go"
    lost = f"; {mirror['quarantined']:,} refused, {mirror['outlived']:,} too old for it"
    says += lost if mirror["quarantined"] or mirror["outlived"] else ""
    is_late = mirror["lag_s"] > LATE_MIRROR_S
    problem = f"{says}; {mirror['last_error'] or 'no error said'}" if is_late or mirror["last_error"] else None
    todo = "Check that server; nothing is lost here, the mirror catches up."
    return _judged("Mirror", problem, says, todo, Standing.WRONG if is_late else Standing.WATCH)


def _access(access: Mapping[str, Any]) -> Iterator[Fact]:
    todo = "Nobody new can log in until this is mended."
    yield _judged("Log-in", access["problem"] or None, f"{access['open_sessions']} sessions are open", todo)
    if access["locked"]:
        todo = "Ask whose they are whether it was them; an administrator unlocks."
        yield Fact("Locked accounts", Standing.WATCH, ", ".join(access["locked"]), todo)
    if access["slowed_sources"]:
        todo = "Somebody guesses passwords from there."
        yield Fact("Slowed addresses", Standing.WATCH, ", ".join(access["slowed_sources"]), todo)
