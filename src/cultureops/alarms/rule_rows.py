"""Alarm rules from the ``[[alarm]]`` rows of a site file.

A row may speak of a whole class of chambers; it is expanded here, so that the engine knows single alarms only. What can
never work is refused with file and line: a channel that nobody delivers, a limit that the sensor can't reach.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cultureops.alarms.permission import CRITICAL_SHELVING_S
from cultureops.alarms.rule import (
    AlarmClass,
    ChamberId,
    ChamberInfo,
    Kind,
    Level,
    Priority,
    Rule,
    Suppressor,
    WhenEmpty,
)
from cultureops.alarms.suppression import occupied_channel
from cultureops.config import Table
from cultureops.device.channel import Channel, ChannelId, channel_id
from cultureops.device.channel import Kind as ChannelKind

__all__ = ["rules_from"]

DEFAULT_MISSES: Final = 3
LONGEST_DELAY_S: Final = 86_400.0
LONGEST_WINDOW_S: Final = 30 * 86_400.0
LONGEST_SHELVING_S: Final = 12 * 3600.0
DEFAULT_SHELVING_S: Final = 3600.0
SHORTEST_SILENCE_S: Final = 60.0
RECOVERY_S: Final = 600.0
REALARM_S: Final = 3600.0
"""When an acknowledged GMP-critical alarm that is still there is told again, unless its row says otherwise."""
LONGEST_SUPPRESSION_S: Final = 900.0
_DEVICE_WIDE: Final = frozenset({Kind.COMMUNICATION})
_INSTRUMENT: Final = frozenset({Kind.COMMUNICATION, Kind.NO_DATA, Kind.STUCK, Kind.DISAGREEMENT})
_REFERENCED: Final = frozenset({Kind.DEVIATION, Kind.STUCK, Kind.DISAGREEMENT, Kind.RATE})
_ON_DELAYS_S: Final = {Kind.OPEN: 180.0}
_WINDOWS_S: Final = {
    Kind.RATE: 300.0,
    Kind.STUCK: 3600.0,
    Kind.DAYS_LEFT: 3 * 86_400.0,
    Kind.FILL_TIME: 7 * 86_400.0,
}
_SETTLE_S: Final = {Kind.DEVIATION: 1800.0, Kind.STUCK: 300.0, Kind.RATE: 3600.0}
_LIMITS: Final = {Kind.OPEN: 1.0, Kind.FILL_TIME: 1.5}
_UNITS: Final = {Kind.DAYS_LEFT: "d", Kind.FILL_TIME: "1"}


@dataclass(frozen=True, slots=True)
class _Target:
    """What one rule of a row watches; ``channel`` is None for a device as a whole."""

    chamber: ChamberInfo
    device: str
    channel: Channel | None

    @property
    def channel_id(self) -> ChannelId | None:
        return None if self.channel is None else channel_id(self.device, self.channel.name)

    @property
    def period_s(self) -> float:
        return self.chamber.periods_s.get(self.device, 0.0)


def rules_from(table_rows: Sequence[Table], chambers: Mapping[ChamberId, ChamberInfo]) -> tuple[Rule, ...]:
    """Read ``[[alarm]]`` rows in file order; raise ConfigError with file and line for a wrong one."""
    rules: dict[str, Rule] = {}
    for row in table_rows:
        for rule in _expand(row, chambers):
            if rule.id in rules:
                raise row.error(f"alarm {rule.id!r} stands twice in this file; keep one row for it")
            rules[rule.id] = rule
            _check_levels(row, rule, rules)
    return tuple(rules.values())


def _expand(row: Table, chambers: Mapping[ChamberId, ChamberInfo]) -> tuple[Rule, ...]:
    kind = Kind(row.text("kind", choices=[kind.value for kind in Kind]))
    rules = tuple(_rule(row, kind, target) for target in _targets(row, kind, _chambers_of(row, chambers)))
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


def _targets(row: Table, kind: Kind, chambers: Sequence[ChamberInfo]) -> tuple[_Target, ...]:
    devices = tuple(_devices_of(row, chambers))
    if kind in _DEVICE_WIDE:
        if not devices:
            raise row.error(f"no device measures in {_names(chambers)}; add a [[device]] with that chamber")
        return tuple(_Target(chamber, device, None) for chamber, device in devices)
    name = row.text("channel")
    found = tuple(
        _Target(chamber, device, chamber.devices[device][name])
        for chamber, device in devices
        if name in chamber.devices[device]
    )
    if not found:
        delivered = sorted({known for chamber in chambers for names in chamber.devices.values() for known in names})
        known_names = ", ".join(delivered) or "none"
        raise row.error(f"nothing in {_names(chambers)} delivers {name!r}; delivered: {known_names}", "channel")
    unit = _unit_of(row, name, [target.channel.unit for target in found if target.channel is not None])
    return tuple(target for target in found if target.channel is not None and target.channel.unit == unit)


def _devices_of(row: Table, chambers: Sequence[ChamberInfo]) -> Iterator[tuple[ChamberInfo, str]]:
    """Yield each device that is watched, with its chamber; a device without channels has nothing to watch."""
    if not row.has("device"):
        left_out = _left_out(row, chambers)
        for chamber in chambers:
            yield from ((chamber, name) for name, names in chamber.devices.items() if names and name not in left_out)
        return
    device = row.text("device")
    if not row.has("chamber"):
        raise row.error("device = goes with chamber =, not with class =", "device")
    chamber = chambers[0]
    if not chamber.devices.get(device):
        known = ", ".join(name for name, names in chamber.devices.items() if names) or "none"
        raise row.error(f"no device {device!r} measures in {chamber.id}; devices there: {known}", "device")
    yield chamber, device


def _left_out(row: Table, chambers: Sequence[ChamberInfo]) -> frozenset[str]:
    """Return the devices that a row for many leaves out, such as a slow sister probe with rules of its own."""
    names, known = row.texts("without"), {device for chamber in chambers for device in chamber.devices}
    for name in names:
        if name not in known:
            raise row.error(
                f"no device {name!r} measures in {_names(chambers)}; there are: {', '.join(sorted(known))}", "without"
            )
    return frozenset(names)


def _unit_of(row: Table, name: str, units: Sequence[str]) -> str:
    """Return the unit that the limit is in: a limit in percent must never meet a value in ppm."""
    delivered = ", ".join(sorted(set(units)))
    unit = row.text("unit", units[0])
    if unit not in units:
        raise row.error(f"{name} is delivered in {delivered}, not in {unit!r}", "unit")
    if not row.has("unit") and len(set(units)) > 1:
        raise row.error(f"{name} is delivered in several units ({delivered}); write one row per unit, with unit =")
    return unit


def _rule(row: Table, kind: Kind, target: _Target) -> Rule:
    level = Level(row.text("level", Level.ALARM.value, choices=[level.value for level in Level]))
    gmp_critical = row.flag("gmp_critical", False)
    alarm_class = AlarmClass.INSTRUMENT if kind in _INSTRUMENT else AlarmClass.ENVIRONMENT
    name, suffix = target.channel and target.channel.name, "" if level is Level.ALARM else level.value
    rule = Rule(
        id="/".join(part for part in (target.device, name, kind.value, suffix) if part),
        chamber=target.chamber.id,
        channel=target.channel_id,
        device=target.device,
        kind=kind,
        limit=None,
        unit="",
        deadband=0.0,
        on_delay_s=0.0,
        off_delay_s=0.0,
        misses=row.integer("misses", DEFAULT_MISSES, minimum=1, maximum=1000)
        if kind in _DEVICE_WIDE
        else DEFAULT_MISSES,
        priority=Priority(row.text("priority", choices=[priority.value for priority in Priority])),
        gmp_critical=gmp_critical,
        consequence=_said(row, "consequence"),
        response=_said(row, "response"),
        level=level,
        alarm_class=AlarmClass(row.text("alarm_class", alarm_class.value, choices=[one.value for one in AlarmClass])),
        cause=row.text("cause", "").strip(),
        respond_within_s=row.number("respond_within_s", 1800.0, minimum=1.0, maximum=LONGEST_DELAY_S),
        latching=row.flag("latching", False),
        realarm_s=row.number("realarm_s", REALARM_S if gmp_critical else 0.0, minimum=0.0, maximum=LONGEST_DELAY_S),
        shelve_max_s=_longest_shelving(row, gmp_critical=gmp_critical),
        group=row.text("group", "").strip(),
        silence_s=max(SHORTEST_SILENCE_S, 3 * target.period_s) if kind in _DEVICE_WIDE and target.period_s else 0.0,
    )
    rule = _with_suppressors(row, rule, target)
    return rule if target.channel is None else _measured(row, rule, target, target.channel)


def _longest_shelving(row: Table, *, gmp_critical: bool) -> float:
    longest_s = CRITICAL_SHELVING_S if gmp_critical else LONGEST_SHELVING_S
    default_s = min(DEFAULT_SHELVING_S, longest_s)
    return row.number("shelve_max_s", default_s, minimum=0.0, maximum=longest_s)


def _measured(row: Table, rule: Rule, target: _Target, channel: Channel) -> Rule:
    """Add what a rule on a channel's value needs: limit, delays, reference, window."""
    kind = rule.kind
    shortest_s = max(SHORTEST_SILENCE_S, 3 * target.period_s) if kind is Kind.NO_DATA else 0.0
    rule = dataclasses.replace(
        rule,
        on_delay_s=row.number("on_delay_s", _ON_DELAYS_S.get(kind, shortest_s), minimum=0.0, maximum=LONGEST_DELAY_S),
        off_delay_s=row.number("off_delay_s", 0.0, minimum=0.0, maximum=LONGEST_DELAY_S),
    )
    if kind is Kind.NO_DATA:
        if rule.on_delay_s < max(1.0, target.period_s):
            raise row.error(f"is shorter than the {target.period_s:g} s between two readings", "on_delay_s")
        return rule
    reference = _reference(row, rule, target)
    rule = dataclasses.replace(
        rule,
        limit=_limit(row, kind, channel),
        unit=_UNITS.get(kind, channel.unit),
        deadband=row.number("deadband", 0.0, minimum=0.0),
        reference=None if reference is None else reference[0],
        reference_limit=_reference_limit(row, kind, channel, None if reference is None else reference[1]),
        window_s=_window(row, kind, target),
        settle_s=(
            row.number("settle_s", _SETTLE_S[kind], minimum=0.0, maximum=LONGEST_DELAY_S) if kind in _SETTLE_S else 0.0
        ),
        spike_filter=row.flag("spike_filter", False) if kind in (Kind.HIGH, Kind.LOW) else False,
    )
    _check_reach(row, rule, channel)
    return rule


