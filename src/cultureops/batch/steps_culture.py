"""Steps from the marrow to the harvest: what each would record, or why it can't be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cultureops.analysis.dose import deviation_pct
from cultureops.analysis.growth import Growth, cumulative_population_doublings, growth
from cultureops.batch import events as happened
from cultureops.batch.case import Case, Plan
from cultureops.batch.commands import (
    ChangeMedium,
    Harvest,
    Isolate,
    Move,
    ObserveConfluence,
    Passage,
    ReceiveMarrow,
    Seed,
)
from cultureops.batch.counts import CountsUnusable, PooledCount, pool
from cultureops.batch.recipe_schema import Quantity
from cultureops.clock import HOUR_MS
from cultureops.errors import TransitionRefused

__all__ = [
    "change_medium",
    "harvest",
    "isolate",
    "move",
    "observe_confluence",
    "passage",
    "receive_marrow",
    "refused",
    "seed",
]


def refused(case: Case, why: str) -> TransitionRefused:
    """Build the refusal of a step, naming the batch."""
    return TransitionRefused(f"batch {case.batch.id}: {why}")


def _off_target(name: str, value: float, target: Quantity, tolerance: Quantity) -> tuple[str, ...]:
    off = deviation_pct(value, target.value)
    if abs(off) <= tolerance.value:
        return ()
    return (f"{name} {value:.6g} {target.unit} is {off:+.0f} % off the recipe's {target.value:g}",)


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
    warnings = _off_target("marrow", details.marrow_ml, recipe.marrow_volume, recipe.marrow_tolerance)
    return Plan(happened.MarrowReceived, warnings=warnings)


def isolate(case: Case, details: Isolate) -> Plan:
    """Win mononuclear cells."""
    return Plan(happened.Isolated)


def seed(case: Case, details: Seed) -> Plan:
    """Start the primary culture as P0; no more cells than were isolated."""
    recipe = case.facts.recipe
    _check_balance(case, details.cells_total, case.batch.mnc_count or 0, "isolated")
    density = details.cells_total / (details.n_vessels * details.area_cm2)
    return Plan(
        happened.Seeded,
        {"passage": 0, "density_per_cm2": density},
        _off_target("seeding density", density, recipe.seeding.density, recipe.seeding.tolerance),
        devices=(details.chamber,),
    )


def _check_balance(case: Case, cells_out: int, cells_in: int, where: str) -> None:
    """Refuse more cells out of a step than came into it, but for counting error."""
    tolerance = case.facts.recipe.counting.balance_tolerance.value
    if cells_out > cells_in * (1 + tolerance / 100):
        raise refused(case, f"{cells_out:,} cells can't come from the {cells_in:,} that were {where}")


def _check_vessels(case: Case, vessels: str) -> None:
    present = case.batch.vessels.id if case.batch.vessels else None
    if vessels != present:
        raise refused(case, f"vessels {vessels!r} are not in culture; present are {present!r}")


def change_medium(case: Case, details: ChangeMedium) -> Plan:
    """Replace the medium; a wrong interval is remarked, since the medium must be changed all the same."""
    batch, recipe = case.batch, case.facts.recipe.culture
    _check_vessels(case, details.vessels)
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
        devices=(batch.chamber,) if batch.chamber else (),
    )


def observe_confluence(case: Case, details: ObserveConfluence) -> Plan:
    """Note how far the cells have grown; less than before in one passage needs a reason."""
    batch, recipe = case.batch, case.facts.recipe.passage
    _check_vessels(case, details.vessels)
    before = batch.confluence()
    if before is not None and details.confluence_pct < before.pct and not case.reason:
        raise refused(
            case,
            f"confluence {details.confluence_pct:g} % is below the {before.pct:g} % seen before; give a reason",
        )
    warnings: tuple[str, ...] = ()
    if details.confluence_pct >= recipe.confluence_alarm.value:
        warnings = (f"confluence is beyond {recipe.confluence_alarm.value:g} %: passage now",)
    return Plan(happened.ConfluenceObserved, {"passage": batch.passage}, warnings)


def move(case: Case, details: Move) -> Plan:
    """Carry the vessels into another chamber."""
    _check_vessels(case, details.vessels)
    if details.to_chamber == case.batch.chamber:
        raise refused(case, f"{details.vessels} already stand in {details.to_chamber}")
    return Plan(happened.Moved, {"from_chamber": case.batch.chamber}, devices=(details.to_chamber,))


def passage(case: Case, details: Passage) -> Plan:
    """Detach and reseed; refused without confluence (or a reason), sterility sample, counts or enough cells."""
    batch, recipe = case.batch, case.facts.recipe
    seen = batch.confluence()
    if (seen is None or seen.pct < recipe.passage.confluence.value) and not case.reason:
        was = "none was observed" if seen is None else f"the last was {seen.pct:g} %"
        raise refused(
            case, f"passage at {recipe.passage.confluence.value:g} % confluence, {was}; wait or give a reason"
        )
    if any(stay.vessels == details.new_vessels for stay in batch.occupancies):
        raise refused(case, f"vessels {details.new_vessels!r} were used before; give the new ones their own name")
    derived, warnings = _yield(case, details)
    _check_balance(case, details.cells_seeded, derived["harvested_viable_cells"], "counted")
    density = details.cells_seeded / (details.n_vessels * details.area_cm2)
    following = (batch.passage or 0) + 1
    return Plan(
        happened.Passaged,
        derived | {"passage": following, "density_per_cm2": density},
        warnings + _off_target("density", density, recipe.passage.reseed_density, recipe.seeding.tolerance),
        devices=(details.chamber,),
        passage=following,
    )


def harvest(case: Case, details: Harvest) -> Plan:
    """Detach the cells for the product, in a passage that the recipe uses."""
    batch, recipe = case.batch, case.facts.recipe.passage
    earliest = int(recipe.harvest_min.value)
    if batch.passage is None or batch.passage < earliest:
        raise refused(case, f"cells are used from P{earliest} on, these are P{batch.passage}; passage them")
    derived, warnings = _yield(case, details)
    return Plan(happened.Harvested, derived | {"passage": batch.passage}, warnings, passage=batch.passage)


def _yield(case: Case, details: Passage | Harvest) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Work out what came off the vessels and how it has grown."""
    batch, recipe = case.batch, case.facts.recipe
    _check_vessels(case, details.vessels)
    _check_sterility_sampled(case)
    present = batch.passage or 0
    counts = batch.counts_of("harvest", present, batch.passage_started_at or 0)
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
    if "sterility" in case.facts.recipe.qc.per_passage.texts and "sterility" not in drawn:
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
    factor = case.facts.recipe.passage.slowing_warning.value
    if before is None or grown.doubling_time_h is None or grown.doubling_time_h <= factor * before:
        return ()
    return (f"doubling time {grown.doubling_time_h:.0f} h, {before:.0f} h in the passage before",)


def _low_viability(case: Case, counted: PooledCount) -> Sequence[str]:
    seen = case.facts.recipe.release.viability_seen_min.value
    return (f"viability {counted.viability_pct:.1f} % is below {seen:g} %",) if counted.viability_pct < seen else ()


def _enzyme(case: Case, details: Passage | Harvest) -> Sequence[str]:
    wanted = case.facts.recipe.passage.enzyme_concentration.value
    return (
        (f"enzyme at {details.enzyme_pct:g} %, the recipe says {wanted:g} %",) if details.enzyme_pct != wanted else ()
    )
