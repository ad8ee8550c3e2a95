"""What a decision may look at besides the batch itself: one frozen picture of the lab at one instant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cultureops.access.signature import Signature
from cultureops.batch.recipe_schema import Recipe
from cultureops.clock import Instant, iso
from cultureops.ledger.event import Actor

__all__ = ["EquipmentFact", "Facts", "LotFact", "OpenAlarm", "TelemetryGap"]


@dataclass(frozen=True, slots=True)
class OpenAlarm:
    """An alarm that is not back to normal."""

    rule_id: str
    chamber: str
    gmp_critical: bool
    raised_at: Instant


@dataclass(frozen=True, slots=True)
class TelemetryGap:
    """A stretch without a usable value of one channel of a chamber."""

    chamber: str
    channel: str
    start: Instant
    end: Instant
    reason: str

    @property
    def id(self) -> str:
        """How an assessment names this gap; one that has grown since is another."""
        return f"{self.channel}@{iso(self.start)}/{iso(self.end)}"


@dataclass(frozen=True, slots=True)
class EquipmentFact:
    """Whether a chamber or device may be used; without a calibration on record ``calibrated_until`` is None.

    ``kind`` is a chamber's class, empty where nobody says.
    """

    in_service: bool
    calibrated_until: Instant | None
    kind: str = ""


@dataclass(frozen=True, slots=True)
class LotFact:
    """What is known of a lot of material; ``status`` is quarantined, released, expired, recalled or rejected."""

    status: str
    expires_at: Instant | None


@dataclass(frozen=True, slots=True)
class Facts:
    """The lab at ``now`` [ms UTC]; ``equipment`` is by chamber id and by device id, ``lots`` by lot id.

    ``telemetry_gaps`` are those of the chambers in which the batch has stood, while it stood there. ``signatures`` are
    those that came with the command.
    """

    now: Instant
    actor: Actor
    recipe: Recipe
    witness: Actor | None = None
    open_alarms: tuple[OpenAlarm, ...] = ()
    telemetry_gaps: tuple[TelemetryGap, ...] = ()
    equipment: Mapping[str, EquipmentFact] = field(default_factory=dict)
    lots: Mapping[str, LotFact] = field(default_factory=dict)
    signatures: tuple[Signature, ...] = ()
