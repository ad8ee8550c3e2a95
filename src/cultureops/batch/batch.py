"""A batch as it stands: the fold of its events."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cultureops.batch.field import BATCH_ID
from cultureops.clock import DAY_MS, Instant
from cultureops.errors import BatchError
from cultureops.ledger.event import Event

__all__ = [
    "AlarmExposure",
    "Batch",
    "Confluence",
    "CountRecord",
    "DoseRecord",
    "HeldCount",
    "Occupancy",
    "PassageRecord",
    "QcReading",
    "QcSample",
    "RecipeRef",
    "Refusal",
    "Resuspension",
    "State",
    "Vessels",
    "batch_of",
    "stream_of",
]

_PREFIX: Final = "batch:"
_ID: Final = re.compile(BATCH_ID)


class State(StrEnum):
    """Where a batch is; the freeze-thaw states of other processes join between HARVESTED and RESUSPENDED."""

    CREATED = "CREATED"
    RECEIVED = "RECEIVED"
    ISOLATED = "ISOLATED"
    CULTURE = "CULTURE"
    HARVESTED = "HARVESTED"
    RESUSPENDED = "RESUSPENDED"
    FORMULATED = "FORMULATED"
    REVIEWED = "REVIEWED"
    RELEASED = "RELEASED"
    SHIPPED = "SHIPPED"
    RECEIVED_AT_SITE = "RECEIVED_AT_SITE"
    ADMINISTERED = "ADMINISTERED"
    CLOSED = "CLOSED"
    REJECTED = "REJECTED"

    @property
    def step(self) -> int:
        """The place of the state in the process, from 0: what the channel ``step`` shows."""
        return list(State).index(self)


@dataclass(frozen=True, slots=True)
class RecipeRef:
    """The recipe a batch keeps to."""

    name: str
    version: int
    sha256: str

    @property
    def label(self) -> str:
        """Name and version as people read them."""
        return f"{self.name} v{self.version}"


@dataclass(frozen=True, slots=True)
class Vessels:
    """The vessels of one passage; ``area_cm2`` is that of one."""

    id: str
    vessel_type: str
    n_vessels: int
    area_cm2: float


@dataclass(frozen=True, slots=True)
class Occupancy:
    """Vessels stood in a chamber from ``placed`` until ``taken`` (None: they still do)."""

    vessels: str
    chamber: str
    placed: Instant
    taken: Instant | None = None


@dataclass(frozen=True, slots=True)
class Confluence:
    """One look at the cells."""

    at: Instant
    passage: int
    pct: float


@dataclass(frozen=True, slots=True)
class CountRecord:
    """One count that counts; density in 10^6 cells/mL."""

    sample_id: str
    at: Instant
    passage: int | None
    stage: str
    replicate: int
    viability_pct: float
    viable_density_1e6_per_ml: float
    device: str


@dataclass(frozen=True, slots=True)
class HeldCount:
    """A count that waits for a person."""

    sample_id: str
    at: Instant
    device: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PassageRecord:
    """What grew in one passage, from seeding to detachment; undefined figures are None."""

    passage: int
    seeded_at: Instant
    detached_at: Instant
    seeded_cells: int
    harvested_viable_cells: int
    viability_pct: float
    population_doublings: float | None
    doubling_time_h: float | None
    sample_id: str


@dataclass(frozen=True, slots=True)
class QcReading:
    """One reading of a test; a later one never replaces the first."""

    at: Instant
    outcome: str
    final: bool
    value_eu_per_ml: float | None
    panel: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class QcSample:
    """A sample and what was read from it."""

    sample_id: str
    test: str
    passage: int
    stage: str
    route: str | None
    taken_at: Instant
    readings: tuple[QcReading, ...] = ()


@dataclass(frozen=True, slots=True)
class Resuspension:
    """The product's suspension."""

    at: Instant
    viable_cells: int
    volume_ml: float
    expires_at: Instant


@dataclass(frozen=True, slots=True)
class DoseRecord:
    """One container, and when it was given."""

    route: str
    viable_cells: int
    volume_ml: float
    container: str
    given_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class AlarmExposure:
    """An alarm of a chamber while this batch stood in it."""

    id: str
    chamber: str
    rule_id: str
    gmp_critical: bool
    raised_at: Instant
    cleared_at: Instant | None
    text: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A command that was refused."""

    at: Instant
    command: str
    actor_id: str
    message: str


@dataclass(frozen=True, slots=True)
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
    passage: int | None = None
    culture_started_at: Instant | None = None
    passage_started_at: Instant | None = None
    seeded_cells: int | None = None
    mnc_count: int | None = None
    vessels: Vessels | None = None
    medium_changed_at: Instant | None = None
    occupancies: tuple[Occupancy, ...] = ()
    confluences: tuple[Confluence, ...] = ()
    counts: tuple[CountRecord, ...] = ()
    held_counts: tuple[HeldCount, ...] = ()
    passages: tuple[PassageRecord, ...] = ()
    cumulative_population_doublings: float = 0.0
    qc: tuple[QcSample, ...] = ()
    resuspension: Resuspension | None = None
    weight_kg: float | None = None
    doses: tuple[DoseRecord, ...] = ()
    exposures: tuple[AlarmExposure, ...] = ()
    assessed: frozenset[str] = frozenset()
    reviewed_version: int | None = None
    changed_version: int = 0
    operators: frozenset[str] = frozenset()
    reviewers: frozenset[str] = frozenset()
    released_by: str | None = None
    refusals: tuple[Refusal, ...] = ()
    ended_at: Instant | None = None

    @property
    def stage(self) -> str:
        """State with passage as people read it, e.g. ``CULTURE(P1)``."""
        return f"{self.state}(P{self.passage})" if self.state is State.CULTURE else str(self.state)

    @property
    def chamber(self) -> str | None:
        """Where the vessels stand now."""
        last = self.occupancies[-1] if self.occupancies else None
        return last.chamber if last is not None and last.taken is None else None

    @property
    def harvest(self) -> PassageRecord | None:
        """The passage whose cells became the product."""
        return self.passages[-1] if self.passages and self.vessels is None else None

    def confluence(self) -> Confluence | None:
        """The latest look at the present passage."""
        return next((seen for seen in reversed(self.confluences) if seen.passage == self.passage), None)

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