def _limit(row: Table, kind: Kind, channel: Channel) -> float:
    if kind is Kind.OPEN:
        return _LIMITS[kind]
    if kind is Kind.STUCK:
        resolution = 10.0**-channel.decimals
        return row.number("limit", resolution, minimum=resolution)
    if kind in _LIMITS:
        return row.number("limit", _LIMITS[kind], minimum=1.0)
    least = float("-inf") if kind in (Kind.HIGH, Kind.LOW) else 1e-9
    return row.number("limit", minimum=least)


def _window(row: Table, kind: Kind, target: _Target) -> float:
    if kind is Kind.DISAGREEMENT:
        default_s = max(SHORTEST_SILENCE_S, 3 * target.period_s)
    elif kind in _WINDOWS_S:
        default_s = _WINDOWS_S[kind]
    else:
        return 0.0
    window_s = row.number("window_s", default_s, minimum=1.0, maximum=LONGEST_WINDOW_S)
    fewest = 6 if kind is Kind.STUCK else 3
    if kind is not Kind.DISAGREEMENT and window_s < fewest * target.period_s:
        raise row.error(
            f"holds fewer than {fewest} readings, one comes every {target.period_s:g} s; widen it", "window_s"
        )
    return window_s


def _reference(row: Table, rule: Rule, target: _Target) -> tuple[ChannelId, Channel] | None:
    """Return the other channel that a rule looks at; it may be one of another device of the same chamber."""
    assert target.channel is not None
    if rule.kind is Kind.RATE and not row.has("reference"):
        return _channel_in(target, f"{target.channel.name}_setpoint")
    if rule.kind not in _REFERENCED:
        return None
    default = {Kind.DEVIATION: f"{target.channel.name}_setpoint", Kind.STUCK: "door"}
    name = row.text("reference", default[rule.kind]) if rule.kind in default else row.text("reference")
    found = _channel_in(target, name)
    if found is None:
        raise row.error(
            f"nothing in {target.chamber.id} delivers {name!r}, or several devices do; "
            "write device/channel, of the same chamber",
            "reference" if row.has("reference") else None,
        )
    if found[0] == rule.channel:
        raise row.error("is the channel itself; name another one", "reference")
    if rule.kind is not Kind.STUCK and found[1].unit != target.channel.unit:
        raise row.error(f"{name} is in {found[1].unit}, {target.channel.name} in {target.channel.unit}", "reference")
    return found


