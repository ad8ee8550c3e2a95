"""What a batch's own stream is told of an alarm of its chamber: the exposure, and for a critical one a deviation.

The deviation is a draft: a person confirms or grades it anew by investigating it, and closes it. One that nobody has
disposed of takes in what the same alarm does next, so that an alarm that chatters drafts one deviation and not twenty.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from cultureops.alarms.activation import Activation
from cultureops.batch.batch import Batch, stream_of
from cultureops.batch.commands import Severity
from cultureops.batch.events import DeviationExtended, DeviationOpened, data_of
from cultureops.batch.exposure import SYSTEM, alarm_exposure
from cultureops.batch.parts import AlarmExposure, Deviation
from cultureops.batch.state import State
from cultureops.clock import Instant
from cultureops.field import printable
from cultureops.ledger.event import JsonValue, NewEvent, Source
from cultureops.ledger.store import Group
from cultureops.units import label

__all__ = ["EndangeredBatch", "Known", "Phase", "tell"]

Phase: TypeAlias = Literal["raised", "cleared", "withdrawn"]
_PAST_DISPOSAL: Final = frozenset({State.CLOSED, State.REJECTED, State.DESTROYED})
"""Where nobody can, or need, dispose of a deviation any more; the exposure itself is told all the same."""


@dataclass(frozen=True, slots=True)
class EndangeredBatch:
    """A batch and what an alarm's condition has meant for it so far.

    ``minutes`` are those beyond the limit while the batch stood in the chamber, or under any other condition those of
    the condition itself; ``degree_minutes`` is the excess beyond the limit integrated over them [``degree_unit``],
    None where the condition has no such measure; ``unknown_minutes`` are those without a known value, which are in
    neither. Where nobody could tell, figures are None and ``reason`` says why.
    """

    batch_id: str
    minutes: float | None
    degree_minutes: float | None
    unknown_minutes: float | None
    degree_unit: str = ""
    reason: str = ""

    @property
    def as_json(self) -> dict[str, JsonValue]:
        """The row as an event and a page have it."""
        return {
            "batch_id": self.batch_id,
            "minutes": self.minutes,
            "degree_minutes": self.degree_minutes,
            "unknown_minutes": self.unknown_minutes,
            "degree_unit": self.degree_unit,
            "reason": self.reason,
        }

    @property
    def text(self) -> str:
        """The figures as people read them."""
        if self.minutes is None or self.unknown_minutes is None:
            return f"figures not known: {self.reason}"
        code, _, per = self.degree_unit.partition(" ")
        excess = "" if self.degree_minutes is None else f", {self.degree_minutes:.3g} {label(code)} {per}"
        unknown = f", {self.unknown_minutes:.1f} min unknown" if self.unknown_minutes else ""
        return f"{self.minutes:.1f} min{excess}{unknown}"


class Known:
    """What a batch's record knows of alarms, found by their names: for telling it of many at once."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self._told = {one.id: one for one in batch.exposures if one.withdrawn_at is None}
        self._withdrawn = {one.id for one in batch.exposures if one.withdrawn_at is not None}
        self._drafts: dict[str, Deviation] = {}
        self._about: dict[str, list[Deviation]] = {}
        for deviation in batch.deviations:
            if deviation.drafted and deviation.closed_at is None and deviation.rule_id is not None:
                self._drafts.setdefault(deviation.rule_id, deviation)
            for name in dict.fromkeys(deviation.exposures):
                self._about.setdefault(name, []).append(deviation)

    def exposure(self, exposure_id: str) -> AlarmExposure | None:
        """Return what it was told of one activation and not relieved of since."""
        return self._told.get(exposure_id)

    def was_withdrawn(self, exposure_id: str) -> bool:
        """Whether it was told that it had not met one activation after all."""
        return exposure_id in self._withdrawn

    def about(self, exposure_id: str) -> Sequence[Deviation]:
        """Return the deviations about one activation, closed ones too."""
        return self._about.get(exposure_id, ())

    def open_draft(self, rule_id: str) -> Deviation | None:
        """Return the first deviation that an alarm drafted and nobody has closed."""
        return self._drafts.get(rule_id)


def tell(
    known: Known, activation: Activation, phase: Phase, figures: EndangeredBatch, at: Instant, because: str = ""
) -> Group:
    """Return what a batch is told of an activation at ``at`` [ms UTC]: its stream, the events, the version it expects.

    A version is expected only where a deviation that is open now is extended: somebody may close it meanwhile.
    """
    exposed = alarm_exposure(
        rule_id=activation.rule_id,
        chamber=activation.chamber,
        channel=activation.channel,
        kind=activation.kind,
        priority=activation.priority,
        gmp_critical=activation.gmp_critical,
        raised_at=activation.raised_at,
        at=at,
        is_cleared=False,
        text=printable(activation.text, "\n\t")[:2_000],
        phase=phase,
        since=activation.since,
        minutes=figures.minutes,
        degree_minutes=figures.degree_minutes,
        degree_unit=figures.degree_unit,
        unknown_minutes=figures.unknown_minutes,
        figures_reason=printable(figures.reason, "\n\t")[:2_000],
        suppressed=activation.suppressed,
        because=because[:2_000],
    )
    events, version, batch = [exposed], None, known.batch
    if phase != "withdrawn" and _wants_draft(known, activation):
        draft = known.open_draft(activation.rule_id)
        events.append(_opened(known, activation, figures, at) if draft is None else _added(draft, activation, figures))
        version = None if draft is None else batch.version
    return stream_of(batch.id), events, version


def _wants_draft(known: Known, activation: Activation) -> bool:
    if not activation.gmp_critical or activation.is_by_design or known.batch.state in _PAST_DISPOSAL:
        return False
    about_it = known.about(activation.id)
    is_disposed_of = all(deviation.closed_at is not None for deviation in about_it)
    return not about_it or (known.was_withdrawn(activation.id) and is_disposed_of)


def _opened(known: Known, activation: Activation, figures: EndangeredBatch, at: Instant) -> NewEvent:
    earlier = len(known.about(activation.id))
    number = hashlib.sha256(f"{activation.id}#{earlier}".encode()).hexdigest()[:12]
    deviation = DeviationOpened(
        deviation_id=f"{known.batch.id}.ALM-{number}",
        kind="alarm",
        severity=_severity(activation),
        subject=activation.id,
        description=_description(activation, figures),
        drafted=True,
        rule_id=activation.rule_id,
    )
    return NewEvent("deviation_opened", data_of(deviation), SYSTEM, Source.SYSTEM, at)


def _added(known: Deviation, activation: Activation, figures: EndangeredBatch) -> NewEvent:
    extended = DeviationExtended(
        deviation_id=known.id,
        exposure_id=activation.id,
        severity=_severity(activation),
        description=_description(activation, figures),
    )
    return NewEvent("deviation_extended", data_of(extended), SYSTEM, Source.SYSTEM)


def _severity(activation: Activation) -> Severity:
    return "critical" if activation.level == "critical" else "major"


def _description(activation: Activation, figures: EndangeredBatch) -> str:
    hidden = f" while {activation.suppressed}" if activation.suppressed else ""
    said = f"{activation.chamber}: alarm {activation.rule_id}{hidden}, so far {figures.text}"
    return printable(" ".join(f"{said}; {activation.text}".split()))[:2_000]
