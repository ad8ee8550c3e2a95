"""Steps from the harvest to the patient: what each would record, or why it can't be."""

from __future__ import annotations

from collections import Counter

from cultureops.analysis.dose import cells_for_weight, deviation_pct, infusion_min
from cultureops.batch import events as happened
from cultureops.batch.batch import DoseRecord, QcSample
from cultureops.batch.case import Case, Plan
from cultureops.batch.commands import (
    Administer,
    Close,
    Dose,
    Formulate,
    ReceiveAtSite,
    Reject,
    Release,
    Resuspend,
    Review,
    Ship,
)
from cultureops.batch.counts import CountsUnusable, pool
from cultureops.batch.steps_culture import refused
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS

__all__ = [
    "administer",
    "close",
    "formulate",
    "receive_at_site",
    "reject",
    "release",
    "resuspend",
    "review",
    "ship",
]


def resuspend(case: Case, details: Resuspend) -> Plan:
    """Take the cells up; density times volume must be what was harvested."""
    grown, recipe = case.batch.harvest, case.facts.recipe
    harvested = 0 if grown is None else grown.harvested_viable_cells
    cells = round(details.viable_density_1e6_per_ml * 1e6 * details.volume_ml)
    if harvested <= 0 or abs(deviation_pct(cells, harvested)) > recipe.dose.tolerance.value:
        raise refused(
            case,
            f"{cells:,} cells in suspension, {harvested:,} were harvested; they must agree within "
            f"{recipe.dose.tolerance.value:g} %",
        )
    expires_at = case.at + round(recipe.transport.shelf_life.value * HOUR_MS)
    return Plan(happened.Resuspended, {"viable_cells": cells, "expires_at": expires_at})


def formulate(case: Case, details: Formulate) -> Plan:
    """Fill one container per route of the recipe; doses by weight, and no cell out of nowhere."""
    recipe, made = case.facts.recipe, case.batch.resuspension
    age_d = (case.at - details.weighed_at) / DAY_MS
    if not 0 <= age_d <= recipe.dose.weight_age_max.value:
        raise refused(case, f"the weight is {age_d:.0f} d old, allowed are 0-{recipe.dose.weight_age_max.value:g}")
    routes = Counter(dose.route for dose in details.doses)
    if routes != Counter(recipe.dose.routes.keys()):
        raise refused(case, f"one dose for each of {', '.join(sorted(recipe.dose.routes))} expected")
    if len({dose.container for dose in details.doses}) < len(details.doses):
        raise refused(case, "two doses share a container; each route has its own")
    for dose in details.doses:
        _check_dose(case, dose, details.weight_kg)
    available = 0 if made is None else made.viable_cells
    used = sum(dose.viable_cells for dose in details.doses) + details.retained_cells
    if available <= 0 or abs(deviation_pct(used, available)) > recipe.dose.tolerance.value:
        raise refused(
            case,
            f"doses and retained cells are {used:,}, resuspended were {available:,}; they must agree within "
            f"{recipe.dose.tolerance.value:g} %",
        )
    return Plan(happened.Formulated)


def _check_dose(case: Case, dose: Dose, weight_kg: float) -> None:
    recipe = case.facts.recipe.dose
    route, tolerance = recipe.routes[dose.route], recipe.tolerance.value
    wanted = cells_for_weight(route.cells_per_kg.value, weight_kg)
    if abs(deviation_pct(dose.viable_cells, wanted)) > tolerance:
        raise refused(
            case,
            f"{dose.route} dose of {dose.viable_cells:,} cells, {wanted:,.0f} ± {tolerance:g} % expected for "
            f"{weight_kg:g} kg",
        )
    low, high = route.volume_min.value, route.volume_max.value
    if not low * (1 - tolerance / 100) <= dose.volume_ml <= high * (1 + tolerance / 100):
        raise refused(case, f"{dose.route} dose in {dose.volume_ml:g} mL, {low:g}-{high:g} mL expected")


def review(case: Case, details: Review) -> Plan:
    """Review the record up to its present version; the reviewer has not worked on the batch."""
    batch = case.batch
    if not details.audit_trail_read:
        raise refused(case, "read the audit trail before you sign the review")
    if case.facts.actor.id in batch.operators:
        raise refused(case, f"{case.facts.actor.id} operated on this batch; somebody else must review it")
    known = {exposure.id for exposure in batch.exposures} | {gap.id for gap in case.facts.telemetry_gaps}
    for assessment in details.assessments:
        if assessment.subject not in known:
            raise refused(case, f"{assessment.subject!r} is neither an alarm nor a gap of this batch")
    return Plan(happened.Reviewed, {"reviewed_version": batch.version})


def release(case: Case, details: Release) -> Plan:
    """Release; what holds it up are the gates."""
    batch, seen = case.batch, case.facts.recipe.release.viability_seen_min.value
    warnings: tuple[str, ...] = ()
    if batch.resuspension is not None:
        try:
            counted = pool(batch.counts_of("product", None, batch.resuspension.at), case.facts.recipe.counting)
        except CountsUnusable:
            return Plan(happened.Released, passage=batch.passage or 0)
        if counted.viability_pct < seen:
            warnings = (f"viability {counted.viability_pct:.1f} % is below the {seen:g} % of the paper",)
    return Plan(happened.Released, warnings=warnings, passage=batch.passage or 0)


