"""A batch as it stands: the fold of its events."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from cultureops.access.name import same_person
from cultureops.batch.field import BATCH_ID
from cultureops.batch.parts import (
    AlarmExposure,
    Confluence,
    CountRecord,
    Deviation,
    DoseRecord,
    HeldCount,
    LabellingRecord,
    Occupancy,
    PassageRecord,
    QcSample,
    RecipeRef,
    Refusal,
    Resuspension,
    ThawRecord,
    Vessels,
    VialRecord,
    VialStatus,
    WashRecord,
)
from cultureops.batch.state import State
from cultureops.clock import DAY_MS, Instant
from cultureops.errors import BatchError
from cultureops.ledger.event import Event

__all__ = ["Batch", "batch_of", "stream_of"]

_PREFIX: Final = "batch:"
_ID: Final = re.compile(BATCH_ID)


@dataclass(frozen=True)
class Batch:
    """Everything known about one batch.

    ``since`` is when state, passage or chamber changed last; ``version`` that of the stream,
    ``changed_version`` that of the last event a review must cover; ``history`` are the events, oldest first.
    """

    id: str
    patient_token: str
    recipe: RecipeRef
    state: State
    version: int
    created_at: Instant
    since: Instant
    history: tuple[Event, ...] = ()
    is_eligible: bool = False
    collected_at: Instant | None = None
    label_arm: bool = False
    passage: int | None = None
    culture_started_at: Instant | None = None
    passage_started_at: Instant | None = None
    seeded_cells: int | None = None
    mnc_count: int | None = None
    groups: tuple[Vessels, ...] = ()
    medium_changed_at: Instant | None = None
    occupancies: tuple[Occupancy, ...] = ()
    confluences: tuple[Confluence, ...] = ()
    counts: tuple[CountRecord, ...] = ()
    held_counts: tuple[HeldCount, ...] = ()
    passages: tuple[PassageRecord, ...] = ()
    cumulative_population_doublings: float = 0.0
    qc: tuple[QcSample, ...] = ()
    frozen_at: Instant | None = None
    dmso_pct: float | None = None
    vials: tuple[VialRecord, ...] = ()
    transferred_out_at: Instant | None = None
    transfer_logger: str = ""
    received_lab_at: Instant | None = None
    thaw: ThawRecord | None = None
    first_washed_at: Instant | None = None
    washes: tuple[WashRecord, ...] = ()
    labelling: LabellingRecord | None = None
    residual_dmso_pct: float | None = None
    resuspension: Resuspension | None = None
    formulated_at: Instant | None = None
    is_stored: bool = False
    shipped_at: Instant | None = None
    arrived_at: Instant | None = None
    out_of_range_min: float = 0.0
    weight_kg: float | None = None
    doses: tuple[DoseRecord, ...] = ()
    exposures: tuple[AlarmExposure, ...] = ()
    assessed: frozenset[str] = frozenset()
    reviewed_version: int | None = None
    changed_version: int = 0
    operators: frozenset[str] = frozenset()
    reviewers: frozenset[str] = frozenset()
    released_by: str | None = None
    is_conditional: bool = False
    excepted_gates: frozenset[str] = frozenset()
    deviations: tuple[Deviation, ...] = ()
    held_from: State | None = None
    refusals: tuple[Refusal, ...] = ()
    ended_at: Instant | None = None

    def changed(self, **fields: Any) -> Batch:
        """Return this batch with other values in some fields; what ``replace`` does, at a tenth of its time."""
        after = object.__new__(Batch)
        after.__dict__.update(self.__dict__, **fields)
        assert len(after.__dict__) == len(self.__dict__), f"a batch has no field of {', '.join(fields)}"
        return after

    @property
    def stage(self) -> str:
        """State with passage or number of washes as people read it, e.g. ``CULTURE(P1)``, ``WASHED(2)``."""
        if self.state is State.CULTURE:
            return f"{self.state}(P{self.passage})"
        if self.state is State.WASHED:
            return f"{self.state}({len(self.washes)})"
        return f"{self.state} from {self.held_from}" if self.held_from is not None else str(self.state)

    @property
    def vessels(self) -> Vessels | None:
        """The only group of vessels in culture; None when there is none or when they are split."""
        return self.groups[0] if len(self.groups) == 1 else None

    @property
    def chamber(self) -> str | None:
        """Where the batch came to stand last, if it still stands there."""
        return next((stay.chamber for stay in reversed(self.occupancies) if stay.taken is None), None)

    @property
    def harvest(self) -> PassageRecord | None:
        """The passage whose cells became the product."""
        return self.passages[-1] if self.passages and not self.groups else None

    @property
    def open_deviations(self) -> tuple[Deviation, ...]:
        """The deviations that nobody has closed."""
        return tuple(deviation for deviation in self.deviations if deviation.closed_at is None)

    def was_handled_by(self, person: str) -> bool:
        """Whether a person, however the name is typed, had a hand in this batch."""
        return any(same_person(person, other) for other in self.operators)

    def was_reviewed_by(self, person: str) -> bool:
        """Whether a person, however the name is typed, has reviewed this batch."""
        return any(same_person(person, other) for other in self.reviewers)

    def chamber_of(self, vessels: str) -> str | None:
        """Where one group of vessels stands now."""
        return next((s.chamber for s in reversed(self.occupancies) if s.vessels == vessels and s.taken is None), None)

    def vials_in(self, *statuses: VialStatus) -> tuple[VialRecord, ...]:
        """The vials that have come so far."""
        return tuple(vial for vial in self.vials if vial.status in statuses)

    def confluence(self) -> Confluence | None:
        """The latest look at the present passage that may be relied on."""
        looks = (seen for seen in reversed(self.confluences) if seen.passage == self.passage and not seen.unsure)
        return next(looks, None)

    def counts_of(self, stage: str, passage: int | None, since: Instant = 0) -> tuple[CountRecord, ...]:
        """The counts of one stage and passage, taken from ``since`` on."""
        return tuple(
            count for count in self.counts if count.stage == stage and count.passage == passage and count.at >= since
        )

    def days(self, now: Instant) -> float:
        """Days since the batch was opened, until now or until it ended."""
        return (min(now, self.ended_at if self.ended_at is not None else now) - self.created_at) / DAY_MS


def stream_of(batch_id: str) -> str:
    """Return the ledger stream of a batch; raise BatchError for what can't be a batch's id."""
    if not _ID.fullmatch(batch_id):
        raise BatchError(f"{batch_id[:60]!r} is no batch id; use 1 to 40 letters, digits, '-' and '_'")
    return _PREFIX + batch_id


def batch_of(stream: str) -> str | None:
    """Return the batch whose stream this is, None for any other stream."""
    batch_id = stream.removeprefix(_PREFIX)
    return batch_id if stream.startswith(_PREFIX) and _ID.fullmatch(batch_id) else None
