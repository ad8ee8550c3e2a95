"""Hard gates of the product: its tests and counts. Each says what is wrong, or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cultureops.analysis.dose import endotoxin_eu_per_kg
from cultureops.analysis.wash import Residual, residual
from cultureops.batch.batch import Batch
from cultureops.batch.case import Case, Plan, Verdict
from cultureops.batch.commands import ReleaseConditionally, Resuspend
from cultureops.batch.counts import CountsUnusable, counts_to_resuspend, pool
from cultureops.batch.parts import QcSample
from cultureops.clock import DAY_MS

__all__ = ["cell_identity", "endotoxin", "mycoplasma", "pending", "sterility", "viability", "washed"]


def sterility(case: Case, plan: Plan) -> Verdict:
    """Demand negative tests: those of every passage so far, or the one sample that the process draws.

    While the last culture is pending a conditional release asks for no positive reading instead (see ``pending``).
    """
    qc = case.facts.recipe.qc
    problems = [
        f"{sample.test} of {sample.sample_id} is positive"
        for test in ("sterility", "gram")
        for sample in _samples(case.batch, test)
        if sample.stage == "product" and any(reading.outcome == "positive" for reading in sample.readings)
    ]
    problems += _sample_negative(case) if qc.sample_due is not None else []
    is_conditional = isinstance(case.details, ReleaseConditionally) or case.batch.is_conditional
    for passage in range((case.batch.passage or 0) + 1):
        for test in qc.passage_tests:
            samples = [s for s in _samples(case.batch, test) if s.passage == passage and s.stage == "passage"]
            may_wait = is_conditional and test == "sterility" and passage == case.batch.passage
            problem = (
                _not_negative_to_date(samples, _to_date_d(case))
                if may_wait
                else _not_negative(samples, _incubation_d(case))
            )
            if problem:
                problems.append(f"P{passage} {test} {problem}")
    used = {"passages": (case.batch.passage or 0) + 1, "tests": list(qc.passage_tests)}
    return Verdict(", ".join(problems), used)


def _incubation_d(case: Case) -> float:
    return case.facts.recipe.qc.sterility_release_read.value


def _sample_negative(case: Case) -> list[str]:
    """Judge the sterility sample that is drawn a stated time after seeding or freezing."""
    qc, batch = case.facts.recipe.qc, case.batch
    assert qc.sample_due is not None and qc.sample_anchor is not None, "the schema binds them together"
    anchor = batch.frozen_at if qc.sample_anchor.text == "freezing" else batch.culture_started_at
    if anchor is None:
        return ["sterility was not sampled"]
    due_at = anchor + round(qc.sample_due.value * DAY_MS)
    samples = [sample for sample in _samples(batch, "sterility") if sample.taken_at >= due_at]
    if not samples:
        return [f"sterility was not sampled at {qc.sample_due.value:g} d after {qc.sample_anchor.text}"]
    if any(reading.outcome == "positive" for s in _samples(batch, "sterility") for reading in s.readings):
        return ["sterility is positive"]
    problem = _not_negative(samples, _incubation_d(case))
    return [f"sterility {problem}"] if problem else []


def pending(case: Case, plan: Plan) -> Verdict:
    """Judge a conditional release: a culture is pending and negative to date, Gram is negative, somebody is told."""
    batch, recipe, details = case.batch, case.facts.recipe, case.details
    if recipe.conditional is None or not isinstance(details, ReleaseConditionally):
        return Verdict(f"{recipe.label} has no conditional release", {})
    cultures = [s for s in _samples(batch, "sterility") if s.passage == batch.passage]
    problems = []
    if not _not_negative(cultures, _incubation_d(case)):
        problems.append("no culture is pending; release without a condition")
    if problem := _not_negative_to_date(cultures, _to_date_d(case)):
        problems.append(f"sterility {problem}")
    gram = [s for s in _samples(batch, "gram") if s.passage == batch.passage]
    if problem := _not_negative(gram, 0):
        problems.append(f"Gram stain {problem}")
    limit = recipe.conditional.notify_within_max.value
    if details.notify_within_h > limit:
        problems.append(f"a late positive must be told within {limit:g} h, not {details.notify_within_h:g}")
    used = {"cultures": [s.sample_id for s in cultures], "gram": [s.sample_id for s in gram]}
    return Verdict(", ".join(problems), used)


def _to_date_d(case: Case) -> float:
    """Return how long a pending culture must have been incubated to count as negative to date [d]."""
    conditional = case.facts.recipe.conditional
    shortest = None if conditional is None else conditional.negative_to_date_min
    return 0.0 if shortest is None else shortest.value / 24


def _not_negative_to_date(samples: Sequence[QcSample], incubation_d: float) -> str:
    """Say why a pending culture is not negative to date."""
    if not samples:
        return "was not sampled"
    if any(reading.outcome == "positive" for sample in samples for reading in sample.readings):
        return "is positive"
    read = any(
        reading.outcome == "negative" and reading.at - sample.taken_at >= incubation_d * DAY_MS
        for sample in samples
        for reading in sample.readings
    )
    return "" if read else f"has no reading after {incubation_d * 24:g} h"


def washed(case: Case, plan: Plan) -> Verdict:
    """Count the washes since the last thaw or labelling, and estimate by dilution what DMSO is left.

    Aseptic meningitis of one of 34 patients was put down to cells that were not washed enough (Karussis 2010).
    """
    batch, limits = case.batch, case.facts.recipe.washing
    if batch.thaw is None and batch.labelling is None:
        needed = case.facts.recipe.is_frozen
        return Verdict("nothing was thawed and washed yet" if needed else "", {"thawed": False})
    if limits is None:
        return Verdict("the recipe does not say how thawed cells are washed", {})
    wanted, done = int(limits.washes_min.value), len(batch.washes)
    left = _residual(case)
    intrathecal_mg = left.mg_per_ml * _intrathecal_ml(case)
    figure = (
        f"residual DMSO is estimated at {left.pct_v_v:.3g} % v/v, {intrathecal_mg:.3g} mg in the intrathecal dose "
        f"(allowed {limits.residual_dmso_max.value:g} %, {limits.residual_dmso_dose_max.value:g} mg)"
    )
    used = {
        "washes": done,
        "residual_dmso_pct": float(f"{left.pct_v_v:.4g}"),
        "intrathecal_mg": float(f"{intrathecal_mg:.4g}"),
        "assumption": left.assumption,
    }
    problems = []
    if done < wanted:
        since = "labelling" if batch.labelling is not None else "thaw"
        problems.append(f"{done} of {wanted} washes since the {since}")
    too_much = left.pct_v_v > limits.residual_dmso_max.value or intrathecal_mg > limits.residual_dmso_dose_max.value
    if not problems and not too_much:
        return Verdict("", used)
    return Verdict("; ".join([*problems, figure, "wash again"]), used)


def _residual(case: Case) -> Residual:
    """Estimate the DMSO in the suspension: as it is, or as the resuspension in question would make it."""
    batch = case.batch
    pct = 0.0 if batch.residual_dmso_pct is None else batch.residual_dmso_pct
    there_ml = _last_volume_ml(batch)
    if isinstance(case.details, Resuspend):
        final_ml = case.details.volume_ml
    else:
        final_ml = there_ml if batch.resuspension is None else batch.resuspension.volume_ml
    return residual(pct, there_ml, (), max(final_ml, there_ml))


def _last_volume_ml(batch: Batch) -> float:
    if batch.washes:
        return batch.washes[-1].vol_left_ml
    if batch.labelling is not None:
        return batch.labelling.suspension_ml
    return 1.0 if batch.thaw is None else batch.thaw.volume_ml


def _intrathecal_ml(case: Case) -> float:
    """Return how much of the suspension goes into the intrathecal dose [mL]: what it holds, or its whole share."""
    batch, details = case.batch, case.details
    route = case.facts.recipe.dose.routes.get("IT")
    made = batch.resuspension
    if made is not None and batch.doses:
        cells = sum(dose.viable_cells for dose in batch.doses if dose.route == "IT")
        return made.volume_ml * cells / max(1, made.viable_cells)
    volume_ml = details.volume_ml if isinstance(details, Resuspend) else 0.0 if made is None else made.volume_ml
    share = 1.0 if route is None or route.fraction is None else route.fraction.value
    return volume_ml * share


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
    """Judge the counts of the harvest or after the last wash, or after resuspension those of the product."""
    batch, release, resuspension = case.batch, case.facts.recipe.release, case.batch.resuspension
    if resuspension is not None:
        what, counts = "product", batch.counts_of("product", None, resuspension.at)
    else:
        what = "washed" if case.facts.recipe.is_frozen else "harvest"
        counts = counts_to_resuspend(batch, case.facts.recipe, case.at)
    used: dict[str, Any] = {"stage": what, "samples": [count.sample_id for count in counts]}
    try:
        pooled = pool(counts, case.facts.recipe.counting)
    except CountsUnusable as unusable:
        return Verdict(f"{what} counts: {unusable}", used)
    used |= {"viability_pct": round(pooled.viability_pct, 2), "min_pct": release.viability_min.value}
    worst = min(counts, key=lambda count: count.viability_pct)
    if worst.viability_pct < release.viability_floor.value:
        floor = f"{release.viability_floor.value:g} %; other counts do not outvote it"
        return Verdict(f"{worst.sample_id} at {worst.viability_pct:.1f} % is below the floor of {floor}", used, True)
    is_below_floor = pooled.viability_pct < release.viability_floor.value
    if is_below_floor:
        limit = f"the floor of {release.viability_floor.value:g} %"
    elif pooled.viability_pct < release.viability_min.value:
        limit = f"{release.viability_min.value:g} %"
    else:
        return Verdict("", used)
    return Verdict(f"{what} viability {pooled.viability_pct:.1f} % is below {limit}", used, is_below_floor)


def cell_identity(case: Case, plan: Plan) -> Verdict:
    """Hold every panel that was read against the limits; a repeat never replaces the first."""
    release = case.facts.recipe.release
    read = [(s, dict(r.panel)) for s in _samples(case.batch, "identity") for r in s.readings if r.panel]
    panels = [panel for _, panel in read]
    if not panels:
        return Verdict("no identity panel was read", {})
    if not any(sample.stage == "product" or sample.passage == case.batch.passage for sample, _ in read):
        return Verdict("no identity panel of the product or its last passage was read", {"panels": panels})
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
        if not measured:
            problems.append(f"no endotoxin value of the {dose.route} dose")
            continue
        if batch.weight_kg is None:
            problems.append(f"no body weight to judge the {dose.route} dose by; state it at the formulation")
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