def _channel_in(target: _Target, name: str) -> tuple[ChannelId, Channel] | None:
    """Find a channel by its name on the same device, else on the only other device of the chamber that has it."""
    devices = target.chamber.devices
    if "/" in name:
        device, _, channel = name.rpartition("/")
        known = devices.get(device, {}).get(channel)
        return None if known is None else (channel_id(device, channel), known)
    if name in devices[target.device]:
        return channel_id(target.device, name), devices[target.device][name]
    found = [(channel_id(device, name), names[name]) for device, names in devices.items() if name in names]
    return found[0] if len(found) == 1 else None


def _reference_limit(row: Table, kind: Kind, channel: Channel, reference: Channel | None) -> float | None:
    if kind is Kind.DAYS_LEFT:
        left = row.number("reference_limit")
        _check_range(row, channel, left, "reference_limit")
        return left
    if kind is Kind.STUCK and reference is not None and reference.kind is not ChannelKind.STATE:
        return row.number("reference_limit", minimum=10.0**-reference.decimals)
    return None


def _with_suppressors(row: Table, rule: Rule, target: _Target) -> Rule:
    when_empty = WhenEmpty(row.text("when_empty", "announce", choices=[one.value for one in WhenEmpty]))
    names = row.texts("suppressed_by")
    found: list[Suppressor] = []
    if names:
        recovery_s = row.number("recovery_s", RECOVERY_S, minimum=0.0, maximum=LONGEST_DELAY_S)
        max_s = row.number("suppress_max_s", LONGEST_SUPPRESSION_S, minimum=1.0, maximum=LONGEST_DELAY_S)
        for name in names:
            state = _channel_in(target, name)
            if state is not None and state[1].kind is not ChannelKind.STATE:
                raise row.error(f"{name} is no state such as a door; only a state can suppress", "suppressed_by")
            if state is not None:
                found.append(Suppressor(state[0], recovery_s, max_s))
            elif row.has("chamber"):
                raise row.error(f"nothing in {target.chamber.id} delivers {name!r}", "suppressed_by")
    if when_empty is WhenEmpty.SUPPRESS:
        found.append(Suppressor(occupied_channel(target.chamber.id), 0.0, None, is_on_at_zero=True))
    return dataclasses.replace(rule, suppressors=tuple(found), when_empty=when_empty)


