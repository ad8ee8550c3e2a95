"""The rules file of a replay: alarm rows as in a site file, what its columns are, and what people do meanwhile.

A trace has no site: one chamber and one device, both called ``trace``, deliver every column. What a site must say of an
alarm for people to act on it may be left out here; what can never work is refused here as there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Final

from cultureops.alarms.alarm import Act
from cultureops.alarms.command import AlarmCommand, Order
from cultureops.alarms.permission import AlarmError, check_act, check_shelving
from cultureops.alarms.rule import ChamberInfo, Kind, Rule
from cultureops.alarms.rule_rows import rules_from
from cultureops.clock import MINUTE_MS, Instant
from cultureops.config import Table
from cultureops.device.channel import Channel
from cultureops.device.channel import Kind as ChannelKind
from cultureops.errors import ConfigError

__all__ = ["TRACE", "TraceColumn", "commands_from", "trace_columns", "trace_rules"]

TRACE: Final = "trace"
"""What the only chamber and the only device are called."""
_PLACE: Final = ("chamber", "class", "device")
_UNSAID: Final = "not said in this rules file"
_STATE_KINDS: Final = frozenset({Kind.OPEN.value, Kind.FILL_TIME.value})


@dataclass(frozen=True, slots=True)
class TraceColumn:
    """A column of the trace as a channel; ``period_s`` is None where it is to be found from the trace."""

    title: str
    channel: Channel
    period_s: float | None = None


def trace_columns(table: Table, titles: Sequence[str]) -> tuple[TraceColumn, ...]:
    """Read ``[[channel]]`` rows and describe every other column by its use in ``[[alarm]]`` rows.

    ``titles`` are those of the columns but the time's. A column that no row describes is a measurement without unit
    and range, or a state where a rule uses it as one; one whose title is not unique or has a slash needs a row. Raises
    ConfigError with file and line.
    """
    found: dict[str, TraceColumn] = {}
    for row in table.tables("channel"):
        column = _described(row, titles)
        if column.channel.name in found:
            raise row.error(f"channel {column.channel.name!r} stands twice; keep one row for it", "name")
        found[column.channel.name] = column
    taken = {column.title for column in found.values()}
    alarms = table.tables("alarm")
    states, units = _states(alarms), _units(alarms)
    for title in titles:
        if title and "/" not in title and title not in taken | found.keys() and titles.count(title) == 1:
            kind = ChannelKind.STATE if title in states else ChannelKind.MEASUREMENT
            found[title] = TraceColumn(title, Channel(title, units.get(title, "1"), kind))
    _check_named_once(alarms, titles, found)
    return tuple(found.values())


def _described(row: Table, titles: Sequence[str]) -> TraceColumn:
    name = row.text("name").strip()
    if not name or "/" in name:
        raise row.error("is empty or has a slash; expected a name such as temperature", "name")
    title = row.text("column", name).strip()
    if titles.count(title) != 1:
        known = ", ".join(repr(one) for one in titles if one) or "none"
        said = "stands there twice; rename one" if title in titles else f"is not there; there are {known}"
        raise row.error(f"column {title!r} {said}", "column" if row.has("column") else "name")
    kind = ChannelKind(row.text("kind", "measurement", choices=[kind.value for kind in ChannelKind]))
    valid_range: tuple[float, float] | None = None
    if row.has("valid_range"):
        limits = row.numbers("valid_range")
        if len(limits) != 2 or limits[0] >= limits[1]:
            raise row.error(f"expected two ascending numbers such as [-20.0, 60.0], not {list(limits)}", "valid_range")
        valid_range = limits[0], limits[1]
    period_s = row.number("period_s", minimum=0.001, maximum=30 * 86_400.0) if row.has("period_s") else None
    decimals = row.integer("decimals", 2, minimum=0, maximum=12)
    channel = Channel(name, row.text("unit", "1"), kind, valid_range, decimals=decimals)
    row.done()
    return TraceColumn(title, channel, period_s)


def _states(alarms: Sequence[Table]) -> set[str]:
    """Return what rules use as a state: doors, lids, fills."""
    found: set[str] = set()
    for row in alarms:
        found.update(row.texts("suppressed_by"))
        kind = row.text("kind", "")
        if kind in _STATE_KINDS:
            found.add(row.text("channel", ""))
        if kind == Kind.STUCK.value and not row.has("reference_limit"):
            found.add(row.text("reference", "door"))
    return found


def _units(alarms: Sequence[Table]) -> dict[str, str]:
    found: dict[str, str] = {}
    for row in alarms:
        if row.has("unit"):
            found.setdefault(row.text("channel", ""), row.text("unit"))
    return found


def _check_named_once(alarms: Sequence[Table], titles: Sequence[str], found: Mapping[str, TraceColumn]) -> None:
    """Say more than that nothing delivers a channel where the file does have such a column."""
    for row in alarms:
        for key in ("channel", "reference"):
            name = row.text(key, "")
            if name and name not in found and name in titles:
                why = (
                    "stands there twice; rename one"
                    if titles.count(name) > 1
                    else ("has a slash in its title; describe it by a [[channel]] with name = and column =")
                )
                raise row.error(f"column {name!r} {why}", key)


def trace_rules(table: Table, columns: Sequence[TraceColumn], period_s: float) -> tuple[Rule, ...]:
    """Read ``[[alarm]]`` rows for a trace with a row every ``period_s`` [s], 0 where that is not known yet.

    What belongs to a site is not looked at (chamber, class, device) or may be left out (priority, consequence,
    response). Raises ConfigError with file and line.
    """
    rows = table.tables("alarm")
    if not rows:
        raise ConfigError(f"{table.file}: has no [[alarm]]; write one for each alarm to be tried")
    channels = {column.channel.name: column.channel for column in columns}
    chamber = ChamberInfo(TRACE, TRACE, {TRACE: channels}, {TRACE: period_s})
    told = [
        row.but(without=_PLACE, chamber=TRACE, priority="medium", consequence=_UNSAID, response=_UNSAID)
        for row in rows
    ]  # fmt: skip
    return rules_from(told, {TRACE: chamber})


def commands_from(table: Table, rules: Sequence[Rule], zone: tzinfo = UTC) -> tuple[AlarmCommand, ...]:
    """Read what people do: ``[[acknowledge]]``, ``[[reset]]``, ``[[shelve]]``, ``[[out_of_service]]``.

    Times without offset are of ``zone``. Raises ConfigError with file and line for an alarm that is not there, an act
    without name or reason, a shelving beyond the maximum; whether there is something to acknowledge, the trace tells.
    """
    by_id = {rule.id: rule for rule in rules}
    found: list[AlarmCommand] = []
    for section, read in _READERS.items():
        for row in table.tables(section):
            rule = _rule_of(row, by_id)
            act = Act(row.text("by"), row.text("reason"), row.text("witness", ""))
            try:
                found.extend(read(row, rule, act, zone))
            except AlarmError as error:
                raise row.error(str(error)) from None
            row.done()
    return tuple(sorted(found, key=lambda command: command.at))


def _rule_of(row: Table, rules: Mapping[str, Rule]) -> Rule:
    name = row.text("alarm")
    rule = rules.get(name) or rules.get(f"{TRACE}/{name}")
    if rule is None:
        raise row.error(f"there is no alarm {name!r}; this file has: {', '.join(rules)}", "alarm")
    return rule


def _instant(row: Table, key: str, zone: tzinfo) -> Instant:
    stamp = row.time(key)
    aware = stamp if stamp.tzinfo is not None else stamp.replace(tzinfo=zone)
    return round(aware.timestamp() * 1000)


def _acknowledged(row: Table, rule: Rule, act: Act, zone: tzinfo) -> list[AlarmCommand]:
    check_act(rule.id, act, "an acknowledgement")
    return [AlarmCommand(Order.ACKNOWLEDGE, rule.id, act, _instant(row, "at", zone))]


def _reset(row: Table, rule: Rule, act: Act, zone: tzinfo) -> list[AlarmCommand]:
    check_act(rule.id, act, "a reset")
    return [AlarmCommand(Order.RESET, rule.id, act, _instant(row, "at", zone))]


def _shelved(row: Table, rule: Rule, act: Act, zone: tzinfo) -> list[AlarmCommand]:
    at, minutes = _instant(row, "at", zone), row.number("minutes")
    check_shelving(rule, act, at, at + round(minutes * MINUTE_MS), is_critical=False)
    return [AlarmCommand(Order.SHELVE, rule.id, act, at, minutes, row.flag("one_shot", False))]


def _taken_out(row: Table, rule: Rule, act: Act, zone: tzinfo) -> list[AlarmCommand]:
    check_act(rule.id, act, "taking it out of service", needs_witness=rule.gmp_critical)
    start, end = _instant(row, "from", zone), _instant(row, "to", zone)
    if end <= start:
        raise row.error("is not after its begin", "to")
    return [AlarmCommand(Order.TAKE_OUT, rule.id, act, start), AlarmCommand(Order.RELEASE, rule.id, act, end)]


_READERS: Final[dict[str, Callable[[Table, Rule, Act, tzinfo], list[AlarmCommand]]]] = {
    "acknowledge": _acknowledged,
    "reset": _reset,
    "shelve": _shelved,
    "out_of_service": _taken_out,
}
