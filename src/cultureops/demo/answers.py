"""What the laboratory finds in a sample, and when it has found it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Final

from cultureops.batch.batch import Batch
from cultureops.batch.parts import QcSample
from cultureops.batch.recipe_schema import Recipe, Release
from cultureops.clock import DAY_MS, HOUR_MS, Instant
from cultureops.web.bench import Answer

__all__ = ["ANSWER_WITHIN_D", "answers", "measured", "next_answer_at"]

ANSWER_WITHIN_D: Final = {"endotoxin": 0.9, "mycoplasma": 0.9, "identity": 1.9, "gram": 0.1}
"""When the laboratory has read a sample of a passage; sterility cultures are read when the recipe says."""
PRODUCT_WITHIN_H: Final = 3
"""Samples of a product that must not wait are read at once."""


def measured(sample: QcSample, release: Release, rng: random.Random) -> dict[str, Any]:
    """Return what is found in a sample, as the fields of its result."""
    if sample.test == "endotoxin" and sample.stage == "product":
        return {"outcome": "measured", "value_eu_per_ml": round(rng.uniform(0.01, 0.05), 3)}
    if sample.test != "identity":
        return {"outcome": "negative"}
    panel = {marker: round(rng.uniform(98.1, 99.6), 1) for marker in release.positive_markers.texts}
    panel |= {marker: round(rng.uniform(0.1, 0.9), 1) for marker in release.negative_markers.texts}
    return {"outcome": "measured", "panel": panel}


def answers(batch: Batch, recipe: Recipe, now: Instant, seed: int) -> tuple[Answer, ...]:
    """Return the results that the laboratory has by now and nobody has entered."""
    ready = [(sample, _ready(sample, recipe, now)) for sample in batch.qc]
    return tuple(_answer(batch, recipe, sample, is_final, seed) for sample, is_final in ready if is_final is not None)


def next_answer_at(batch: Batch, recipe: Recipe, now: Instant) -> Instant | None:
    """Return when the laboratory has its next result; None where it has no sample to read."""
    later = [at for sample in batch.qc for at, _ in _readings(sample, recipe) if at > now]
    return min(later, default=None)


def _ready(sample: QcSample, recipe: Recipe, now: Instant) -> bool | None:
    """Return whether the reading that waits to be entered is the last one; None where none waits."""
    if any(reading.final for reading in sample.readings):
        return None
    read = [is_final for at, is_final in _readings(sample, recipe) if at <= now]
    return None if len(read) <= len(sample.readings) else read[-1]


def _readings(sample: QcSample, recipe: Recipe) -> tuple[tuple[Instant, bool], ...]:
    """Return when a sample is read, and whether for the last time."""
    if sample.test == "sterility":
        first, last = recipe.qc.sterility_release_read.value, recipe.qc.sterility_final_read.value
        return (sample.taken_at + round(first * DAY_MS), False), (sample.taken_at + round(last * DAY_MS), True)
    if sample.stage == "product":
        return ((sample.taken_at + PRODUCT_WITHIN_H * HOUR_MS, True),)
    return ((sample.taken_at + round(ANSWER_WITHIN_D[sample.test] * DAY_MS), True),)


def _answer(batch: Batch, recipe: Recipe, sample: QcSample, is_final: bool, seed: int) -> Answer:
    found = measured(sample, recipe.release, random.Random(f"laboratory {seed} {sample.sample_id}"))
    panel: Mapping[str, float] = found.get("panel", {})
    figures = [(f"panel.{marker}", f"{share:g}", "%") for marker, share in panel.items()]
    if "value_eu_per_ml" in found:
        figures.append(("value_eu_per_ml", f"{found['value_eu_per_ml']:g}", "[EU]/mL"))
    return Answer(batch.id, sample.sample_id, sample.test, found["outcome"], is_final, tuple(figures))
