"""One stimulus for each kind of rule. Pure; raises NoRoom where a limit can't be passed on its channel."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

from cultureops.alarms.rule import Kind, Rule
from cultureops.challenge.room import NoRoom, Room
from cultureops.challenge.stimulus import Stimulus, steady
from cultureops.challenge.trend import DaysWitness, FillWitness, RateWitness, StuckWitness
from cultureops.challenge.witness import LinkWitness, ValueWitness, VoidWitness
from cultureops.clock import DAY_MS, SECOND_MS
from cultureops.device.channel import ChannelId

__all__ = ["STIMULI"]

RATES: Final = (1.5, 1.1)
"""How many times as steep as the limit a ramp is; the gentler where the sensor's range ends too soon."""
OPEN_STATE, SHUT_STATE = 1.0, 0.0
USUAL_FILLS: Final = 3
FILL_POLLS: Final = 4
CONSUMPTIONS: Final = 2.0
"""How many times as much as the limit says is consumed a day."""
REFILL_CALM_S: Final = 1800.0
_DAY_S: Final = DAY_MS / SECOND_MS


def _own(rule: Rule) -> tuple[ChannelId, float]:
    if rule.channel is None or rule.limit is None:
        raise NoRoom(f"a rule of kind {rule.kind} without channel or limit can't be driven")
    return rule.channel, rule.limit


def _reference(rule: Rule) -> ChannelId:
    if rule.reference is None:
        raise NoRoom(f"a rule of kind {rule.kind} without a reference can't be driven")
    return rule.reference


def _has_band(rule: Rule, room: Room, channel: ChannelId) -> bool:
    return rule.deadband >= 2 * room.resolution(channel)


def _void(room: Room, channel: ChannelId) -> Mapping[ChannelId, float]:
    """Return what the instrument can't have measured; nothing where nobody says what that is."""
    low, high = room.bounds(channel)
    if room.is_state(channel) or not math.isfinite(high - low):
        return {}
    return {channel: _impossible(low, high)}


def _impossible(low: float, high: float) -> float:
    return high + 1.0 + 0.1 * (high - low)


def limit(rule: Rule, room: Room) -> Stimulus:
    """Force the value beyond the limit, as near to it as can be shown."""
    channel, bound = _own(rule)
    rest, low_high = room.rest(channel), room.bounds(channel)
    if not low_high[0] <= bound <= low_high[1]:
        raise NoRoom(f"the limit lies outside what the instrument can measure, {low_high[0]:g} to {low_high[1]:g}")
    sign = -1.0 if rule.kind is Kind.LOW else 1.0
    steps = room.steps(rule, channel, bound)
    value, *farther = (min(max(bound + sign * step, low_high[0]), low_high[1]) for step in steps)
    short = () if room.is_state(channel) else [bound - sign * step for step in steps]
    period_s = room.period_s(channel)
    within = {channel: bound - sign * rule.deadband / 2} if _has_band(rule, room, channel) else {}
    return Stimulus(
        rule=rule,
        text=f"{channel} from {room.shown(channel, rest)} to {room.shown(channel, value)} {rule.unit}",
        witness=lambda: ValueWitness(rule, bound, rule.deadband),
        rest={channel: rest},
        drive=steady({channel: value}),
        raise_after_s=rule.on_delay_s,
        clear_after_s=rule.off_delay_s,
        period_s=period_s,
        patience_s=room.patience_s(period_s),
        within=within,
        within_s=rule.off_delay_s + 2 * period_s,
        farther=tuple({channel: one} for one in farther),
        short=tuple({channel: one} for one in short if sign * (one - rest) > 0),
        short_s=rule.on_delay_s + 2 * period_s,
        void=_void(room, channel),
    )


