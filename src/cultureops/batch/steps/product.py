"""Steps from the harvest to the patient: what each would record, or why it can't be."""

from __future__ import annotations

from collections import Counter

from cultureops.analysis.dose import cells_for_weight, concentration_1e6_per_ml, deviation_pct, infusion_min
from cultureops.batch import events as happened
from cultureops.batch.case import Case, Plan
from cultureops.batch.commands import (
    Administer,
    Close,
    Dose,
    Formulate,
    ReceiveAtSite,
    RecordAdverseEvent,
    Reject,
    Release,
    ReleaseConditionally,
    Resuspend,
    Review,
    Ship,
)
from cultureops.batch.counts import CountsUnusable, counts_to_resuspend, pool
from cultureops.batch.events import Recorded
from cultureops.batch.parts import DoseRecord, QcSample
from cultureops.batch.state import State
from cultureops.batch.steps.base import deviate, refused
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS

__all__ = [
    "administer",
    "close",
    "formulate",
    "receive_at_site",
    "record_adverse_event",
    "reject",
    "release",
    "release_conditionally",
    "resuspend",
    "review",
    "ship",
]


def resuspend(case: Case, details: Resuspend) -> Plan:
    """Take the cells up; density times volume must be what was harvested, or counted after the last wash."""
    batch, recipe = case.batch, case.facts.recipe
    if recipe.is_frozen != (batch.state is State.WASHED):
        raise refused(case, f"{batch.recipe.label} resuspends {'washed' if recipe.is_frozen else 'harvested'} cells")
    cells = round(details.viable_density_1e6_per_ml * 1e6 * details.volume_ml)
    expires_at = case.at + round(recipe.transport.shelf_life.value * HOUR_MS)
    plan = Plan(
        happened.Resuspended,
        {"viable_cells": cells, "expires_at": expires_at},
        _density(case, details.viable_density_1e6_per_ml, "suspension"),
        lots=(details.diluent_lot,),
    )
    try:
        available, where = _available(case)
    except CountsUnusable:
        return plan  # the gates on washes and counts say what is missing
    if available <= 0 or abs(deviation_pct(cells, available)) > recipe.dose.tolerance.value:
        raise refused(
            case,
            f"{cells:,} cells in suspension, {available:,} were {where}; they must agree within "
            f"{recipe.dose.tolerance.value:g} %",
        )
    return plan


def _available(case: Case) -> tuple[int, str]:
    """Return how many viable cells there are to resuspend, and how that is known; raises CountsUnusable."""
    batch = case.batch
    if not case.facts.recipe.is_frozen:
        return (0 if batch.harvest is None else batch.harvest.harvested_viable_cells), "harvested"
    counted = pool(counts_to_resuspend(batch, case.facts.recipe, case.at), case.facts.recipe.counting)
    return round(counted.viable_density_1e6_per_ml * 1e6 * batch.washes[-1].vol_left_ml), "counted after the last wash"


def _density(case: Case, density_1e6_per_ml: float, what: str) -> tuple[str, ...]:
    """Remark a density outside of what the recipe states."""
    stated = case.facts.recipe.resuspension
    if stated is None or stated.density_min.value <= density_1e6_per_ml <= stated.density_max.value:
        return ()
    return (
        f"{what} at {density_1e6_per_ml:.3g} x 10^6/mL, the recipe states {stated.density_min.value:g} to "
        f"{stated.density_max.value:g}",
    )


