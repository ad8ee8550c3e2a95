"""What all commands share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from cultureops.batch.field import Details, Name, Whole
from cultureops.clock import Instant

__all__ = ["Command", "QcTest", "Route", "SeedingDetails"]

Route = Literal["IT", "IV"]
QcTest = Literal["endotoxin", "mycoplasma", "sterility", "identity", "gram"]


@dataclass(frozen=True, slots=True)
class Command:
    """One step asked of one batch.

    ``occurred_at`` [ms UTC] is now unless given; a late entry (more than 5 min) needs a ``reason``.
    """

    batch_id: str
    details: Details
    occurred_at: Instant | None = None
    reason: str = ""


class SeedingDetails(Details):
    """Cells into vessels, vessels into a chamber; ``area_cm2`` is that of one vessel."""

    vessel_type: Name
    n_vessels: Annotated[Whole, Field(gt=0)]
    area_cm2: Annotated[float, Field(strict=True, gt=0, le=100_000)]
    medium_lot: Name
    chamber: Name
