"""What is watched: one frozen rule per alarm, read from the ``[[alarm]]`` rows of the site file.

A row may speak of a whole class of chambers; it is expanded here, so that the engine knows single alarms
only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from cultureops.clock import Instant
from cultureops.config import Table
from cultureops.device.channel import ChannelId, channel_id

__all__ = ["BatchRef", "ChamberId", "ChamberInfo", "Exposure", "Kind", "Priority", "Rule", "rules_from"]

ChamberId: TypeAlias = str
BatchRef: TypeAlias = str
Exposure: TypeAlias = Callable[[ChamberId, Instant, Instant], tuple[BatchRef, ...]]
"""``exposed(chamber, start, end)``: the batches that stood in the chamber meanwhile [ms UTC]."""

DEFAULT_MISSES: Final = 3
LONGEST_DELAY_S: Final = 86_400.0


class Priority(StrEnum):
    """How soon somebody must act."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Kind(StrEnum):
    """What condition a rule watches for."""

    HIGH = "high"
    LOW = "low"
    COMMUNICATION = "communication"


@dataclass(frozen=True, slots=True)
class Rule:
    """One alarm of one channel, or of one device for loss of communication.

    ``limit`` and ``deadband`` are in ``unit`` (UCUM code); HIGH raises at ``value >= limit``, LOW at
    ``value <= limit``. COMMUNICATION has neither channel nor limit and raises after ``misses`` missed polls
    in a row.
    """

    id: str
    chamber: ChamberId
    channel: ChannelId | None
    device: str
    kind: Kind
    limit: float | None
    unit: str
    deadband: float
    on_delay_s: float
    off_delay_s: float
    misses: int
    priority: Priority
    gmp_critical: bool
    consequence: str
    response: str


@dataclass(frozen=True, slots=True)
class ChamberInfo:
    """What rules need to know of a chamber; ``devices`` maps device to channel name to UCUM unit."""

    id: ChamberId
    class_: str
    devices: Mapping[str, Mapping[str, str]]


def rules_from(table_rows: Sequence[Table], chambers: Mapping[ChamberId, ChamberInfo]) -> tuple[Rule, ...]:
    """Read ``[[alarm]]`` rows in file order; raise ConfigError with file and line for a wrong one."""
    rules: dict[str, Rule] = {}
    for row in table_rows:
        for rule in _expand(row, chambers):
            if rule.id in rules:
                raise row.error(f"alarm {rule.id!r} stands twice in this file; keep one row for it")
            rules[rule.id] = rule
    return tuple(rules.values())


def _expand(row: Table, chambers: Mapping[ChamberId, ChamberInfo]) -> tuple[Rule, ...]:
    kind = Kind(row.text("kind", choices=[kind.value for kind in Kind]))
    targets = _chambers_of(row, chambers)
    is_communication = kind is Kind.COMMUNICATION
    rules = _communication_rules(row, targets) if is_communication else _limit_rules(row, kind, targets)
    row.done()
    return rules


def _chambers_of(row: Table, chambers: Mapping[ChamberId, ChamberInfo]) -> tuple[ChamberInfo, ...]:
    if row.has("chamber") == row.has("class"):
        raise row.error("expected either chamber = or class =, and one of the two only")
    if row.has("chamber"):
        name = row.text("chamber")
        if name not in chambers:
            known = ", ".join(chambers) or "none"
            raise row.error(f"there is no chamber {name!r}; known chambers: {known}", "chamber")
        return (chambers[name],)
    class_ = row.text("class")
    found = tuple(chamber for chamber in chambers.values() if chamber.class_ == class_)
    if not found:
        known = ", ".join(sorted({chamber.class_ for chamber in chambers.values()})) or "none"
        raise row.error(f"this site has no chamber of class {class_!r}; it has: {known}", "class")
    return found


