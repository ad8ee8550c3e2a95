"""What a recipe holds: sections of quantities, each with its unit and bounds, declared once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, TypeAlias

__all__ = [
    "Bounds",
    "Conditional",
    "Counting",
    "Culture",
    "Dosing",
    "Freezing",
    "Hold",
    "Intake",
    "Isolation",
    "Labelling",
    "Passage",
    "Qc",
    "Quantity",
    "Recipe",
    "Release",
    "Resuspension",
    "RouteDose",
    "Seeding",
    "Statement",
    "Thawing",
    "Transfer",
    "Transport",
    "Washing",
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


# The bounds are ours. They are no limits of a process: they are so wide that no sane one breaks them, and are there so
# that a slip of the pen can't take a safeguard away (no wash, a sterility culture read at once, cells kept warm).
Percent: TypeAlias = Annotated[Quantity, Bounds("%", 0, 100)]
MajorityPercent: TypeAlias = Annotated[Quantity, Bounds("%", 50, 100)]
MinorityPercent: TypeAlias = Annotated[Quantity, Bounds("%", 0, 50)]
DmsoPercent: TypeAlias = Annotated[Quantity, Bounds("%", 0, 10)]
Celsius: TypeAlias = Annotated[Quantity, Bounds("Cel", -200, 100)]
BodyCelsius: TypeAlias = Annotated[Quantity, Bounds("Cel", 25, 45)]
TransportCelsius: TypeAlias = Annotated[Quantity, Bounds("Cel", 0, 30)]
DryIceCelsius: TypeAlias = Annotated[Quantity, Bounds("Cel", -200, -50)]
StorageCelsius: TypeAlias = Annotated[Quantity, Bounds("Cel", -200, -120)]
Kelvin: TypeAlias = Annotated[Quantity, Bounds("K", 0, 10)]
Hours: TypeAlias = Annotated[Quantity, Bounds("h", 0, 1_000)]
ShelfHours: TypeAlias = Annotated[Quantity, Bounds("h", 0, 168)]
Days: TypeAlias = Annotated[Quantity, Bounds("d", 0, 365)]
CultureReadDays: TypeAlias = Annotated[Quantity, Bounds("d", 1, 30)]
Minutes: TypeAlias = Annotated[Quantity, Bounds("min", 0, 10_080)]
ThawMinutes: TypeAlias = Annotated[Quantity, Bounds("min", 0, 60)]
Millilitres: TypeAlias = Annotated[Quantity, Bounds("mL", 0.01, 10_000)]
Cells: TypeAlias = Annotated[Quantity, Bounds("{cells}", 1)]
CellsPerCm2: TypeAlias = Annotated[Quantity, Bounds("{cells}/cm2", 1)]
CellsPerKg: TypeAlias = Annotated[Quantity, Bounds("{cells}/kg", 1)]
Area: TypeAlias = Annotated[Quantity, Bounds("cm2", 0.1)]
Rate: TypeAlias = Annotated[Quantity, Bounds("mL/h", 0.1)]
Endotoxin: TypeAlias = Annotated[Quantity, Bounds("{EU}/kg", 0, 100)]
Count: TypeAlias = Annotated[Quantity, Bounds("1", 0, 50, whole=True)]
Repeats: TypeAlias = Annotated[Quantity, Bounds("1", 2, 50, whole=True)]
Factor: TypeAlias = Annotated[Quantity, Bounds("1", 1, 100)]
Fraction: TypeAlias = Annotated[Quantity, Bounds("1", 0, 1)]
Density: TypeAlias = Annotated[Quantity, Bounds("10*6/mL", 0.001, 10_000)]
Milligrams: TypeAlias = Annotated[Quantity, Bounds("mg", 0, 1_000)]
CoolingRate: TypeAlias = Annotated[Quantity, Bounds("Cel/min", -200, 0)]


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
    """The primary culture's start; what the process leaves open is not there and is entered freely."""

    tolerance: Percent
    cells_per_vessel: Cells | None = None
    vessel_area: Area | None = None
    density: CellsPerCm2 | None = None


@dataclass(frozen=True, slots=True)
class Culture:
    """Conditions and medium changes."""

    medium: Statement
    temperature: BodyCelsius
    co2: Percent
    first_medium_change_min: Hours
    first_medium_change_max: Hours
    medium_interval_min: Days
    medium_interval_max: Days
    medium_interval_alarm: Days
    max_gap: Minutes
    temperature_tolerance: Kelvin | None = None
    co2_tolerance: Percent | None = None
    duration_min: Days | None = None
    duration_max: Days | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """When and how cells are passaged, and how often at most."""

    confluence: Percent
    confluence_alarm: Percent
    harvest_min: Count
    max: Count
    slowing_warning: Factor
    enzyme: Statement | None = None
    enzyme_concentration: Percent | None = None
    reseed_density: CellsPerCm2 | None = None


@dataclass(frozen=True, slots=True)
class Counting:
    """What makes counts usable."""

    min_replicates: Repeats
    max_cv: MinorityPercent
    balance_tolerance: MinorityPercent


