"""Events from the consent to the harvest."""

from __future__ import annotations

from cultureops.batch import commands as asked
from cultureops.batch.events.base import Recorded
from cultureops.batch.field import Cells, Density, Hours, Name, PatientToken, Percent, Sha256, Text, Whole

__all__ = [
    "BatchCreated",
    "ConfluenceObserved",
    "ConsentRecorded",
    "Harvested",
    "Isolated",
    "MarrowReceived",
    "MediumChanged",
    "Moved",
    "Passaged",
    "Seeded",
    "VesselsDiscarded",
    "VesselsPooled",
    "VesselsSplit",
]


class BatchCreated(Recorded):
    """A batch was opened; it keeps to this recipe in this version."""

    patient_token: PatientToken
    recipe: Name
    recipe_version: Whole
    recipe_sha256: Sha256


class ConsentRecorded(asked.RecordConsent, Recorded):
    """The patient's consent and eligibility were recorded."""


class MarrowReceived(asked.ReceiveMarrow, Recorded):
    """The marrow was taken in."""


class Isolated(asked.Isolate, Recorded):
    """Mononuclear cells were won."""


class Seeded(asked.Seed, Recorded):
    """The primary culture was started."""

    passage: Whole
    density_per_cm2: float


class MediumChanged(asked.ChangeMedium, Recorded):
    """The medium was replaced."""

    interval_h: Hours


class ConfluenceObserved(asked.ObserveConfluence, Recorded):
    """Confluence was judged."""

    passage: Whole


class _Yield(Recorded):
    """What came off the vessels; growth figures that are undefined are None, ``growth_note`` says why."""

    harvested_viable_cells: Cells
    viable_density_1e6_per_ml: Density
    viability_pct: Percent
    counts: tuple[Name, ...]
    hours: Hours
    population_doublings: float | None
    doubling_time_h: float | None
    growth_note: Text
    cumulative_population_doublings: float


class Passaged(asked.Passage, _Yield):
    """Cells were detached and seeded anew; ``passage`` is the new one."""

    passage: Whole
    density_per_cm2: float


class Harvested(asked.Harvest, _Yield):
    """Cells were harvested for the product."""

    passage: Whole


class Moved(asked.Move, Recorded):
    """Vessels were carried into another chamber."""

    from_chamber: Name


class VesselsSplit(asked.Split, Recorded):
    """A group of vessels was divided."""


class VesselsPooled(asked.Pool, Recorded):
    """Groups of vessels became one."""

    n_vessels: Whole


class VesselsDiscarded(asked.Discard, Recorded):
    """Vessels were thrown away."""

    vessels_left: Whole
