"""Pure science: numbers in, numbers out; no clock, no I/O."""

from cultureops.analysis.counting import Replicates, implausibilities, replicates, total_cells, viability_pct
from cultureops.analysis.dose import (
    cells_for_weight,
    deviation_pct,
    endotoxin_eu_per_kg,
    infusion_min,
    volume_ml_for_density,
)
from cultureops.analysis.growth import Growth, cumulative_population_doublings, growth

__all__ = [
    "Growth",
    "Replicates",
    "cells_for_weight",
    "cumulative_population_doublings",
    "deviation_pct",
    "endotoxin_eu_per_kg",
    "growth",
    "implausibilities",
    "infusion_min",
    "replicates",
    "total_cells",
    "viability_pct",
    "volume_ml_for_density",
]
