"""What a rule judges where that is not the value itself: one module per measure, all by source time.

A measure takes the readings of its rule's channels one by one, each at O(1) amortised, and answers with the number that
the limit is about, or with None where there is nothing new to judge. It decides nothing: deadband, delays and states
are the engine's.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from cultureops.alarms.measure.days_left import DaysLeft
from cultureops.alarms.measure.deviation import Deviation
from cultureops.alarms.measure.disagreement import Disagreement
from cultureops.alarms.measure.fill_time import FillTime
from cultureops.alarms.measure.rate import Rate
from cultureops.alarms.measure.spike import SpikeFilter
from cultureops.alarms.measure.stuck import Stuck
from cultureops.alarms.rule import Kind, Rule
from cultureops.clock import Instant
from cultureops.device.channel import ChannelId

__all__ = ["Bounds", "Measure", "bounds", "measure_of"]

_LOWER_LIMITS = frozenset({Kind.LOW, Kind.DAYS_LEFT})


class Measure(Protocol):
    """The number that a rule's limit is about, followed through the readings of its channels."""

    def take(self, channel: ChannelId, value: float | None, at: Instant) -> float | None:
        """Take a reading of one of the rule's channels (None: BAD) and return the number to judge now.

        None where there is nothing new to judge. ``at`` is the source time [ms UTC].
        """
        ...


class Bounds(NamedTuple):
    """Raise while ``sign * number >= bound``, clear while ``sign * number < release``; both are signed already."""

    sign: float
    bound: float
    release: float


def measure_of(rule: Rule) -> Measure | None:
    """Build the measure of a rule; None where the value itself is judged, or no number at all.

    Raises ValueError for a rule that lacks a channel, limit or reference which its kind needs.
    """
    match rule.kind:
        case Kind.HIGH | Kind.LOW:
            return SpikeFilter(_own(rule), rule.deadband) if rule.spike_filter else None
        case Kind.DEVIATION:
            return Deviation(_own(rule), _reference(rule), rule.settle_s)
        case Kind.DISAGREEMENT:
            return Disagreement(_own(rule), _reference(rule), rule.window_s)
        case Kind.RATE:
            return Rate(_own(rule), rule.window_s, rule.reference, rule.settle_s)
        case Kind.STUCK:
            return Stuck(
                _own(rule), _reference(rule), _limit(rule), rule.reference_limit, rule.window_s, rule.settle_s
            )  # fmt: skip
        case Kind.DAYS_LEFT:
            return DaysLeft(_own(rule), rule.reference_limit or 0.0, rule.window_s)
        case Kind.FILL_TIME:
            return FillTime(_own(rule))
        case Kind.OPEN | Kind.COMMUNICATION | Kind.NO_DATA:
            return None


def bounds(rule: Rule) -> Bounds:
    """Return between which numbers a rule is raised and cleared; a door or lid is open from 1 on.

    Raises ValueError for a kind that judges no number, or a rule without the limit that its kind needs.
    """
    match rule.kind:
        case Kind.COMMUNICATION | Kind.NO_DATA:
            raise ValueError(f"alarm {rule.id}: kind {rule.kind} judges no number")
        case Kind.STUCK | Kind.OPEN:
            return Bounds(1.0, 1.0, 0.5)
        case _:
            sign = -1.0 if rule.kind in _LOWER_LIMITS else 1.0
            bound = sign * _limit(rule)
            return Bounds(sign, bound, bound - rule.deadband)


def _own(rule: Rule) -> ChannelId:
    if rule.channel is None:
        raise ValueError(f"alarm {rule.id}: kind {rule.kind} needs a channel")
    return rule.channel


def _reference(rule: Rule) -> ChannelId:
    if rule.reference is None:
        raise ValueError(f"alarm {rule.id}: kind {rule.kind} needs a reference channel")
    return rule.reference


def _limit(rule: Rule) -> float:
    if rule.limit is None:
        raise ValueError(f"alarm {rule.id}: kind {rule.kind} needs a limit")
    return rule.limit
