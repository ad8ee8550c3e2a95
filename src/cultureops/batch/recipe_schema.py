"""What a recipe holds: sections of quantities, each with its unit and bounds, declared once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, TypeAlias

__all__ = [
    "Bounds",
    "Counting",
    "Culture",
    "Dosing",
    "Intake",
    "Isolation",
    "Passage",
    "Qc",
    "Quantity",
    "Recipe",
    "Release",
    "RouteDose",
    "Seeding",
    "Statement",
    "Transport",
]


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number of a recipe in a unit (UCUM code).

    ``origin`` is the paper's section or, for our own default, its reference.
    """

    value: float
    unit: str
    origin: str
    is_default: bool


@dataclass(frozen=True, slots=True)
class Statement:
    """Words of a recipe: one text, or a list."""

    texts: tuple[str, ...]
    origin: str
    is_default: bool

    @property
    def text(self) -> str:
        """The texts in one line."""
        return ", ".join(self.texts)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What an entry must be: its unit, and the range of its value."""

    unit: str
    minimum: float = 0.0
    maximum: float = 1e12
    whole: bool = False


Percent: TypeAlias = Annotated[Quantity, Bounds("%", 0, 100)]
Celsius: TypeAlias = Annotated[Quantity, Bounds("Cel", -200, 100)]
Hours: TypeAlias = Annotated[Quantity, Bounds("h")]
Days: TypeAlias = Annotated[Quantity, Bounds("d")]
Minutes: TypeAlias = Annotated[Quantity, Bounds("min")]
Millilitres: TypeAlias = Annotated[Quantity, Bounds("mL", 0.01, 10_000)]
Cells: TypeAlias = Annotated[Quantity, Bounds("{cells}", 1)]
CellsPerCm2: TypeAlias = Annotated[Quantity, Bounds("{cells}/cm2", 1)]
CellsPerKg: TypeAlias = Annotated[Quantity, Bounds("{cells}/kg", 1)]
Area: TypeAlias = Annotated[Quantity, Bounds("cm2", 0.1)]
Rate: TypeAlias = Annotated[Quantity, Bounds("mL/h", 0.1)]
Endotoxin: TypeAlias = Annotated[Quantity, Bounds("{EU}/kg")]
Count: TypeAlias = Annotated[Quantity, Bounds("1", 0, 50, whole=True)]
Factor: TypeAlias = Annotated[Quantity, Bounds("1", 1, 100)]


@dataclass(frozen=True, slots=True)
class Intake:
    """What arrives."""

    marrow_volume: Millilitres
    marrow_tolerance: Percent
    transit_max: Hours
    receipt_temperature_min: Celsius
    receipt_temperature_max: Celsius


@dataclass(frozen=True, slots=True)
class Isolation:
    """How mononuclear cells are won."""

    method: Statement


@dataclass(frozen=True, slots=True)
class Seeding:
    """The primary culture's start."""

    cells_per_vessel: Cells
    vessel_area: Area
    density: CellsPerCm2
    tolerance: Percent


@dataclass(frozen=True, slots=True)
class Culture:
    """Conditions and medium changes."""

    medium: Statement
    temperature: Celsius
    co2: Percent
    first_medium_change_min: Hours
    first_medium_change_max: Hours
    medium_interval_min: Days
    medium_interval_max: Days
    medium_interval_alarm: Days
    max_gap: Minutes


@dataclass(frozen=True, slots=True)
class Passage:
    """When and how cells are passaged, and how often at most."""

    enzyme: Statement
    confluence: Percent
    confluence_alarm: Percent
    enzyme_concentration: Percent
    reseed_density: CellsPerCm2
    harvest_min: Count
    max: Count
    slowing_warning: Factor


@dataclass(frozen=True, slots=True)
class Counting:
    """What makes counts usable."""

    min_replicates: Count
    max_cv: Percent
    balance_tolerance: Percent


@dataclass(frozen=True, slots=True)
class Qc:
    """Which tests each passage needs, and when sterility cultures are read."""

    per_passage: Statement
    sterility_release_read: Days
    sterility_final_read: Days


@dataclass(frozen=True, slots=True)
class Release:
    """Release limits."""

    positive_markers: Statement
    negative_markers: Statement
    viability_seen_min: Percent
    viability_seen_max: Percent
    viability_min: Percent
    viability_floor: Percent
    count_valid: Hours
    positive_min: Percent
    negative_max: Percent


@dataclass(frozen=True, slots=True)
class Transport:
    """The way to the patient."""

    temperature_min: Celsius
    temperature_max: Celsius
    shelf_life: Hours
    out_of_range_max: Minutes


@dataclass(frozen=True, slots=True)
class RouteDose:
    """One route of administration; ``duration`` and ``rate`` are there only where the process states them."""

    cells_per_kg: CellsPerKg
    volume_min: Millilitres
    volume_max: Millilitres
    endotoxin_max: Endotoxin
    duration: Minutes | None = None
    rate: Rate | None = None


@dataclass(frozen=True, slots=True)
class Dosing:
    """Doses by route, and how close they must come."""

    routes: Mapping[str, RouteDose]
    tolerance: Percent
    weight_age_max: Days


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole process; a batch pins name, version and ``sha256`` of the file's bytes."""

    name: str
    version: int
    title: str
    sha256: str
    intake: Intake
    isolation: Isolation
    seeding: Seeding
    culture: Culture
    passage: Passage
    counting: Counting
    qc: Qc
    release: Release
    transport: Transport
    dose: Dosing

    @property
    def label(self) -> str:
        """Name and version as people read them."""
        return f"{self.name} v{self.version}"
