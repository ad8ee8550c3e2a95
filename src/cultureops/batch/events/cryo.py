"""Events from freezing to the washed, or labelled, suspension."""

from __future__ import annotations

from cultureops.batch import commands as asked
from cultureops.batch.events.base import Recorded
from cultureops.batch.field import Cells, SampleName

__all__ = [
    "Frozen",
    "LabellingEnded",
    "LabellingStarted",
    "StorageChecked",
    "ThawAuthorised",
    "Thawed",
    "TransferredIn",
    "TransferredOut",
    "VialsDiscarded",
    "VialsMoved",
    "Washed",
]


class Frozen(asked.Freeze, Recorded):
    """The cells were frozen and the vials put into their places."""

    frozen_cells: Cells


class VialsMoved(asked.MoveVials, Recorded):
    """Vials were given other places."""


class VialsDiscarded(asked.DiscardVials, Recorded):
    """Vials were thrown away."""


class StorageChecked(asked.CheckStorage, Recorded):
    """Somebody looked at a cryostore."""


class ThawAuthorised(asked.AuthoriseThaw, Recorded):
    """Vials may be taken out for the patient."""


class TransferredOut(asked.TransferOut, Recorded):
    """The authorised vials left their cryostore."""

    vials: tuple[SampleName, ...]


class TransferredIn(asked.TransferIn, Recorded):
    """The vials arrived in the laboratory."""

    transit_h: float


class Thawed(asked.Thaw, Recorded):
    """The vials were thawed; ``dmso_pct`` is what the cryo medium held [% v/v]."""

    vials: tuple[SampleName, ...]
    thawed_cells: Cells
    dmso_pct: float


class Washed(asked.Wash, Recorded):
    """The cells were washed; the residual DMSO is an upper bound that takes cells to hold none back."""

    residual_dmso_pct: float
    residual_dmso_mg_per_ml: float


class LabellingStarted(asked.StartLabelling, Recorded):
    """The cells were given iron oxide particles."""


class LabellingEnded(asked.EndLabelling, Recorded):
    """The labelling ended; every wash before it no longer counts."""

    hours: float