def reject(case: Case, details: Reject) -> Plan:
    """Reject the batch, with a reason."""
    if not case.reason:
        raise refused(case, "a rejection needs its reason")
    return Plan(happened.Rejected)


def ship(case: Case, details: Ship) -> Plan:
    """Hand over to the transport, at transport temperature."""
    transport = case.facts.recipe.transport
    low, high = transport.temperature_min.value, transport.temperature_max.value
    if not low <= details.temperature_c <= high:
        raise refused(case, f"the box is at {details.temperature_c:g} °C, {low:g}-{high:g} °C expected; cool it")
    return Plan(happened.Shipped)


def receive_at_site(case: Case, details: ReceiveAtSite) -> Plan:
    """Take over at the hospital; refused when the way was too warm or cold for too long."""
    transport = case.facts.recipe.transport
    low, high = transport.temperature_min.value, transport.temperature_max.value
    if details.temperature_min_c > details.temperature_max_c:
        raise refused(case, "the lowest temperature is above the highest")
    is_inside = low <= details.temperature_min_c and details.temperature_max_c <= high
    if is_inside and details.out_of_range_min == 0:
        return Plan(happened.ReceivedAtSite)
    outside = (
        f"{details.temperature_min_c:g}-{details.temperature_max_c:g} °C on the way, "
        f"{details.out_of_range_min:g} min outside {low:g}-{high:g} °C"
    )
    if details.out_of_range_min > transport.out_of_range_max.value:
        raise refused(case, f"{outside}, allowed are {transport.out_of_range_max.value:g} min; do not use it")
    if is_inside or details.out_of_range_min == 0:
        raise refused(case, f"{outside}: these figures contradict each other; read the logger again")
    return Plan(happened.ReceivedAtSite, warnings=(outside,))


def administer(case: Case, details: Administer) -> Plan:
    """Give one dose from its own container."""
    if not details.started_at < details.ended_at <= case.at:
        raise refused(case, "a dose starts before it ends, and is recorded after that")
    dose = _dose_in(case, details)
    tolerance = case.facts.recipe.dose.tolerance.value
    if deviation_pct(details.volume_ml, dose.volume_ml) > tolerance:
        raise refused(case, f"{details.volume_ml:g} mL can't come from a container of {dose.volume_ml:g} mL")
    cells = round(dose.viable_cells * min(1.0, details.volume_ml / dose.volume_ml))
    return Plan(happened.Administered, {"viable_cells": cells}, _pace(case, details))


def _dose_in(case: Case, details: Administer) -> DoseRecord:
    dose = next((dose for dose in case.batch.doses if dose.container == details.container), None)
    if dose is None:
        raise refused(case, f"container {details.container!r} is none of this batch's")
    if dose.route != details.route:
        raise refused(case, f"container {dose.container} is for {dose.route}, not for {details.route}; stop")
    if dose.given_at is not None:
        raise refused(case, f"container {dose.container} was given already")
    return dose


def _pace(case: Case, details: Administer) -> tuple[str, ...]:
    """Check the rate where the recipe has one; remark a duration that is off."""
    route, tolerance = case.facts.recipe.dose.routes[details.route], case.facts.recipe.dose.tolerance.value
    took_min = (details.ended_at - details.started_at) / MINUTE_MS
    expected_min = None if route.duration is None else route.duration.value
    if route.rate is not None:
        rate = details.rate_ml_per_h
        if rate is None or abs(deviation_pct(rate, route.rate.value)) > tolerance:
            given = "none" if rate is None else f"{rate:g} mL/h"
            raise refused(case, f"{details.route} at {route.rate.value:g} mL/h ± {tolerance:g} %, not {given}")
        expected_min = infusion_min(details.volume_ml, rate)
    if expected_min is None or abs(took_min - expected_min) <= max(1.0, 0.25 * expected_min):
        return ()
    return (f"{details.route} took {took_min:.1f} min, {expected_min:.1f} min expected",)


def close(case: Case, details: Close) -> Plan:
    """Close the record; every dose given (or a reason), every sample read to its end, no count left on hold."""
    batch = case.batch
    problems = [f"sample {sample.sample_id} has no final reading" for sample in batch.qc if not _is_read(sample)]
    problems += [f"count {held.sample_id} is still on hold" for held in batch.held_counts]
    positive = [s.sample_id for s in batch.qc if any(r.outcome == "positive" for r in s.readings)]
    problems += [f"sample {sample_id} is positive and was not investigated" for sample_id in positive]
    if not case.reason:
        problems += [f"container {d.container} was not given; say why" for d in batch.doses if d.given_at is None]
    if problems:
        raise refused(case, "; ".join(problems))
    return Plan(happened.Closed)


def _is_read(sample: QcSample) -> bool:
    return any(reading.final for reading in sample.readings)
