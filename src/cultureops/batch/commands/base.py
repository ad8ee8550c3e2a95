"""What all commands share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from cultureops.batch.field import Details, Name, Time, Whole
from cultureops.clock import Instant

__all__ = ["Collected", "Command", "Identified", "QcTest", "Route", "SeedingDetails"]

Route = Literal["IT", "IV"]
QcTest = Literal["endotoxin", "mycoplasma", "sterility", "identity", "gram"]


class Identified(Details):
    """What was scanned before a step: the code of a container in somebody's hand, and the patient's token."""

    container: Name
    token: Name


class Collected(Details):
    """A field whose value was taken from an instrument as it is: the reading of a channel at one instant [ms UTC]."""

    field: Name
    channel: Name
    at: Time
    value: Annotated[float, Field(allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Command:
    """One step asked of one batch.

    ``occurred_at`` [ms UTC] is now unless given; a late entry (more than 5 min) needs a ``reason``. ``entry`` is an id
    that a form made: what carries it is recorded once. ``identified`` is judged by gate G2 whatever the step.
    ``collected`` names the fields that were taken from an instrument; whoever carries out the command has checked them.
    ``if_version`` is the version of the record that was read, where any change since then must hold the step up.
    """

    batch_id: str
    details: Details
    occurred_at: Instant | None = None
    reason: str = ""
    entry: str = ""
    identified: Identified | None = None
    collected: tuple[Collected, ...] = ()
    if_version: int | None = None


class SeedingDetails(Details):
    """Cells into vessels, vessels into a chamber; ``area_cm2`` is that of one vessel."""

    vessel_type: Name
    n_vessels: Annotated[Whole, Field(gt=0)]
    area_cm2: Annotated[float, Field(strict=True, gt=0, le=100_000)]
    medium_lot: Name
    chamber: Name
