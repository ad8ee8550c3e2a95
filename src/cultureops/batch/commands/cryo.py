"""Commands from freezing to the washed, or labelled, suspension."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cultureops.batch.field import (
    Cells,
    Celsius,
    Details,
    Millilitres,
    Minutes,
    Name,
    Part,
    Percent,
    SampleName,
    Scans,
    Sha256,
    Time,
    Whole,
)

__all__ = [
    "AuthoriseThaw",
    "CheckStorage",
    "DiscardVials",
    "EndLabelling",
    "Freeze",
    "MoveVials",
    "Place",
    "StartLabelling",
    "Thaw",
    "TransferIn",
    "TransferOut",
    "Vial",
    "Wash",
]

_MOST_VIALS = 1_000


class Place(Part):
    """Where a vial stands: the cryostore (a chamber), rack, box and position in the box."""

    store: SampleName
    rack: SampleName
    box: SampleName
    position: SampleName

    @property
    def claim(self) -> str:
        """The name under which the ledger lets one vial at a time stand here."""
        return f"place:{self.store}/{self.rack}/{self.box}/{self.position}".casefold()

    @property
    def label(self) -> str:
        """The place as people read it."""
        return f"{self.store} / {self.rack} / {self.box} / {self.position}"


class Vial(Part):
    """A vial and its place."""

    vial: SampleName
    place: Place

    @property
    def claim(self) -> str:
        """The name under which the ledger lets this vial exist once."""
        return f"vial:{self.vial}".casefold()


class Freeze(Details):
    """Freeze the harvested cells; ``cooling_c_per_min`` is negative, ``discarded_cells`` went into no vial."""

    vials: Annotated[tuple[Vial, ...], Field(min_length=1, max_length=_MOST_VIALS)]
    cells_per_vial: Annotated[Cells, Field(gt=0)]
    volume_ml_per_vial: Millilitres
    cryo_medium: Name
    cryo_medium_lot: Name
    dmso_pct: Percent
    rate_profile: Name
    cooling_c_per_min: Annotated[float, Field(strict=True, lt=0, ge=-200)]
    store_temperature_c: Celsius
    discarded_cells: Cells = 0


class MoveVials(Details):
    """Give vials other places in the cryostores."""

    vials: Annotated[tuple[Vial, ...], Field(min_length=1, max_length=_MOST_VIALS)]


class DiscardVials(Details):
    """Throw vials away, with a reason and a second person."""

    vials: Annotated[tuple[SampleName, ...], Field(min_length=1, max_length=_MOST_VIALS)]


class CheckStorage(Details):
    """Look at a cryostore where vials of this batch stand."""

    store: Name
    temperature_c: Celsius
    level_pct: Percent | None = None
    trace_sha256: Sha256 | None = None


class AuthoriseThaw(Details):
    """Let vials be taken out for the patient's appointment."""

    vials: Annotated[tuple[SampleName, ...], Field(min_length=1, max_length=_MOST_VIALS)]
    scheduled_for: Time


class TransferOut(Details):
    """Pack the authorised vials for the way to the laboratory."""

    shipper: Name
    logger: Name
    probe_temperature_c: Celsius
    scans: Scans


class TransferIn(Details):
    """Take the vials over in the laboratory, with what the logger recorded on the way."""

    logger: Name
    temperature_min_c: Celsius
    temperature_max_c: Celsius
    out_of_range_min: Minutes
    trace_sha256: Sha256
    scans: Scans


class Thaw(Details):
    """Thaw the vials in a bath; ``volume_ml`` is what they hold together."""

    bath: Name
    bath_temperature_c: Celsius
    started_at: Time
    ended_at: Time
    volume_ml: Millilitres


class Wash(Details):
    """Dilute, spin down and take off; volumes before, added and left over [mL]."""

    index: Annotated[Whole, Field(ge=1, le=20)]
    vol_before_ml: Millilitres
    vol_added_ml: Millilitres
    vol_left_ml: Millilitres
    relative_centrifugal_force_g: Annotated[float, Field(strict=True, gt=0, le=5_000)]
    spin_min: Annotated[Minutes, Field(gt=0)]
    diluent: Name
    diluent_lot: Name
    centrifuge: Name


class StartLabelling(Details):
    """Begin to label the cells with iron oxide particles; concentrations in the culture [ug/mL]."""

    agent_lots: Annotated[tuple[Name, ...], Field(min_length=1)]
    iron_ug_per_ml: Annotated[float, Field(strict=True, gt=0, le=10_000)]
    transfection_agent_ug_per_ml: Annotated[float, Field(strict=True, ge=0, le=10_000)]
    chamber: Name
    suspension_ml: Millilitres


class EndLabelling(Details):
    """End the labelling; ``suspension_ml`` is what the first wash begins with."""

    suspension_ml: Millilitres
    iron_pg_per_cell: Annotated[float, Field(strict=True, ge=0, le=10_000)] | None = None
