"""Hard gates of the product: its tests and counts. Each says what is wrong, or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cultureops.analysis.dose import endotoxin_eu_per_kg
from cultureops.batch.batch import Batch, QcSample
from cultureops.batch.case import Case, Plan, Verdict
from cultureops.batch.counts import CountsUnusable, pool
from cultureops.clock import DAY_MS, HOUR_MS

__all__ = ["cell_identity", "endotoxin", "mycoplasma", "passages_negative", "viability"]


def passages_negative(case: Case, plan: Plan) -> Verdict:
    """Every passage so far: each demanded test read negative, sterility after its shortest incubation."""
    recipe, problems = case.facts.recipe.qc, []
    for passage in range((case.batch.passage or 0) + 1):
        for test in recipe.per_passage.texts:
            samples = [s for s in _samples(case.batch, test) if s.passage == passage and s.stage == "passage"]
            if problem := _not_negative(samples, recipe.sterility_release_read.value):
                problems.append(f"P{passage} {test} {problem}")
    used = {"passages": (case.batch.passage or 0) + 1, "tests": list(recipe.per_passage.texts)}
    return Verdict(", ".join(problems), used)


def _samples(batch: Batch, test: str) -> list[QcSample]:
    return [sample for sample in batch.qc if sample.test == test]


def _not_negative(samples: Sequence[QcSample], incubation_d: float) -> str:
    """Say why samples of one test do not amount to a negative result; one positive reading is never outvoted."""
    if not samples:
        return "was not sampled"
    if any(reading.outcome == "positive" for sample in samples for reading in sample.readings):
        return "is positive"
    negative = [
        sample
        for sample in samples
        for reading in sample.readings
        if reading.outcome == "negative"
        and (sample.test != "sterility" or reading.at - sample.taken_at >= incubation_d * DAY_MS)
    ]
    if negative:
        return ""
    return f"has no reading after {incubation_d:g} d" if samples[0].test == "sterility" else "has no result"


def viability(case: Case, plan: Plan) -> Verdict:
    """Judge the counts of the harvest, or after resuspension those of the product."""
    batch, release, resuspension = case.batch, case.facts.recipe.release, case.batch.resuspension
    if resuspension is not None:
        what, counts = "product", batch.counts_of("product", None, resuspension.at)
    else:
        harvest = batch.harvest
        oldest = case.at - round(release.count_valid.value * HOUR_MS)
        what, counts = "harvest", batch.counts_of("harvest", harvest.passage if harvest else None, oldest)
    used: dict[str, Any] = {"stage": what, "samples": [count.sample_id for count in counts]}
    try:
        pooled = pool(counts, case.facts.recipe.counting)
    except CountsUnusable as unusable:
        return Verdict(f"{what} counts: {unusable}", used)
    used |= {"viability_pct": round(pooled.viability_pct, 2), "min_pct": release.viability_min.value}
    if pooled.viability_pct < release.viability_floor.value:
        limit = f"the floor of {release.viability_floor.value:g} %"
    elif pooled.viability_pct < release.viability_min.value:
        limit = f"{release.viability_min.value:g} %"
    else:
        return Verdict("", used)
    return Verdict(f"{what} viability {pooled.viability_pct:.1f} % is below {limit}", used)


def cell_identity(case: Case, plan: Plan) -> Verdict:
    """Hold every panel that was read against the limits; a repeat never replaces the first."""
    release = case.facts.recipe.release
    panels = [dict(r.panel) for s in _samples(case.batch, "identity") for r in s.readings if r.panel]
    if not panels:
        return Verdict("no identity panel was read", {})
    problems = []
    for panel in panels:
        for marker in release.positive_markers.texts:
            if panel.get(marker, -1.0) < release.positive_min.value:
                problems.append(f"{marker} {_shown(panel, marker)}, expected >= {release.positive_min.value:g} %")
        for marker in release.negative_markers.texts:
            if panel.get(marker, 101.0) > release.negative_max.value:
                problems.append(f"{marker} {_shown(panel, marker)}, expected <= {release.negative_max.value:g} %")
    return Verdict(", ".join(problems), {"panels": panels})


def _shown(panel: Mapping[str, float], marker: str) -> str:
    return f"{panel[marker]:g} %" if marker in panel else "was not measured"


def endotoxin(case: Case, plan: Plan) -> Verdict:
    """Work out EU/kg for each dose from the highest reading of its own route's product sample."""
    problems: list[str] = []
    used: dict[str, Any] = {}
    batch = case.batch
    for dose in batch.doses:
        limit = case.facts.recipe.dose.routes[dose.route].endotoxin_max.value
        measured = [
            reading.value_eu_per_ml
            for sample in _samples(batch, "endotoxin")
            if sample.stage == "product" and sample.route == dose.route
            for reading in sample.readings
            if reading.value_eu_per_ml is not None
        ]
        if not measured or batch.weight_kg is None:
            problems.append(f"no endotoxin value of the {dose.route} dose")
            continue
        load = endotoxin_eu_per_kg(max(measured), dose.volume_ml, batch.weight_kg)
        used[dose.route] = {"eu_per_kg": round(load, 4), "max": limit}
        if load > limit:
            problems.append(f"{dose.route} dose brings {load:.3g} EU/kg, allowed are {limit:g}")
    if not batch.doses:
        problems.append("no dose was formulated")
    return Verdict(", ".join(problems), used)


def mycoplasma(case: Case, plan: Plan) -> Verdict:
    """Demand a negative result of the last passage, and no positive one anywhere."""
    last = case.batch.passage or 0
    samples = _samples(case.batch, "mycoplasma")
    problem = _not_negative([sample for sample in samples if sample.passage == last], 0)
    if not problem and any(r.outcome == "positive" for sample in samples for r in sample.readings):
        problem = "was positive in an earlier passage"
    used = {"samples": [sample.sample_id for sample in samples]}
    return Verdict(f"mycoplasma {problem}" if problem else "", used)