def apart(rule: Rule, room: Room) -> Stimulus:
    """Force the value away from its setpoint, or from its sister probe."""
    channel, bound = _own(rule)
    reference = _reference(rule)
    centre = room.rest(reference)
    rest = room.rest(channel)
    if abs(rest - centre) >= bound - rule.deadband - room.margin(channel):
        rest = centre if _is_clear(room, channel, centre) else rest
        centre = rest
    steps = room.steps(rule, channel, bound)
    toward = math.copysign(1.0, _reachable(room, channel, centre, bound + steps[-1]) - centre)
    value, *farther = (centre + toward * (bound + step) for step in steps)
    short = [centre + toward * (bound - step) for step in steps if 0 < bound - step > toward * (rest - centre)]
    period_s = room.period_s(channel, reference)
    at_centre = {reference: centre}
    is_held = _has_band(rule, room, channel)
    return Stimulus(
        rule=rule,
        text=f"{channel} from {room.shown(channel, rest)} to {room.shown(channel, value)} {rule.unit}, "
        f"{reference} at {room.shown(reference, centre)}",
        witness=lambda: ValueWitness(rule, bound, rule.deadband),
        rest={**at_centre, channel: rest},
        drive=steady({**at_centre, channel: value}),
        raise_after_s=rule.on_delay_s,
        clear_after_s=rule.off_delay_s,
        period_s=period_s,
        patience_s=room.patience_s(period_s),
        rest_s=rule.settle_s + 2 * period_s,
        within={channel: centre + toward * (bound - rule.deadband / 2)} if is_held else {},
        within_s=rule.off_delay_s + 2 * period_s,
        farther=tuple({channel: one} for one in farther),
        short=tuple({channel: one} for one in short),
        short_s=rule.on_delay_s + 2 * period_s,
        void=_void(room, channel),
    )


def _is_clear(room: Room, channel: ChannelId, value: float) -> bool:
    low, high = room.clear(channel)
    return low < value < high


def _reachable(room: Room, channel: ChannelId, centre: float, far: float) -> float:
    """Return the value that far from the centre, up or down: where no limit alarm stands if there is such a one."""
    low, high = room.bounds(channel)
    candidates = [value for value in (centre + far, centre - far) if low <= value <= high]
    if not candidates:
        raise NoRoom(f"{channel} can't show a value {far:g} away from {centre:g}")
    return next((value for value in candidates if _is_clear(room, channel, value)), candidates[0])


def rate(rule: Rule, room: Room) -> Stimulus:
    """Let the value run away, steeper than the limit."""
    channel, bound = _own(rule)
    rest, (low, high), period_s = room.rest(channel), room.bounds(channel), room.period_s(channel)
    lasts_min = (2 * rule.window_s + rule.on_delay_s + 3 * period_s) / 60
    slopes = [sign * share * bound for share in RATES for sign in (1.0, -1.0)]
    slope = next((one for one in slopes if low <= rest + one * lasts_min <= high), None)
    if slope is None:
        raise NoRoom(f"{channel} can't run away for {lasts_min:g} min within what the instrument can measure")
    return Stimulus(
        rule=rule,
        text=f"{channel} from {room.shown(channel, rest)} on by {slope:+g} {rule.unit} a minute",
        witness=lambda: RateWitness(rule),
        rest={channel: rest},
        drive=lambda elapsed_s: {channel: rest + slope * elapsed_s / 60},
        raise_after_s=rule.on_delay_s,
        clear_after_s=rule.off_delay_s,
        period_s=period_s,
        patience_s=room.patience_s(period_s) + 2 * rule.window_s,
        rest_s=rule.window_s + 2 * period_s,
    )


def stuck(rule: Rule, room: Room) -> Stimulus:
    """Hold the value where it is while a door stands open for a moment, or a sister probe moves."""
    channel, least_move = _own(rule)
    reference, move = _reference(rule), rule.reference_limit
    rest, at_rest = room.rest(channel), room.rest(reference)
    flat = _reachable(room, channel, rest, max(3 * least_move, room.margin(channel)))
    period_s = room.period_s(channel, reference)
    away = OPEN_STATE if move is None else _reachable(room, reference, at_rest, 1.5 * move)
    begins_s = rule.window_s / 4
    ends_s = begins_s + room.period_s(reference) if move is None else math.inf

    def course(elapsed_s: float) -> Mapping[ChannelId, float]:
        return {channel: flat, reference: away if begins_s <= elapsed_s < ends_s else at_rest}

    shown = "is opened for a moment" if move is None else f"moves to {room.shown(reference, away)}"
    return Stimulus(
        rule=rule,
        text=f"{channel} held at {room.shown(channel, flat)} {rule.unit} for {rule.window_s:g} s, "
        f"while {reference} {shown}",
        witness=lambda: StuckWitness(rule),
        rest={channel: rest, reference: at_rest},
        drive=course,
        raise_after_s=rule.on_delay_s,
        clear_after_s=rule.off_delay_s,
        period_s=period_s,
        patience_s=room.patience_s(period_s) + 2 * rule.window_s + rule.settle_s,
    )


def opened(rule: Rule, room: Room) -> Stimulus:
    """Show a door or lid open."""
    channel, _ = _own(rule)
    period_s = room.period_s(channel)
    return Stimulus(
        rule=rule,
        text=f"{channel} from shut to open",
        witness=lambda: ValueWitness(rule, OPEN_STATE, 0.5),
        rest={channel: SHUT_STATE},
        drive=steady({channel: OPEN_STATE}),
        raise_after_s=rule.on_delay_s,
        clear_after_s=rule.off_delay_s,
        period_s=period_s,
        patience_s=room.patience_s(period_s),
    )


