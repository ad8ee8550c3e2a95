"""The demo's patients: tokens, never names; each with a recipe, a batch, a day to begin and a seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cultureops.clock import MINUTE_MS
from cultureops.errors import ConfigError

__all__ = ["BOTH", "FRESH", "FROZEN", "Patient", "expected_days", "patients_of", "step_ms"]

FRESH: Final = "tavakol_afshari_2021"
FROZEN: Final = "karussis_2010"
BOTH: Final = "both"
"""Two patients of each recipe, side by side."""
_USUAL_DAYS: Final = {FRESH: 34, FROZEN: 54}
_STEP_MIN: Final = {FRESH: 1, FROZEN: 5, BOTH: 5}


@dataclass(frozen=True, slots=True)
class Patient:
    """One patient's way through the lab; the batch begins ``start_day`` days after the lab's first day.

    ``incubators`` are the chambers of passage 0, 1, ... in turn.
    """

    recipe: str
    token: str
    batch_id: str
    weight_kg: float
    incubators: tuple[str, ...]
    start_day: int = 0


# The troubles are planted at incubator_1, where the first cultures stand.
_FRESH_ONE: Final = Patient(
    FRESH, "COI-7F3K2", "B-2026-001", 68.0, ("incubator_1", "incubator_2", "incubator_4", "incubator_3")
)
_FROZEN_ONE: Final = Patient(FROZEN, "COI-4H9T6", "B-2026-001", 74.0, ("incubator_1", "incubator_3", "incubator_4"))
_SIDE_BY_SIDE: Final = (
    Patient(FROZEN, "COI-4H9T6", "B-2026-001", 74.0, ("incubator_1", "incubator_3", "incubator_4"), 0),
    Patient(
        *(FRESH, "COI-7F3K2", "B-2026-002", 68.0),
        *(("incubator_1", "incubator_2", "incubator_4", "incubator_3"), 2),
    ),
    Patient(FROZEN, "COI-2M8W5", "B-2026-003", 59.0, ("incubator_4", "incubator_2", "incubator_3"), 5),
    Patient(
        *(FRESH, "COI-9B6R4", "B-2026-004", 81.0),
        *(("incubator_3", "incubator_4", "incubator_1", "incubator_2"), 11),
    ),
)


def patients_of(recipe: str) -> tuple[Patient, ...]:
    """Return the patients of a run: one by the named recipe, or those of both; raise ConfigError for any other name."""
    known = {FRESH: (_FRESH_ONE,), FROZEN: (_FROZEN_ONE,), BOTH: _SIDE_BY_SIDE}
    if recipe not in known:
        raise ConfigError(f"the demo plays no recipe {recipe!r}; choose {', '.join(known)}")
    return known[recipe]


def step_ms(recipe: str) -> int:
    """Return how much lab time passes in one step, and between two polls: long runs take longer steps."""
    return _STEP_MIN[recipe] * MINUTE_MS


def expected_days(patients: Sequence[Patient]) -> float:
    """Return how long a run usually takes; only a progress bar depends on it."""
    return max(patient.start_day + _USUAL_DAYS[patient.recipe] for patient in patients)
