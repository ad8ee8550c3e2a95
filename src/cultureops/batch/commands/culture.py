"""Commands from the consent to the harvest."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cultureops.batch.commands.base import SeedingDetails
from cultureops.batch.field import (
    Cells,
    Celsius,
    Details,
    Flag,
    Millilitres,
    Minutes,
    Name,
    Part,
    PatientToken,
    Percent,
    Scans,
    Sha256,
    Text,
    Time,
    Whole,
)

__all__ = [
    "ChangeMedium",
    "CreateBatch",
    "Discard",
    "Harvest",
    "ImageEvidence",
    "Isolate",
    "Move",
    "ObserveConfluence",
    "Passage",
    "Pool",
    "ReceiveMarrow",
    "RecordConsent",
    "Seed",
    "Share",
    "Split",
]


class CreateBatch(Details):
    """Open a batch for one patient by one recipe."""

    patient_token: PatientToken
    recipe: Name


class RecordConsent(Details):
    """Record the patient's consent and eligibility, and whether the cells are to be labelled with iron."""

    form: Name
    eligible: Flag
    label_arm: Flag = False


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


class Seed(SeedingDetails):
    """Start the primary culture; ``discarded_cells`` are those that went into no vessel."""

    vessels: Name
    cells_total: Annotated[Cells, Field(gt=0)]
    discarded_cells: Cells = 0


class ChangeMedium(Details):
    """Replace the medium of all vessels of a group."""

    vessels: Name
    volume_ml: Millilitres
    medium_lot: Name
    removed_nonadherent: Flag


class ImageEvidence(Part):
    """How a confluence was read from an image: interval [%], method with its parameters, the image's SHA-256."""

    image_sha256: Sha256
    method: Name
    parameters: dict[str, float | int | str]
    low_pct: Percent
    high_pct: Percent
    unsure: Flag
    reason: Text = ""


class ObserveConfluence(Details):
    """Say how much of the grown area is covered; an image's reading carries its ``evidence``."""

    vessels: Name
    confluence_pct: Percent
    method: Literal["visual", "image"]
    n_fields: Annotated[Whole, Field(gt=0)]
    image_sha256: Sha256 | None = None
    evidence: tuple[ImageEvidence, ...] = ()


class _Detachment(Details):
    """Cells off the vessels and into suspension; the counts of that suspension say how many there are."""

    vessels: Name
    enzyme: Name
    enzyme_pct: Percent
    exposure_min: Minutes
    suspension_ml: Millilitres
    enzyme_lot: Name | None = None


class Passage(_Detachment, SeedingDetails):
    """Detach the cells and seed them into new vessels; ``discarded_cells`` are those that were not seeded."""

    new_vessels: Name
    cells_seeded: Annotated[Cells, Field(gt=0)]
    discarded_cells: Cells = 0


class Harvest(_Detachment):
    """Detach the cells for the product."""


class Move(Details):
    """Carry vessels from the chamber where they stand into another, or into a room."""

    vessels: Name
    to_chamber: Name


class Share(Part):
    """One part of a split group."""

    vessels: Name
    n_vessels: Annotated[Whole, Field(gt=0)]


class Split(Details):
    """Divide a group of vessels into groups of their own; no cell is detached."""

    vessels: Name
    into: Annotated[tuple[Share, ...], Field(min_length=2, max_length=100)]


class Pool(Details):
    """Make one group of several groups of one passage and one kind of vessel that stand in one chamber."""

    vessels: Annotated[tuple[Name, ...], Field(min_length=2, max_length=100)]
    into: Name


class Discard(Details):
    """Throw vessels away, with a reason and a second person."""

    vessels: Name
    n_vessels: Annotated[Whole, Field(gt=0)]
