"""Steps from the marrow to the harvest: what each would record, or why it can't be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cultureops.analysis.growth import Growth, cumulative_population_doublings, growth, slowing
from cultureops.batch import events as happened
from cultureops.batch.case import Case, Plan
from cultureops.batch.commands import (
    ChangeMedium,
    Harvest,
    Isolate,
    ObserveConfluence,
    Passage,
    ReceiveMarrow,
    Seed,
)
from cultureops.batch.counts import CountsUnusable, PooledCount, pool
from cultureops.batch.events import Recorded
from cultureops.batch.steps.base import check_stated, deviate, doubt_of_viability, off_target, refused
from cultureops.batch.steps.vessels import check_group, check_new, claims_of
from cultureops.clock import DAY_MS, HOUR_MS

__all__ = [
    "change_medium",
    "harvest",
    "isolate",
    "observe_confluence",
    "passage",
    "receive_marrow",
    "seed",
]


def receive_marrow(case: Case, details: ReceiveMarrow) -> Plan:
    """Take in the marrow; refused when it is too old or was too warm or cold."""
    recipe = case.facts.recipe.intake
    if details.collected_at > case.at:
        raise refused(case, "the marrow can't have been collected after it was received")
    transit_h = (case.at - details.collected_at) / HOUR_MS
    if transit_h > recipe.transit_max.value:
        raise refused(case, f"the marrow is {transit_h:.1f} h old, allowed are {recipe.transit_max.value:g} h")
    low, high = recipe.receipt_temperature_min.value, recipe.receipt_temperature_max.value
    if not low <= details.receipt_temperature_c <= high:
        raise refused(case, f"the marrow came at {details.receipt_temperature_c:g} °C, allowed are {low:g}-{high:g}")
    warnings = off_target("marrow", details.marrow_ml, recipe.marrow_volume, recipe.marrow_tolerance)
    return Plan(happened.MarrowReceived, warnings=warnings)


def isolate(case: Case, details: Isolate) -> Plan:
    """Win mononuclear cells."""
    collected_at, limit = case.batch.collected_at, case.facts.recipe.intake.transit_max.value
    if collected_at is not None and case.at - collected_at > limit * HOUR_MS:
        hours = (case.at - collected_at) / HOUR_MS
        raise refused(case, f"the marrow is {hours:.1f} h old, isolation begins within {limit:g} h")
    return Plan(happened.Isolated, lots=details.reagent_lots, doubt=doubt_of_viability(case, details.viability_pct))


def seed(case: Case, details: Seed) -> Plan:
    """Start the primary culture as P0; no more cells than were isolated."""
    recipe = case.facts.recipe
    check_new(case, details.vessels)
    check_stated(case, details.cells_total, details.discarded_cells, case.batch.mnc_count or 0, "isolated")
    density = details.cells_total / (details.n_vessels * details.area_cm2)
    return Plan(
        happened.Seeded,
        {"passage": 0, "density_per_cm2": density},
        off_target("seeding density", density, recipe.seeding.density, recipe.seeding.tolerance),
        devices=(details.chamber,),
        lots=(details.medium_lot,),
        claims=claims_of(details.vessels),
    )


def _check_whole(case: Case, vessels: str) -> None:
    """Refuse to detach one of several groups: a batch is of one passage at a time."""
    check_group(case, vessels)
    if len(case.batch.groups) > 1:
        names = " and ".join(group.id for group in case.batch.groups)
        raise refused(case, f"{names} are groups of their own; pool them first, or discard what is not used")


def change_medium(case: Case, details: ChangeMedium) -> Plan:
    """Replace the medium; a wrong interval is remarked, since the medium must be changed all the same."""
    batch, recipe = case.batch, case.facts.recipe.culture
    check_group(case, details.vessels)
    chamber = batch.chamber_of(details.vessels)
    last = batch.medium_changed_at if batch.medium_changed_at is not None else batch.passage_started_at
    interval_h = (case.at - (case.at if last is None else last)) / HOUR_MS
    is_first = batch.passage == 0 and batch.medium_changed_at is None
    warnings: list[str] = []
    if is_first:
        low, high = recipe.first_medium_change_min.value, recipe.first_medium_change_max.value
        if not details.removed_nonadherent:
            warnings.append("the first medium change removes the non-adherent cells")
    else:
        low, high = recipe.medium_interval_min.value * 24, recipe.medium_interval_max.value * 24
    if not low <= interval_h <= high:
        warnings.append(f"{interval_h:.0f} h since the last medium, the recipe says {low:g}-{high:g} h")
    if not is_first and interval_h > recipe.medium_interval_alarm.value * 24:
        warnings.append(f"medium older than {recipe.medium_interval_alarm.value:g} d")
    return Plan(
        happened.MediumChanged,
        {"interval_h": interval_h},
        tuple(warnings),
        devices=(chamber,) if chamber else (),
        lots=(details.medium_lot,),
    )


def observe_confluence(case: Case, details: ObserveConfluence) -> Plan:
    """Note how far the cells have grown; less than before in one passage needs a reason."""
    batch, recipe = case.batch, case.facts.recipe.passage
    check_group(case, details.vessels)
    _check_evidence(case, details)
    before, unsure = batch.confluence(), any(evidence.unsure for evidence in details.evidence)
    if before is not None and not unsure and details.confluence_pct < before.pct and not case.reason:
        raise refused(
            case,
            f"confluence {details.confluence_pct:g} % is below the {before.pct:g} % seen before; give a reason",
        )
    warnings: tuple[str, ...] = ()
    if details.confluence_pct >= recipe.confluence_alarm.value:
        warnings = (f"confluence is beyond {recipe.confluence_alarm.value:g} %: passage now",)
    if unsure:
        why = next(evidence.reason for evidence in details.evidence if evidence.unsure)
        warnings += (f"the image's reading is unsure ({why}): it can't decide a passage; look yourself",)
    return Plan(happened.ConfluenceObserved, {"passage": batch.passage}, warnings)


def _check_evidence(case: Case, details: ObserveConfluence) -> None:
    """Refuse a reading of an image without its evidence, or one that is not what its images say."""
    if details.method != "image":
        if details.evidence:
            raise refused(case, "evidence of an image belongs to a reading by image")
        return
    if not details.evidence:
        raise refused(case, "a reading by image needs its evidence: method, parameters and SHA-256 of the image")
    if details.evidence and not any(e.low_pct <= details.confluence_pct <= e.high_pct for e in details.evidence):
        raise refused(case, f"{details.confluence_pct:g} % lies in none of the images' intervals")


def passage(case: Case, details: Passage) -> Plan:
    """Detach and reseed; refused without confluence (or a reason), sterility sample, counts or enough cells."""
    batch, recipe = case.batch, case.facts.recipe
    seen = batch.confluence()
    if (seen is None or seen.pct < recipe.passage.confluence.value) and not case.reason:
        was = "none was observed" if seen is None else f"the last was {seen.pct:g} %"
        raise refused(
            case, f"passage at {recipe.passage.confluence.value:g} % confluence, {was}; wait or give a reason"
        )
    check_new(case, details.new_vessels)
    derived, warnings = _yield(case, details)
    check_stated(case, details.cells_seeded, details.discarded_cells, derived["harvested_viable_cells"], "counted")
    density = details.cells_seeded / (details.n_vessels * details.area_cm2)
    following = (batch.passage or 0) + 1
    return Plan(
        happened.Passaged,
        derived | {"passage": following, "density_per_cm2": density},
        warnings + off_target("density", density, recipe.passage.reseed_density, recipe.seeding.tolerance),
        devices=(details.chamber,),
        lots=(details.medium_lot, *_enzyme_lot(details)),
        passage=following,
        claims=claims_of(details.new_vessels),
    )


def harvest(case: Case, details: Harvest) -> Plan:
    """Detach the cells for the product, in a passage that the recipe uses."""
    batch, recipe = case.batch, case.facts.recipe.passage
    earliest = int(recipe.harvest_min.value)
    if batch.passage is None or batch.passage < earliest:
        raise refused(case, f"cells are used from P{earliest} on, these are P{batch.passage}; passage them")
    derived, warnings = _yield(case, details)
    return Plan(
        happened.Harvested,
        derived | {"passage": batch.passage},
        warnings,
        lots=_enzyme_lot(details),
        passage=batch.passage,
        also=_off_duration(case),
    )


def _off_duration(case: Case) -> tuple[Recorded, ...]:
    """Open a deviation where the culture took fewer or more days than the process has."""
    culture, started_at = case.facts.recipe.culture, case.batch.culture_started_at
    if culture.duration_min is None or culture.duration_max is None or started_at is None:
        return ()
    days, low, high = (case.at - started_at) / DAY_MS, culture.duration_min.value, culture.duration_max.value
    if low <= days <= high:
        return ()
    said = f"harvested after {days:.1f} d of culture, the process has {low:g} to {high:g} d"
    return (deviate(case, "culture duration", said, "minor"),)


def _enzyme_lot(details: Passage | Harvest) -> tuple[str, ...]:
    return () if details.enzyme_lot is None else (details.enzyme_lot,)


def _yield(case: Case, details: Passage | Harvest) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Work out what came off the vessels and how it has grown."""
    batch, recipe = case.batch, case.facts.recipe
    _check_whole(case, details.vessels)
    _check_sterility_sampled(case)
    present = batch.passage or 0
    oldest = case.at - round(recipe.release.count_valid.value * HOUR_MS)
    counts = batch.counts_of("harvest", present, max(oldest, batch.passage_started_at or 0))
    try:
        counted = pool(counts, recipe.counting)
    except CountsUnusable as unusable:
        raise refused(case, f"harvest counts of P{present}: {unusable}") from None
    cells = round(counted.viable_density_1e6_per_ml * 1e6 * details.suspension_ml)
    hours = (case.at - (batch.passage_started_at or 0)) / HOUR_MS
    grown = _growth(case, present, cells, hours)
    doublings = [record.population_doublings for record in batch.passages] + [grown.population_doublings]
    derived: dict[str, Any] = {
        "harvested_viable_cells": cells,
        "viable_density_1e6_per_ml": counted.viable_density_1e6_per_ml,
        "viability_pct": counted.viability_pct,
        "counts": counted.sample_ids,
        "hours": hours,
        "population_doublings": grown.population_doublings,
        "doubling_time_h": grown.doubling_time_h,
        "growth_note": grown.reason,
        "cumulative_population_doublings": cumulative_population_doublings(doublings),
    }
    return derived, (*_slowing(case, grown), *_low_viability(case, counted), *_enzyme(case, details))


