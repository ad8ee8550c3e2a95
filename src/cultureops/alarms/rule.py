"""What is watched: one frozen rule per alarm, and the words that rules are made of.

``rule_rows`` reads them from the site file; process alarms of a batch come from its recipe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from cultureops.clock import Instant
from cultureops.device.channel import Channel, ChannelId

__all__ = [
    "PLACE_PREFIX",
    "AlarmClass",
    "BatchRef",
    "ChamberId",
    "ChamberInfo",
    "Exposure",
    "Kind",
    "Level",
    "Priority",
    "Rule",
    "RulesInForce",
    "Suppressor",
    "WhenEmpty",
]

ChamberId: TypeAlias = str
BatchRef: TypeAlias = str
Exposure: TypeAlias = Callable[[ChamberId, Instant, Instant], tuple[BatchRef, ...]]
"""``exposed(chamber, start, end)``: the batches that stood in the chamber meanwhile [ms UTC]."""


class Priority(StrEnum):
    """How soon somebody must act: a function of the consequence and the time there is to respond."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Level(StrEnum):
    """How far gone a condition is."""

    WARNING = "warning"
    ALARM = "alarm"
    CRITICAL = "critical"


class AlarmClass(StrEnum):
    """What an alarm speaks of; alarms of one class are handled, reviewed and counted alike."""

    ENVIRONMENT = "environment"
    INSTRUMENT = "instrument"
    PROCESS = "process"
    SYSTEM = "system"


class Kind(StrEnum):
    """What condition a rule watches for; ``limit`` is in the channel's unit unless it says otherwise.

    HIGH: the value is at or above the limit. LOW: at or below it. DEVIATION: the value is at least the limit away from
    the setpoint. RATE: it changes at least by the limit a minute. STUCK: it moves less than the limit although it
    should move. DISAGREEMENT: two probes differ at least by the limit. OPEN: a door or lid stands open. DAYS_LEFT: what
    is left lasts at most the limit [days]. FILL_TIME: a fill takes at least the limit times the median of the fills
    before it. COMMUNICATION: ``misses`` polls in a row brought nothing. NO_DATA: a channel gave no usable value for the
    on-delay.
    """

    HIGH = "high"
    LOW = "low"
    DEVIATION = "deviation"
    RATE = "rate"
    STUCK = "stuck"
    DISAGREEMENT = "disagreement"
    OPEN = "open"
    DAYS_LEFT = "days_left"
    FILL_TIME = "fill_time"
    COMMUNICATION = "communication"
    NO_DATA = "no_data"


class WhenEmpty(StrEnum):
    """What becomes of an alarm of a chamber in which no batch stands: told as ever, as a low one, or by nobody."""

    ANNOUNCE = "announce"
    DOWNGRADE = "downgrade"
    SUPPRESS = "suppress"


@dataclass(frozen=True, slots=True)
class Suppressor:
    """A state that explains a condition, such as an open door: while it lasts the alarm is suppressed by design.

    Suppression ends ``recovery_s`` after the state, and in any case ``max_s`` after it began (None: with the state
    alone). ``is_on_at_zero`` turns the state around, e.g. for a chamber that is not occupied.
    """

    channel: ChannelId
    recovery_s: float
    max_s: float | None
    is_on_at_zero: bool = False


PLACE_PREFIX: Final = "gateway/"
"""Before the name of a gateway, where a rule is about all of its chambers."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One alarm: of one channel, of one device for loss of communication, or of one batch's process.

    ``limit`` as its Kind says, ``deadband`` in the same unit; ``unit`` is a UCUM code. ``reference`` is the setpoint
    (DEVIATION), the sister probe (DISAGREEMENT) or the door or sister that shows whether it should move (STUCK), which
    counts as moving from ``reference_limit`` on; for DAYS_LEFT that is the level that must be left. ``window_s`` is
    what RATE, STUCK and DAYS_LEFT look back on, ``settle_s`` what DEVIATION and STUCK leave for a response.
    COMMUNICATION also counts as lost after ``silence_s`` without any poll, missed or not (0: never).
    ``realarm_s`` 0 never re-alarms. ``respond_within_s`` is the time there is to respond.
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
    level: Level = Level.ALARM
    alarm_class: AlarmClass = AlarmClass.ENVIRONMENT
    cause: str = ""
    respond_within_s: float = 1800.0
    latching: bool = False
    realarm_s: float = 0.0
    reference: ChannelId | None = None
    reference_limit: float | None = None
    window_s: float = 0.0
    settle_s: float = 0.0
    spike_filter: bool = False
    suppressors: tuple[Suppressor, ...] = ()
    when_empty: WhenEmpty = WhenEmpty.ANNOUNCE
    shelve_max_s: float = 3600.0
    group: str = ""
    batch: BatchRef | None = None
    silence_s: float = 0.0

    @property
    def channels(self) -> tuple[ChannelId, ...]:
        """The channels whose readings it looks at, its own first."""
        both = (self.channel, self.reference)
        return tuple(channel for channel in both if channel is not None)

    def reached(self, exposed: Exposure, start: Instant, end: Instant) -> tuple[BatchRef, ...]:
        """Return the batches that its alarm concerns: its own, or those that stood in its chamber meanwhile."""
        return (self.batch,) if self.batch is not None else exposed(self.chamber, start, end)


@dataclass(frozen=True, slots=True)
class RulesInForce:
    """The rules of a site from ``since`` on [ms UTC; None: from the beginning], until others took their place.

    ``rules`` is None where today's channels can't be matched with them any more.
    """

    since: Instant | None
    rules: tuple[Rule, ...] | None


@dataclass(frozen=True, slots=True)
class ChamberInfo:
    """What rules need to know of a chamber: its devices' channels by name, and how often each device is asked [s]."""

    id: ChamberId
    class_: str
    devices: Mapping[str, Mapping[str, Channel]]
    periods_s: Mapping[str, float] = field(default_factory=dict)
