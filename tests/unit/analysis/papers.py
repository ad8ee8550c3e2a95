"""Figures of the two seed papers as data, each with its place; "K" and "T" are their first letters.

K: Karussis et al. 2010, Arch Neurol 67:1187. T: Tavakol-Afshari et al. 2021. Doses in 10^6 cells, times in months.
"""

from __future__ import annotations

from typing import Any, Final

from cultureops.analysis.contradiction import Range

__all__ = ["AGES", "CONSISTENT", "CONTRADICTORY", "DOSE_PAIRS", "MONTHS", "Statement"]

Statement = tuple[str, str, dict[str, Any]]
"""What is said and where, the check's name, its numbers."""

PER_ML: Final = Range(10, 15)
"""K, resuspension: 10^6 cells/mL."""
MS, ALS = 15, 19
DOSE_PAIRS: Final = {"MS": (63.2, 24.5), "ALS": (54.7, 23.4)}
"""K: mean dose given intrathecally and intravenously, each in 2 mL."""
AGES: Final = (55, 47, 60, 36, 51, 37, 57, 35, 35, 52, 55, 55, 35, 55, 23)
"""T Table 1, P1 to P15."""
MONTHS: Final = (61, 67, 12, 10, 55, 55, 31, 60, 72, 45, 44, 12, 17, 16, 42)
"""T Table 1, months since diagnosis, P1 to P15."""
REDUCED_PCT: Final = Range(30, 60)
"""K, 24 h after the injection."""
TENTH: Final = 0.1
"""Two roundings to one decimal: of the figure said, and of those it is computed from."""


def _of_12(ms: float, als: float) -> list[tuple[float, float]]:
    """K Table 2: 7 with MS, 5 with ALS."""
    return [(7, ms), (5, als)]


CONTRADICTORY: Final[tuple[tuple[int, Statement], ...]] = (
    (1, ("K abstract: intrathecal dose of all 34", "pooled_mean",
         {"groups": [(MS, 63.2), (ALS, 54.7)], "said": 63.2, "tolerance": TENTH})),
    (2, ("K: intrathecal dose, MS, in 2 mL", "dose_concentration", {"cells": 63.2, "volume_ml": 2, "said": PER_ML})),
    (2, ("K: intrathecal dose, ALS, in 2 mL", "dose_concentration", {"cells": 54.7, "volume_ml": 2, "said": PER_ML})),
    (3, ("K: 7 with MS had both routes; 5 with MS were injected intravenously", "subgroup_size",
         {"part": 7, "group": 5})),
    (4, ("K text and Table 2: CD86 before", "weighted_mean",
         {"rows": _of_12(93.6, 74.0), "said": 82.6, "tolerance": TENTH})),
    (4, ("K text and Table 2: CD86 at 24 h", "weighted_mean",
         {"rows": _of_12(74.3, 48.7), "said": 58.8, "tolerance": TENTH})),
    (4, ("K text and Table 2: CD83 at 24 h", "weighted_mean",
         {"rows": _of_12(19.2, 17.2), "said": 12.3, "tolerance": TENTH})),
    (4, ("K text and Table 2: CD4CD25 at 24 h", "weighted_mean",
         {"rows": _of_12(12.0, 16.2), "said": 14.2, "tolerance": TENTH})),
    (5, ("K: HLA-DR", "percent_reduction", {"before": 92.1, "after": 74.6, "said": REDUCED_PCT, "tolerance": 0.5})),
    (6, ("T text and Table 1: median age", "table_median", {"values": AGES, "said": 35, "tolerance": 0.5})),
    (7, ("T: disease for a year or more", "inclusion", {"row": "P4", "value": MONTHS[3], "criterion": Range(low=12)})),
    (8, ("T 3.1 and 2.5: 10^6 cells, or per kg by each of two routes", "dose_basis",
         {"said_cells": 1e6, "said_per_kg": False, "per_kg_by_route": [1e6, 1e6]})),
)  # fmt: skip
"""Statements by the number of the contradiction they belong to; a statement on each side of one is listed apart."""

CONSISTENT: Final[tuple[Statement, ...]] = (
    ("K: intravenous dose, MS, in 2 mL", "dose_concentration", {"cells": 24.5, "volume_ml": 2, "said": PER_ML}),
    ("K: intravenous dose, ALS, in 2 mL", "dose_concentration", {"cells": 23.4, "volume_ml": 2, "said": PER_ML}),
    ("K: change of EDSS at 6 months, 6.7 to 5.9", "weighted_mean",
     {"rows": [(4, 0), (5, -0.5), (1, -1.0), (3, -1.5), (1, -2.0), (1, -2.5)],
      "said": 5.9 - 6.7, "tolerance": TENTH}),
    ("K text and Table 2: CD4CD25 before", "weighted_mean",
     {"rows": _of_12(8.4, 8.3), "said": 8.3, "tolerance": TENTH}),
    ("K: CD83", "percent_reduction", {"before": 26.6, "after": 12.3, "said": REDUCED_PCT, "tolerance": 0.5}),
    ("K: CD40", "percent_reduction", {"before": 22.9, "after": 10.7, "said": REDUCED_PCT, "tolerance": 0.5}),
    ("K: 9 with ALS were injected intravenously, 5 of them tested", "subgroup_size", {"part": 5, "group": 9}),
    ("T: median age as its table has it", "table_median", {"values": AGES, "said": 51}),
    ("T: 2 x 10^6 per kg by both routes", "dose_basis",
     {"said_cells": 2e6, "said_per_kg": True, "per_kg_by_route": [1e6, 1e6]}),
    *((f"K: {group} intrathecal, 2/3 of all", "share",
       {"part": it, "whole": it + iv, "said": 2 / 3, "tolerance": 0.08})
      for group, (it, iv) in DOSE_PAIRS.items()),
    *((f"K Table 1: {event}", "share", {"part": n, "whole": MS + ALS, "said": pct / 100, "tolerance": 0.0005})
      for event, n, pct in (("fever", 21, 61.8), ("headache", 15, 44.1), ("meningism", 1, 2.9), ("rigidity", 2, 5.9),
                            ("leg pain", 3, 8.8), ("difficulty walking", 4, 11.8))),
    *((f"T: P{number} ill for a year or more", "inclusion", {"row": f"P{number}", "value": months,
                                                            "criterion": Range(low=12)})
      for number, months in enumerate(MONTHS, 1) if number != 4),
    *((f"T: P{number} aged 18 to 75", "inclusion", {"row": f"P{number}", "value": age, "criterion": Range(18, 75)})
      for number, age in enumerate(AGES, 1)),
)  # fmt: skip