def _devices_of(row: Table, chambers: Sequence[ChamberInfo]) -> Iterator[tuple[ChamberInfo, str]]:
    """Yield each device that is watched, with its chamber; a device without channels has nothing to watch."""
    if not row.has("device"):
        yield from ((chamber, device) for chamber in chambers for device, names in chamber.devices.items() if names)
        return
    device = row.text("device")
    if not row.has("chamber"):
        raise row.error("device = goes with chamber =, not with class =", "device")
    chamber = chambers[0]
    if not chamber.devices.get(device):
        known = ", ".join(name for name, names in chamber.devices.items() if names) or "none"
        raise row.error(f"no device {device!r} measures in {chamber.id}; devices there: {known}", "device")
    yield chamber, device


def _communication_rules(row: Table, chambers: Sequence[ChamberInfo]) -> tuple[Rule, ...]:
    misses = row.integer("misses", DEFAULT_MISSES, minimum=1, maximum=1000)
    devices = tuple(_devices_of(row, chambers))
    if not devices:
        raise row.error(f"no device measures in {_names(chambers)}; add a [[device]] with that chamber")
    return tuple(
        _rule(row, chamber, device, None, Kind.COMMUNICATION, limit=None, unit="", misses=misses)
        for chamber, device in devices
    )


def _limit_rules(row: Table, kind: Kind, chambers: Sequence[ChamberInfo]) -> tuple[Rule, ...]:
    name = row.text("channel")
    limit = row.number("limit")
    found = tuple(pair for pair in _devices_of(row, chambers) if name in pair[0].devices[pair[1]])
    if not found:
        delivered = sorted({known for chamber in chambers for names in chamber.devices.values() for known in names})
        known_names = ", ".join(delivered) or "none"
        raise row.error(f"nothing in {_names(chambers)} delivers {name!r}; delivered: {known_names}", "channel")
    unit = _unit_of(row, name, [chamber.devices[device][name] for chamber, device in found])
    return tuple(
        _rule(row, chamber, device, name, kind, limit=limit, unit=unit, misses=DEFAULT_MISSES)
        for chamber, device in found
        if chamber.devices[device][name] == unit
    )


def _unit_of(row: Table, name: str, units: Sequence[str]) -> str:
    """Return the unit that the limit is in: a limit in percent must never meet a value in ppm."""
    delivered = ", ".join(sorted(set(units)))
    unit = row.text("unit", units[0])
    if unit not in units:
        raise row.error(f"{name} is delivered in {delivered}, not in {unit!r}", "unit")
    if not row.has("unit") and len(set(units)) > 1:
        raise row.error(f"{name} is delivered in several units ({delivered}); write one row per unit, with unit =")
    return unit


def _rule(
    row: Table,
    chamber: ChamberInfo,
    device: str,
    name: str | None,
    kind: Kind,
    *,
    limit: float | None,
    unit: str,
    misses: int,
) -> Rule:
    has_limit = limit is not None
    return Rule(
        id="/".join(part for part in (device, name, kind.value) if part),
        chamber=chamber.id,
        channel=channel_id(device, name) if name else None,
        device=device,
        kind=kind,
        limit=limit,
        unit=unit,
        deadband=row.number("deadband", 0.0, minimum=0.0) if has_limit else 0.0,
        on_delay_s=row.number("on_delay_s", 0.0, minimum=0.0, maximum=LONGEST_DELAY_S) if has_limit else 0.0,
        off_delay_s=row.number("off_delay_s", 0.0, minimum=0.0, maximum=LONGEST_DELAY_S) if has_limit else 0.0,
        misses=misses,
        priority=Priority(row.text("priority", choices=[priority.value for priority in Priority])),
        gmp_critical=row.flag("gmp_critical", False),
        consequence=_said(row, "consequence"),
        response=_said(row, "response"),
    )


def _said(row: Table, key: str) -> str:
    """Return a text that is not empty: what needs no response is an event, not an alarm (ISA-18.2)."""
    text = row.text(key).strip()
    if not text:
        raise row.error("is empty; say it in one sentence", key)
    return text


def _names(chambers: Sequence[ChamberInfo]) -> str:
    return ", ".join(chamber.id for chamber in chambers)