def days_left(rule: Rule, room: Room) -> Stimulus:
    """Let the level fall so fast that what is left lasts half as long as the limit, then refill it."""
    channel, days = _own(rule)
    left, full = rule.reference_limit or 0.0, room.rest(channel)
    if full <= left + room.margin(channel):
        raise NoRoom(f"{channel} rests at {full:g}, not above what must be left, {left:g}")
    a_day = CONSUMPTIONS * (full - left) / days
    period_s = room.period_s(channel)
    return Stimulus(
        rule=rule,
        text=f"{channel} from {room.shown(channel, full)} down by {a_day:g} a day, {left:g} must be left",
        witness=lambda: DaysWitness(rule),
        rest={channel: full},
        drive=lambda elapsed_s: {channel: max(left, full - a_day * elapsed_s / _DAY_S)},
        raise_after_s=rule.on_delay_s,
        clear_after_s=rule.off_delay_s,
        period_s=period_s,
        patience_s=room.patience_s(period_s) + rule.window_s + REFILL_CALM_S,
        uncertainty_s=max(5 * period_s, rule.window_s / 100),
    )


def fill_time(rule: Rule, room: Room) -> Stimulus:
    """Show three usual fills, then one that does not end."""
    channel, _ = _own(rule)
    period_s = room.period_s(channel)
    usual_s = FILL_POLLS * period_s

    def course(elapsed_s: float) -> Mapping[ChannelId, float]:
        number, into_s = divmod(elapsed_s, 2 * usual_s)
        return {channel: OPEN_STATE if number > USUAL_FILLS or into_s >= usual_s else SHUT_STATE}

    return Stimulus(
        rule=rule,
        text=f"{channel}: {USUAL_FILLS} fills of {usual_s:g} s, then one that does not end",
        witness=lambda: FillWitness(rule),
        rest={channel: SHUT_STATE},
        drive=course,
        raise_after_s=rule.on_delay_s,
        clear_after_s=rule.off_delay_s,
        period_s=period_s,
        patience_s=room.patience_s(period_s) + 2 * (USUAL_FILLS + 1 + (rule.limit or 1.0)) * usual_s,
    )


def no_data(rule: Rule, room: Room) -> Stimulus:
    """Show what the instrument can't have measured; where nobody says what that is, silence it."""
    if rule.channel is None:
        raise NoRoom("a rule without a channel can't be driven")
    channel, rest, period_s = rule.channel, room.rest(rule.channel), room.period_s(rule.channel)
    low, high = room.bounds(channel)
    is_bounded = math.isfinite(high)
    impossible = _impossible(low, high) if is_bounded else rest
    said = f"from {room.shown(channel, rest)} to the impossible {room.shown(channel, impossible)}"
    return Stimulus(
        rule=rule,
        text=f"{channel} {said}" if is_bounded else f"{rule.device} gives no answer",
        witness=lambda: VoidWitness(channel),
        rest={channel: rest},
        drive=steady({channel: impossible}),
        # Counted from the last value, which came a period before the first reading that has none.
        raise_after_s=max(0.0, rule.on_delay_s - period_s),
        clear_after_s=rule.off_delay_s,
        period_s=period_s,
        patience_s=room.patience_s(period_s),
        silences=None if is_bounded else rule.device,
    )


def communication(rule: Rule, room: Room) -> Stimulus:
    """Let the device's wire fall silent."""
    period_s = room.period_s(rule.device)
    return Stimulus(
        rule=rule,
        text=f"{rule.device} gives no answer to {rule.misses} polls in a row",
        witness=lambda: LinkWitness(rule.device),
        rest={},
        drive=steady({}),
        raise_after_s=(rule.misses - 1) * period_s,
        clear_after_s=0.0,
        period_s=period_s,
        patience_s=room.patience_s(period_s),
        silences=rule.device,
    )


STIMULI: Final[Mapping[Kind, Callable[[Rule, Room], Stimulus]]] = {
    Kind.HIGH: limit,
    Kind.LOW: limit,
    Kind.DEVIATION: apart,
    Kind.DISAGREEMENT: apart,
    Kind.RATE: rate,
    Kind.STUCK: stuck,
    Kind.OPEN: opened,
    Kind.DAYS_LEFT: days_left,
    Kind.FILL_TIME: fill_time,
    Kind.NO_DATA: no_data,
    Kind.COMMUNICATION: communication,
}