def formulate(case: Case, details: Formulate) -> Plan:
    """Fill one container per route of the recipe; doses by weight or as fractions, and no cell out of nowhere."""
    recipe, made = case.facts.recipe, case.batch.resuspension
    if recipe.dose.is_by_weight or details.weight_kg is not None:
        _check_weight(case, details)
    _check_cold(case, details)
    routes = Counter(dose.route for dose in details.doses)
    if routes != Counter(recipe.dose.routes.keys()):
        raise refused(case, f"one dose for each of {', '.join(sorted(recipe.dose.routes))} expected")
    if len({dose.container for dose in details.doses}) < len(details.doses):
        raise refused(case, "two doses share a container; each route has its own")
    for dose in details.doses:
        _check_dose(case, dose, details)
    available = 0 if made is None else made.viable_cells
    used = sum(dose.viable_cells for dose in details.doses) + details.retained_cells
    if available <= 0 or abs(deviation_pct(used, available)) > recipe.dose.tolerance.value:
        raise refused(
            case,
            f"doses and retained cells are {used:,}, resuspended were {available:,}; they must agree within "
            f"{recipe.dose.tolerance.value:g} %",
        )
    warnings = tuple(
        remark
        for dose in details.doses
        for remark in _density(case, concentration_1e6_per_ml(dose.viable_cells, dose.volume_ml), f"{dose.route} dose")
    )
    return Plan(
        happened.Formulated,
        warnings=warnings,
        devices=() if details.stored_in is None else (details.stored_in,),
        claims=tuple(f"container:{dose.container}" for dose in details.doses),
    )


def _check_cold(case: Case, details: Formulate) -> None:
    """Refuse a chamber that is known to be none for the filled containers: there their clock would stand still."""
    fact = None if details.stored_in is None else case.facts.equipment.get(details.stored_in)
    if fact is not None and fact.kind and fact.kind != "refrigerator":
        raise refused(case, f"{details.stored_in} is a {fact.kind}; filled containers are kept in a refrigerator")


def _check_weight(case: Case, details: Formulate) -> None:
    recipe = case.facts.recipe.dose
    if details.weight_kg is None or details.weighed_at is None:
        raise refused(case, "this recipe doses by body weight; give weight_kg and weighed_at")
    age_d = (case.at - details.weighed_at) / DAY_MS
    if not 0 <= age_d <= recipe.weight_age_max.value:
        raise refused(case, f"the weight is {age_d:.0f} d old, allowed are 0-{recipe.weight_age_max.value:g}")


def _check_dose(case: Case, dose: Dose, details: Formulate) -> None:
    recipe = case.facts.recipe.dose
    route, tolerance = recipe.routes[dose.route], recipe.tolerance.value
    if route.fraction is not None and recipe.fraction_tolerance is not None:
        share = dose.viable_cells / sum(other.viable_cells for other in details.doses)
        if abs(share - route.fraction.value) > recipe.fraction_tolerance.value:
            raise refused(
                case,
                f"{dose.route} dose is {share:.3f} of all doses, {route.fraction.value:.3f} ± "
                f"{recipe.fraction_tolerance.value:g} expected",
            )
    if route.cells_per_kg is not None and details.weight_kg is not None:
        wanted = cells_for_weight(route.cells_per_kg.value, details.weight_kg)
        if abs(deviation_pct(dose.viable_cells, wanted)) > tolerance:
            raise refused(
                case,
                f"{dose.route} dose of {dose.viable_cells:,} cells, {wanted:,.0f} ± {tolerance:g} % expected for "
                f"{details.weight_kg:g} kg",
            )
    low, high = route.volume_min.value, route.volume_max.value
    if not low * (1 - tolerance / 100) <= dose.volume_ml <= high * (1 + tolerance / 100):
        raise refused(case, f"{dose.route} dose in {dose.volume_ml:g} mL, {low:g}-{high:g} mL expected")


