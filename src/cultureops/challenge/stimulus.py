"""What is done to one alarm, and what must come of it; frozen data that the plan makes and a trial carries out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from cultureops.alarms.rule import Rule
from cultureops.challenge.witness import Witness
from cultureops.device.channel import ChannelId

__all__ = ["TOLERANCE_S", "Course", "Drill", "Excused", "Stimulus", "Verdict", "Why", "steady"]

TOLERANCE_S: Final = 1.0
"""What detection may take beyond poll period and delay [s]."""

Course: TypeAlias = Callable[[float], Mapping[ChannelId, float]]
"""``course(elapsed_s)``: what the channels are made to show that long after the drive began."""


def steady(values: Mapping[ChannelId, float]) -> Course:
    """Return the course that shows the same values all the time."""
    return lambda _elapsed_s: values


class Drill(StrEnum):
    """What is shown of an alarm beside that it comes and goes."""

    JUST_INSIDE = "just inside"
    TWICE = "twice"
    BAD_READING = "bad reading"
    REALARM = "re-alarm"
    SHELVING = "shelving"
    DOOR_WINDOW = "door window"


class Verdict(StrEnum):
    """How a challenge ended."""

    PASS = "pass"
    FAIL = "fail"
    NOT_CHALLENGED = "not challenged"
    BY_INSPECTION = "by inspection"


class Why(StrEnum):
    """Why an alarm was not driven."""

    NO_SIMULATOR = "no simulator"
    BY_INSPECTION = "by inspection"
    NOT_POSSIBLE = "can't be driven"


@dataclass(frozen=True, slots=True)
class Excused:
    """An alarm that is not driven: listed with the reason, never left out."""

    rule: Rule
    why: Why
    reason: str

    @property
    def verdict(self) -> Verdict:
        """How it is listed."""
        return Verdict.BY_INSPECTION if self.why is Why.BY_INSPECTION else Verdict.NOT_CHALLENGED


@dataclass(frozen=True, slots=True)
class Stimulus:
    """One alarm's challenge.

    ``rest`` is shown for ``rest_s`` before and again after; ``drive`` is what is shown to raise it, or ``silences``
    the device whose wire falls silent. ``within`` lies inside the limit but not beyond the deadband: shown for
    ``within_s`` while the alarm stands, it must not clear it. ``raise_after_s`` and ``clear_after_s`` count from the
    first reading that ``witness`` finds beyond the limit, or back inside; both may take ``period_s`` + TOLERANCE_S
    longer, and both may come ``uncertainty_s`` earlier or later where the condition is an estimate over many readings.
    ``farther`` is shown in turn where no reading shows what was driven: an instrument that resolves less than its
    channel is stored with. ``short`` are values just inside the limit, each farther than the one before it: the first
    that no reading shows as beyond is held for ``short_s`` before the drive, and must not raise it. ``void`` is what
    the instrument can't have measured; ``drills`` are done once the alarm has come and gone.
    ``is_told_at_once``: somebody is to be told as soon as it is raised. ``patience_s`` is how long it may take until a
    reading shows the condition, or its end.
    """

    rule: Rule
    text: str
    witness: Callable[[], Witness]
    rest: Mapping[ChannelId, float]
    drive: Course
    raise_after_s: float
    clear_after_s: float
    period_s: float
    patience_s: float
    rest_s: float = 0.0
    uncertainty_s: float = 0.0
    silences: str | None = None
    within: Mapping[ChannelId, float] = field(default_factory=dict)
    within_s: float = 0.0
    farther: tuple[Mapping[ChannelId, float], ...] = ()
    short: tuple[Mapping[ChannelId, float], ...] = ()
    short_s: float = 0.0
    void: Mapping[ChannelId, float] = field(default_factory=dict)
    drills: frozenset[Drill] = frozenset()
    is_told_at_once: bool = False

    @property
    def raise_within_s(self) -> tuple[float, float]:
        """How soon and how late it may be raised after the first reading that shows its condition [s]."""
        return self._within(self.raise_after_s)

    @property
    def clear_within_s(self) -> tuple[float, float]:
        """How soon and how late it may be cleared after the first reading that shows the return [s]."""
        return self._within(self.clear_after_s)

    def _within(self, after_s: float) -> tuple[float, float]:
        return after_s - self.uncertainty_s, after_s + self.period_s + TOLERANCE_S + self.uncertainty_s