def _check_sterility_sampled(case: Case) -> None:
    batch = case.batch
    drawn = {s.test for s in batch.qc if s.stage == "passage" and s.passage == batch.passage}
    if "sterility" in case.facts.recipe.qc.passage_tests and "sterility" not in drawn:
        raise refused(case, f"no sterility sample of P{batch.passage} was drawn; draw it before detaching")


def _growth(case: Case, present: int, cells: int, hours: float) -> Growth:
    if present == 0:
        return Growth(None, None, "primary culture: seeded with mononuclear cells, doublings do not apply")
    if hours <= 0:
        raise refused(case, "no time has passed since the cells were seeded")
    return growth(case.batch.seeded_cells or 0, cells, hours)


def _slowing(case: Case, grown: Growth) -> Sequence[str]:
    """Remark a doubling time much longer than that of the passage before."""
    if grown.population_doublings is not None and grown.doubling_time_h is None:
        return (f"negative growth: {grown.reason}",)
    before = case.batch.passages[-1].doubling_time_h if case.batch.passages else None
    if grown.doubling_time_h is None:
        return ()
    said = slowing(grown.doubling_time_h, before, case.facts.recipe.passage.slowing_warning.value)
    return () if said is None else (said,)


def _low_viability(case: Case, counted: PooledCount) -> Sequence[str]:
    seen = case.facts.recipe.release.viability_seen_min.value
    return (f"viability {counted.viability_pct:.1f} % is below {seen:g} %",) if counted.viability_pct < seen else ()


def _enzyme(case: Case, details: Passage | Harvest) -> Sequence[str]:
    wanted = case.facts.recipe.passage.enzyme_concentration
    if wanted is None or details.enzyme_pct == wanted.value:
        return ()
    return (f"enzyme at {details.enzyme_pct:g} %, the recipe says {wanted.value:g} %",)
