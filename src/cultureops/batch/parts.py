"""What the picture of a batch is made of: small records of what has happened to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from cultureops.alarms.state import State
from cultureops.batch.commands.cryo import Place
from cultureops.clock import Instant

__all__ = [
    "DOSES",
    "LABELLED",
    "VIALS",
    "Action",
    "AlarmExposure",
    "Confluence",
    "CountRecord",
    "Deviation",
    "DoseRecord",
    "HeldCount",
    "LabellingRecord",
    "Occupancy",
    "PassageRecord",
    "QcReading",
    "QcSample",
    "RecipeRef",
    "Refusal",
    "Resuspension",
    "ThawRecord",
    "Vessels",
    "VialRecord",
    "VialStatus",
    "WashRecord",
]

VIALS: Final = "-vials"
DOSES: Final = "-doses"
LABELLED: Final = "-labelling"
"""How the names end under which a batch's vials, filled containers and cells being labelled stand in chambers."""

VialStatus: TypeAlias = Literal["stored", "authorised", "in_transfer", "received", "thawed", "discarded"]


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
    """A group of vessels of one passage; ``area_cm2`` is that of one."""

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
    """One look at the cells; a reading of an image that may be far off is ``unsure``."""

    at: Instant
    passage: int
    pct: float
    unsure: bool = False


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
    """An alarm of a chamber while this batch stood in it.

    Figures are the latest: minutes beyond the limit, their excess [unit x min] and minutes unknown, None where nobody
    could tell. ``suppressed`` is the suppression under which its condition came and that nobody has lifted since.
    ``withdrawn_at`` is when the batch proved not to have stood there.
    """

    id: str
    chamber: str
    rule_id: str
    gmp_critical: bool
    raised_at: Instant
    cleared_at: Instant | None
    text: str
    minutes: float | None = None
    degree_minutes: float | None = None
    unknown_minutes: float | None = None
    suppressed: str = ""
    withdrawn_at: Instant | None = None

    @property
    def wants_assessment(self) -> bool:
        """Whether a review must say what it meant: critical, the batch's own, and not explained by design."""
        return self.gmp_critical and self.withdrawn_at is None and not self.is_by_design

    @property
    def is_by_design(self) -> bool:
        """Whether a declared state such as an open door explains it."""
        return self.suppressed == State.SUPPRESSED_BY_DESIGN


@dataclass(frozen=True, slots=True)
class Refusal:
    """A command that was refused."""

    at: Instant
    command: str
    actor_id: str
    message: str


@dataclass(frozen=True, slots=True)
class VialRecord:
    """A vial and how far it has come; ``place`` is None once it has left its cryostore."""

    id: str
    cells: int
    volume_ml: float
    place: Place | None
    status: VialStatus = "stored"


@dataclass(frozen=True, slots=True)
class ThawRecord:
    """What was thawed; ``dmso_pct`` is that of the cryo medium [% v/v]."""

    started_at: Instant
    ended_at: Instant
    cells: int
    volume_ml: float
    dmso_pct: float


@dataclass(frozen=True, slots=True)
class WashRecord:
    """One wash since the last thaw or labelling; volumes in mL, residual DMSO in % v/v."""

    index: int
    at: Instant
    vol_before_ml: float
    vol_added_ml: float
    vol_left_ml: float
    residual_dmso_pct: float


@dataclass(frozen=True, slots=True)
class LabellingRecord:
    """A labelling with iron oxide particles; ``ended_at`` is None while it lasts."""

    started_at: Instant
    ended_at: Instant | None
    suspension_ml: float


@dataclass(frozen=True, slots=True)
class Action:
    """A corrective or preventive action (CAPA); ``is_effective`` is None until somebody has looked."""

    id: str
    action: str
    owner: str
    planned_at: Instant
    due_at: Instant
    checked_at: Instant | None = None
    is_effective: bool | None = None


@dataclass(frozen=True, slots=True)
class Deviation:
    """Something that did not go as the recipe has it, and what became of it.

    One that an alarm ``drafted`` names its rule and every exposure of the batch to it.
    """

    id: str
    kind: str
    severity: str
    subject: str
    description: str
    opened_at: Instant
    due_at: Instant | None
    investigated_at: Instant | None = None
    closed_at: Instant | None = None
    actions: tuple[Action, ...] = ()
    drafted: bool = False
    rule_id: str | None = None
    exposures: tuple[str, ...] = ()
