"""Why a step that the state allows can't be done all the same, as far as the record tells before anybody tries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from cultureops.batch.batch import Batch
from cultureops.batch.counts import CountsUnusable, counts_to_resuspend, pool
from cultureops.batch.recipe_schema import Recipe
from cultureops.batch.rules import RULES
from cultureops.batch.state import State
from cultureops.clock import HOUR_MS, Instant
from cultureops.web.step.table import DOABLE

__all__ = ["hindrance", "waits_for"]


def hindrance(batch: Batch, recipe: Recipe, step: str) -> str:
    """Say what keeps a step closed that the batch's state allows; empty where nothing is known to."""
    if "G1" in RULES[DOABLE[step]].gates and not batch.is_eligible:
        return "no consent with eligibility is on record (G1)"
    find = _HINDRANCES.get(step)
    return "" if find is None else find(batch, recipe)


def _passage(batch: Batch, recipe: Recipe) -> str:
    limit = int(recipe.passage.max.value)
    if (batch.passage or 0) >= limit:
        return f"P{limit} is the recipe's last passage (G5)"
    return _whole(batch, recipe)


def _harvest(batch: Batch, recipe: Recipe) -> str:
    earliest = int(recipe.passage.harvest_min.value)
    if (batch.passage or 0) < earliest:
        return f"cells are used from P{earliest} on, these are P{batch.passage}"
    return _whole(batch, recipe)


def _whole(batch: Batch, recipe: Recipe) -> str:
    return "there are several groups of vessels; pool them first" if len(batch.groups) > 1 else ""


def _pool(batch: Batch, recipe: Recipe) -> str:
    return "there is one group of vessels only" if len(batch.groups) < 2 else ""


def _split(batch: Batch, recipe: Recipe) -> str:
    return "" if any(group.n_vessels > 1 for group in batch.groups) else "there is one vessel only"


def _freeze(batch: Batch, recipe: Recipe) -> str:
    return "" if recipe.is_frozen else "the recipe freezes no cells"


def _resuspend(batch: Batch, recipe: Recipe) -> str:
    if recipe.is_frozen and batch.state is not State.WASHED:
        return "the recipe freezes these cells first"
    return ""


def _labelling(batch: Batch, recipe: Recipe) -> str:
    if recipe.labelling is None or not batch.label_arm:
        return "these cells are not to be labelled"
    return "" if batch.labelling is None else "these cells were labelled already"


def _stored(batch: Batch, recipe: Recipe) -> str:
    return "" if batch.vials_in("stored", "authorised") else "no vial of this batch stands in a store"


def _held(batch: Batch, recipe: Recipe) -> str:
    return "" if batch.held_counts else "no count is on hold"


def _sampled(batch: Batch, recipe: Recipe) -> str:
    waits = any(not any(reading.final for reading in sample.readings) for sample in batch.qc)
    return "" if waits else "no sample waits for a result"


def _dose_left(batch: Batch, recipe: Recipe) -> str:
    return "" if any(dose.given_at is None for dose in batch.doses) else "every container was given"


def _deviation(batch: Batch, recipe: Recipe) -> str:
    return "" if batch.open_deviations else "no deviation is open"


_HINDRANCES: Final[Mapping[str, Callable[[Batch, Recipe], str]]] = {
    "Passage": _passage,
    "Harvest": _harvest,
    "Pool": _pool,
    "Split": _split,
    "Freeze": _freeze,
    "Resuspend": _resuspend,
    "StartLabelling": _labelling,
    "MoveVials": _stored,
    "DiscardVials": _stored,
    "CheckStorage": _stored,
    "AcceptCount": _held,
    "RecordQcResult": _sampled,
    "Administer": _dose_left,
    "InvestigateDeviation": _deviation,
    "PlanAction": _deviation,
    "CheckEffectiveness": _deviation,
    "CloseDeviation": _deviation,
}


def waits_for(batch: Batch, recipe: Recipe, step: str, now: Instant) -> str:
    """Say what a step still waits for, a sample to be drawn or counts to come in; empty where nothing is missing."""
    match step:
        case "Passage" | "Harvest" if batch.state is State.CULTURE:
            return _harvest_counts(batch, recipe, now)
        case "Resuspend" if batch.state is State.WASHED:
            return _washed_counts(batch, recipe, now)
        case "Formulate" if batch.resuspension is not None:
            counts = batch.counts_of("product", None, batch.resuspension.at)
            return _replicates(recipe, len(counts), f"{batch.id}.product")
    return ""


def _replicates(recipe: Recipe, counted: int, sample: str) -> str:
    wanted = int(recipe.counting.min_replicates.value)
    if counted >= wanted:
        return ""
    return f"counts, {counted} of {wanted} are in: name the next sample {sample}-{counted + 1} at the counter"


def _harvest_counts(batch: Batch, recipe: Recipe, now: Instant) -> str:
    waits = []
    drawn = {sample.test for sample in batch.qc if (sample.stage, sample.passage) == ("passage", batch.passage)}
    if "sterility" in recipe.qc.passage_tests and "sterility" not in drawn:
        waits.append(f"the sterility sample of P{batch.passage}")
    since = max(now - round(recipe.release.count_valid.value * HOUR_MS), batch.passage_started_at or 0)
    counted = len(batch.counts_of("harvest", batch.passage, since))
    waits.append(_replicates(recipe, counted, f"{batch.id}.P{batch.passage}-harvest"))
    return " and ".join(filter(None, waits))


def _washed_counts(batch: Batch, recipe: Recipe, now: Instant) -> str:
    try:
        pool(counts_to_resuspend(batch, recipe, now), recipe.counting)
    except CountsUnusable as unusable:
        return f"counts after the last wash ({unusable}): name the samples {batch.id}.washed-1, -2 at the counter"
    return ""