def _check_reach(row: Table, rule: Rule, channel: Channel) -> None:
    """Refuse a limit that the sensor can never show, and a deadband that could never be left."""
    assert rule.limit is not None
    if rule.kind in (Kind.HIGH, Kind.LOW):
        _check_range(row, channel, rule.limit, "limit")
        back = rule.limit - rule.deadband if rule.kind is Kind.HIGH else rule.limit + rule.deadband
        if channel.valid_range is not None and not channel.valid_range[0] <= back <= channel.valid_range[1]:
            raise row.error("reaches beyond what the sensor can show: the alarm would never clear", "deadband")
        return
    if rule.kind in (Kind.DEVIATION, Kind.DISAGREEMENT) and channel.valid_range is not None:
        span = channel.valid_range[1] - channel.valid_range[0]
        if rule.limit > span:
            raise row.error(f"{channel.name} spans {span:g} {channel.unit} only; expected at most that", "limit")
    if rule.deadband >= rule.limit and rule.kind is not Kind.DAYS_LEFT:
        raise row.error(f"is not smaller than the limit {rule.limit:g}: the alarm would never clear", "deadband")


def _check_range(row: Table, channel: Channel, value: float, key: str) -> None:
    if channel.valid_range is not None and not channel.valid_range[0] <= value <= channel.valid_range[1]:
        low, high = channel.valid_range
        unit = "" if channel.unit == "1" else f" {channel.unit}"
        raise row.error(
            f"{value:g}{unit} is outside the sensor's range; {channel.name} can show {low:g} to {high:g}{unit}", key
        )


def _check_levels(row: Table, rule: Rule, rules: Mapping[str, Rule]) -> None:
    """Refuse a warning that comes after its alarm, and an alarm that comes after its critical level."""
    if rule.limit is None or rule.kind is Kind.STUCK:
        return
    sign = -1.0 if rule.kind in (Kind.LOW, Kind.DAYS_LEFT) else 1.0
    order = list(Level)
    for other in rules.values():
        if other.limit is None or (other.channel, other.kind) != (rule.channel, rule.kind) or other is rule:
            continue
        is_below = order.index(rule.level) < order.index(other.level)
        lower, higher = (rule, other) if is_below else (other, rule)
        if sign * lower.limit > sign * higher.limit:  # type: ignore[operator]
            raise row.error(
                f"the {lower.level} limit {lower.limit:g} lies beyond the {higher.level} limit {higher.limit:g}",
                "limit",
            )


def _said(row: Table, key: str) -> str:
    """Return a text that is not empty: what needs no response is an event, not an alarm (ISA-18.2)."""
    text = row.text(key).strip()
    if not text:
        raise row.error("is empty; say it in one sentence", key)
    return text


def _names(chambers: Sequence[ChamberInfo]) -> str:
    return ", ".join(chamber.id for chamber in chambers)