@dataclass(frozen=True, slots=True)
class Qc:
    """Which tests each passage needs, and when sterility cultures are read.

    ``sample_due`` days after ``sample_anchor`` (seeding or freezing) one sterility sample is drawn, where the process
    asks for that instead.
    """

    sterility_release_read: CultureReadDays
    sterility_final_read: CultureReadDays
    per_passage: Statement | None = None
    sample_due: Days | None = None
    sample_anchor: Statement | None = None

    @property
    def passage_tests(self) -> tuple[str, ...]:
        """The tests that each passage needs."""
        return () if self.per_passage is None else self.per_passage.texts


@dataclass(frozen=True, slots=True)
class Freezing:
    """How cells are frozen and kept."""

    dmso: Percent
    medium: Statement
    cooling_rate: CoolingRate
    storage_max: StorageCelsius


@dataclass(frozen=True, slots=True)
class Transfer:
    """The way of frozen vials to the laboratory."""

    condition: Statement
    temperature_max: DryIceCelsius
    duration_max: Hours


@dataclass(frozen=True, slots=True)
class Thawing:
    """How vials are thawed."""

    bath_temperature: BodyCelsius
    bath_tolerance: Kelvin
    duration_max: ThawMinutes


@dataclass(frozen=True, slots=True)
class Washing:
    """How often cells are washed, and how much DMSO may stay behind (an upper bound by dilution)."""

    washes_min: Repeats
    diluent: Statement
    residual_dmso_max: DmsoPercent
    residual_dmso_dose_max: Milligrams
    dilution_min: Factor | None = None
    left_min: Millilitres | None = None


@dataclass(frozen=True, slots=True)
class Labelling:
    """The branch in which cells are labelled with iron oxide particles."""

    agents: Statement
    duration_min: Hours
    duration_max: Hours
    temperature: BodyCelsius


@dataclass(frozen=True, slots=True)
class Resuspension:
    """The density of the suspension that doses are drawn from."""

    density_min: Density
    density_max: Density


@dataclass(frozen=True, slots=True)
class Hold:
    """How long cells may be out of controlled storage, stage by stage and in all."""

    formulation_to_dose_max: Minutes
    total_max: Minutes
    thaw_to_wash_max: Minutes | None = None
    wash_to_formulation_max: Minutes | None = None
    harvest_to_formulation_max: Minutes | None = None
    harvest_to_freeze_max: Minutes | None = None
    receipt_to_thaw_max: Minutes | None = None


@dataclass(frozen=True, slots=True)
class Conditional:
    """What a release asks for while the final sterility culture is pending."""

    notify_within_max: Hours
    negative_to_date_min: Hours | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """Release limits."""

    positive_markers: Statement
    negative_markers: Statement
    viability_seen_min: Percent
    viability_seen_max: Percent
    viability_min: MajorityPercent
    viability_floor: MajorityPercent
    count_valid: ShelfHours
    positive_min: MajorityPercent
    negative_max: MinorityPercent
    positive_alert: Percent | None = None


@dataclass(frozen=True, slots=True)
class Transport:
    """The way to the patient."""

    temperature_min: TransportCelsius
    temperature_max: TransportCelsius
    shelf_life: ShelfHours
    out_of_range_max: Minutes


@dataclass(frozen=True, slots=True)
class RouteDose:
    """One route of administration: by body weight, or a fraction of all cells.

    ``duration`` and ``rate`` are there only where the process states them.
    """

    volume_min: Millilitres
    volume_max: Millilitres
    endotoxin_max: Endotoxin
    cells_per_kg: CellsPerKg | None = None
    fraction: Fraction | None = None
    duration: Minutes | None = None
    rate: Rate | None = None


@dataclass(frozen=True, slots=True)
class Dosing:
    """Doses by route, and how close they must come."""

    routes: Mapping[str, RouteDose]
    tolerance: MinorityPercent
    weight_age_max: Days
    fraction_tolerance: Fraction | None = None

    @property
    def is_by_weight(self) -> bool:
        """Whether any dose goes by the patient's weight."""
        return any(route.cells_per_kg is not None for route in self.routes.values())


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole process; a batch pins name, version and ``sha256`` of the file's ``text``.

    Sections that a process does not have are None: one that freezes its cells has all from ``freezing`` to
    ``washing``, with or without the ``labelling`` branch.
    """

    name: str
    version: int
    title: str
    sha256: str
    text: str
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
    freezing: Freezing | None = None
    transfer: Transfer | None = None
    thawing: Thawing | None = None
    washing: Washing | None = None
    labelling: Labelling | None = None
    resuspension: Resuspension | None = None
    hold: Hold | None = None
    conditional: Conditional | None = None

    @property
    def is_frozen(self) -> bool:
        """Whether the product is frozen, thawed and washed on its way."""
        return self.freezing is not None

    @property
    def label(self) -> str:
        """Name and version as people read them."""
        return f"{self.name} v{self.version}"
