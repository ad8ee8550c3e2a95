"""Commands from the suspension to the patient."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cultureops.batch.commands.base import Route
from cultureops.batch.field import (
    Cells,
    Celsius,
    Density,
    Details,
    Flag,
    Hours,
    Kilograms,
    Millilitres,
    Minutes,
    Name,
    Part,
    SampleName,
    Scans,
    Sha256,
    Text,
    Time,
    Whole,
)

__all__ = [
    "Administer",
    "Assessment",
    "Close",
    "Dose",
    "Formulate",
    "ReceiveAtSite",
    "RecordAdverseEvent",
    "Reject",
    "Release",
    "ReleaseConditionally",
    "ReleaseExceptionally",
    "Resuspend",
    "Review",
    "Ship",
]


class Resuspend(Details):
    """Take the harvested or washed cells up in the diluent of the product."""

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
    """Fill the containers, one per route; the weight is needed where the recipe doses by it.

    ``stored_in`` is the chamber that keeps the filled containers within the transport's range, if one does.
    """

    weight_kg: Kilograms | None = None
    weighed_at: Time | None = None
    doses: Annotated[tuple[Dose, ...], Field(min_length=1, max_length=10)]
    retained_cells: Cells
    stored_in: Name | None = None


class Assessment(Part):
    """What an alarm or a gap in the chamber's data meant for the batch."""

    subject: Name
    impact: Name


class Review(Details):
    """Review the whole record: ``assessments`` name every critical alarm and long gap that the batch saw.

    ``version`` is the version of the record that was read; a record that has changed since is read again.
    """

    audit_trail_read: Flag
    version: Whole | None = None
    assessments: tuple[Assessment, ...] = ()


class Release(Details):
    """Release the product to the patient."""


class ReleaseConditionally(Details):
    """Release while the final sterility culture is pending: who is told of a late positive, how and how soon."""

    clinician: Name
    notification_plan: Annotated[Text, Field(min_length=1)]
    notify_within_h: Annotated[Hours, Field(gt=0)]


class ReleaseExceptionally(Details):
    """Release a product that fails the named gates, to avert an immediate significant hazard to the patient."""

    failed_gates: Annotated[tuple[Name, ...], Field(min_length=1, max_length=20)]
    justification: Annotated[Text, Field(min_length=1)]
    physician: Name
    patient_informed: Flag


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
    trace_sha256: Sha256 | None = None
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


class RecordAdverseEvent(Details):
    """Record what happened to the patient after a dose; a serious event opens a deviation. ``grade`` is 1 to 5."""

    term: Name
    grade: Annotated[Whole, Field(ge=1, le=5)]
    onset_at: Time
    seriousness: Literal["serious", "not serious"]


class Close(Details):
    """Close the record."""
