"""What people and instruments ask of a batch: one command, with the details of one step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from cultureops.batch.field import (
    Cells,
    Celsius,
    Density,
    Details,
    Flag,
    Kilograms,
    Millilitres,
    Minutes,
    Name,
    Part,
    PatientToken,
    Percent,
    SampleName,
    Scans,
    Sha256,
    Text,
    Time,
    Whole,
)
from cultureops.clock import Instant

__all__ = [
    "AcceptCount",
    "Administer",
    "Assessment",
    "ChangeMedium",
    "Close",
    "Command",
    "Correct",
    "Count",
    "CreateBatch",
    "Dose",
    "Formulate",
    "Harvest",
    "HoldCount",
    "Isolate",
    "Move",
    "Note",
    "ObserveConfluence",
    "Passage",
    "QcTest",
    "ReceiveAtSite",
    "ReceiveMarrow",
    "RecordConsent",
    "RecordQcResult",
    "Reject",
    "RejectResultFile",
    "Release",
    "Resuspend",
    "Review",
    "Route",
    "SampleQc",
    "Seed",
    "Ship",
]

Route = Literal["IT", "IV"]
QcTest = Literal["endotoxin", "mycoplasma", "sterility", "identity"]


@dataclass(frozen=True, slots=True)
class Command:
    """One step asked of one batch.

    ``occurred_at`` [ms UTC] is now unless given; a late entry (more than 5 min) needs a ``reason``.
    """

    batch_id: str
    details: Details
    occurred_at: Instant | None = None
    reason: str = ""


class CreateBatch(Details):
    """Open a batch for one patient by one recipe."""

    patient_token: PatientToken
    recipe: Name


class RecordConsent(Details):
    """Record the patient's consent and eligibility."""

    form: Name
    eligible: Flag


class ReceiveMarrow(Details):
    """Take in the marrow; ``donor_markers`` are the results for infections, ``scans`` the two label scans."""

    marrow_ml: Annotated[Millilitres, Field(le=500)]
    collected_at: Time
    anticoagulant: Name
    receipt_temperature_c: Celsius
    donor_markers: Name
    scans: Scans


class Isolate(Details):
    """Win mononuclear cells."""

    method: Name
    reagent_lots: Annotated[tuple[Name, ...], Field(min_length=1)]
    mnc_count: Annotated[Cells, Field(gt=0)]
    viability_pct: Percent


class _Seeding(Details):
    """Cells into vessels, vessels into a chamber; ``area_cm2`` is that of one vessel."""

    vessel_type: Name
    n_vessels: Annotated[Whole, Field(gt=0)]
    area_cm2: Annotated[float, Field(strict=True, gt=0, le=100_000)]
    medium_lot: Name
    chamber: Name


class Seed(_Seeding):
    """Start the primary culture."""

    vessels: Name
    cells_total: Annotated[Cells, Field(gt=0)]


class ChangeMedium(Details):
    """Replace the medium of all vessels of a group."""

    vessels: Name
    volume_ml: Millilitres
    medium_lot: Name
    removed_nonadherent: Flag


class ObserveConfluence(Details):
    """Say how much of the grown area is covered."""

    vessels: Name
    confluence_pct: Percent
    method: Literal["visual", "image"]
    n_fields: Annotated[Whole, Field(gt=0)]
    image_sha256: Sha256 | None = None


class _Figures(Details):
    """One count of one sample; densities in 10^6 cells/mL."""

    sample_id: SampleName
    viability_pct: Percent
    viable_density_1e6_per_ml: Density
    total_density_1e6_per_ml: Density | None = None


class Count(_Figures):
    """Take a cell counter's result as it is; ``counted_at_local`` is the instrument's own time."""

    device: Name
    counted_at_local: Name
    viable_cells: Cells | None = None
    total_cells: Cells | None = None
    average_diameter_um: Annotated[float, Field(strict=True, ge=0, le=1_000)] | None = None
    source_file: Name
    source_sha256: Sha256