def review(case: Case, details: Review) -> Plan:
    """Review the record up to its present version; the reviewer has not worked on the batch.

    Of frozen cells the record is reviewed before their thaw as well: what alarms meant for them is decided then.
    """
    batch = case.batch
    if details.version is not None and details.version < batch.changed_version:
        raise refused(case, f"the record has changed since version {details.version}; read it again")
    if not details.audit_trail_read:
        raise refused(case, "read the audit trail before you sign the review")
    if batch.was_handled_by(case.facts.actor.id):
        raise refused(case, f"{case.facts.actor.id} operated on this batch; somebody else must review it")
    known = {exposure.id for exposure in batch.exposures} | {gap.id for gap in case.facts.telemetry_gaps}
    for assessment in details.assessments:
        if assessment.subject not in known:
            raise refused(case, f"{assessment.subject!r} is neither an alarm nor a gap of this batch")
    return Plan(happened.Reviewed, {"reviewed_version": batch.version, "is_interim": batch.state is State.CRYO})


def release(case: Case, details: Release) -> Plan:
    """Release; what holds it up are the gates."""
    return Plan(happened.Released, warnings=_remarks(case), passage=case.batch.passage or 0)


def release_conditionally(case: Case, details: ReleaseConditionally) -> Plan:
    """Release while the final sterility culture is pending; what holds it up are the gates."""
    return Plan(happened.ConditionallyReleased, warnings=_remarks(case), passage=case.batch.passage or 0)


def _remarks(case: Case) -> tuple[str, ...]:
    """Remark a viability below what the paper saw, and markers below what it calls consistent."""
    batch, limits = case.batch, case.facts.recipe.release
    found: list[str] = []
    if batch.resuspension is not None:
        try:
            counted = pool(batch.counts_of("product", None, batch.resuspension.at), case.facts.recipe.counting)
        except CountsUnusable:
            return ()
        if counted.viability_pct < limits.viability_seen_min.value:
            seen = limits.viability_seen_min.value
            found.append(f"viability {counted.viability_pct:.1f} % is below the {seen:g} % of the paper")
    if limits.positive_alert is not None:
        alert = limits.positive_alert.value
        panels = [dict(reading.panel) for sample in batch.qc for reading in sample.readings if reading.panel]
        found += [
            f"{marker} {panel[marker]:g} % is not above the {alert:g} % of the paper"
            for panel in panels
            for marker in limits.positive_markers.texts
            if marker in panel and panel[marker] <= alert
        ]
    return tuple(found)


def reject(case: Case, details: Reject) -> Plan:
    """Reject the batch, with a reason."""
    if case.batch.held_from is State.ADMINISTERED:
        raise refused(case, "a dose was given; recall what is left instead")
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
    arrived_at = case.batch.arrived_at or 0
    if not arrived_at <= details.started_at < details.ended_at <= case.at:
        raise refused(case, "a dose starts after the product arrived and before it ends, and is recorded after that")
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


def record_adverse_event(case: Case, details: RecordAdverseEvent) -> Plan:
    """Record what happened to the patient; a serious event opens a critical deviation."""
    first_dose = min((dose.given_at for dose in case.batch.doses if dose.given_at is not None), default=case.at)
    if not first_dose <= details.onset_at <= case.at:
        raise refused(case, "an adverse event begins after the first dose and before it is recorded")
    also: tuple[Recorded, ...] = ()
    if details.seriousness == "serious":
        also = (deviate(case, "adverse event", f"serious: {details.term}, grade {details.grade}", "critical"),)
    return Plan(happened.AdverseEventRecorded, also=also)


def close(case: Case, details: Close) -> Plan:
    """Close the record; every dose given (or a reason), every sample read, no count on hold, no deviation open."""
    batch = case.batch
    problems = [f"sample {sample.sample_id} has no final reading" for sample in batch.qc if not _is_read(sample)]
    problems += [f"count {held.sample_id} is still on hold" for held in batch.held_counts]
    problems += [f"deviation {deviation.id} is open" for deviation in batch.open_deviations]
    if not case.reason:
        problems += [f"container {d.container} was not given; say why" for d in batch.doses if d.given_at is None]
    if problems:
        raise refused(case, "; ".join(problems))
    return Plan(happened.Closed)


def _is_read(sample: QcSample) -> bool:
    return any(reading.final for reading in sample.readings)