class HoldCount(Details):
    """Hold an implausible result for a person; ``raw`` is what the instrument wrote, as text."""

    sample_id: SampleName
    device: Name
    counted_at_local: Name
    source_file: Name
    source_sha256: Sha256
    reasons: Annotated[tuple[Name, ...], Field(min_length=1)]
    raw: dict[str, Text]


class AcceptCount(_Figures):
    """Let a held count count, with the figures a person stands for."""


class RejectResultFile(Details):
    """Record that a result file which names this batch could not be read."""

    source_file: Name
    source_sha256: Sha256
    moved_to: Name
    error: Text


class _Detachment(Details):
    """Cells off the vessels and into suspension; the counts of that suspension say how many there are."""

    vessels: Name
    enzyme: Name
    enzyme_pct: Percent
    exposure_min: Minutes
    suspension_ml: Millilitres


class Passage(_Detachment, _Seeding):
    """Detach the cells and seed them into new vessels."""

    new_vessels: Name
    cells_seeded: Annotated[Cells, Field(gt=0)]


class Harvest(_Detachment):
    """Detach the cells for the product."""


class SampleQc(Details):
    """Take a sample for a test, of a passage or of the product (for endotoxin: of one route's container)."""

    sample_id: SampleName
    test: QcTest
    method: Name
    stage: Literal["passage", "product"]
    route: Route | None = None


class RecordQcResult(Details):
    """Enter a test's result; what is measured is endotoxin [EU/mL], or ``panel`` [%] by marker."""

    sample_id: SampleName
    outcome: Literal["negative", "positive", "measured"]
    final: Flag
    lab: Name
    value_eu_per_ml: Annotated[float, Field(strict=True, ge=0, le=1e6)] | None = None
    panel: dict[str, Percent] = Field(default_factory=dict)


class Resuspend(Details):
    """Take the harvested cells up in the diluent of the product."""

    diluent: Name
    diluent_lot: Name
    volume_ml: Millilitres
    viable_density_1e6_per_ml: Annotated[Density, Field(gt=0)]


class Dose(Part):
    """What one container holds."""

    route: Route
    viable_cells: Annotated[Cells, Field(gt=0)]
    volume_ml: Millilitres
    container: SampleName


class Formulate(Details):
    """Fill the containers, one per route, by the patient's weight."""

    weight_kg: Kilograms
    weighed_at: Time
    doses: Annotated[tuple[Dose, ...], Field(min_length=1, max_length=10)]
    retained_cells: Cells


class Assessment(Part):
    """What an alarm or a gap in the chamber's data meant for the batch."""

    subject: Name
    impact: Name


class Review(Details):
    """Review the whole record: ``assessments`` name every critical alarm and long gap that the batch saw."""

    audit_trail_read: Flag
    assessments: tuple[Assessment, ...] = ()


class Release(Details):
    """Release the product to the patient."""


class Reject(Details):
    """Reject the batch; the reason stands in the command."""


class Ship(Details):
    """Hand the product to the transport."""

    shipper: Name
    logger: Name
    temperature_c: Celsius
    scans: Scans


class ReceiveAtSite(Details):
    """Take the product over at the hospital, with what the logger recorded on the way."""

    temperature_min_c: Celsius
    temperature_max_c: Celsius
    out_of_range_min: Minutes
    scans: Scans


class Administer(Details):
    """Give one dose; ``level`` is where a lumbar puncture goes in, ``scans`` the two bedside scans."""

    route: Route
    container: SampleName
    started_at: Time
    ended_at: Time
    volume_ml: Millilitres
    rate_ml_per_h: Annotated[float, Field(strict=True, gt=0, le=10_000)] | None = None
    level: Name | None = None
    scans: Scans


class Close(Details):
    """Close the record."""


class Move(Details):
    """Carry vessels from the chamber where they stand into another."""

    vessels: Name
    to_chamber: Name


class Note(Details):
    """Say something for the record."""

    text: Annotated[Text, Field(min_length=1)]


class Correct(Details):
    """Correct one field of an earlier event, with a reason; the first value stays on record."""

    event_id: Name
    field: Name
    value: str | bool | int | float
