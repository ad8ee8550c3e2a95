"""What grew and what became of it: passages, counts, vials, washes, doses, time out of storage."""

from __future__ import annotations

from typing import Any, Final

from cultureops.analysis.counting import replicates
from cultureops.analysis.dose import cells_per_kg, concentration_1e6_per_ml
from cultureops.analysis.wash import NO_HOLD_UP, Residual, residual
from cultureops.batch.batch import Batch
from cultureops.batch.clocks import clocks, minutes_out_of_storage
from cultureops.batch.parts import DoseRecord, PassageRecord
from cultureops.clock import HOUR_MS
from cultureops.report.batch_record.words import Row, Words, number

__all__ = [
    "clock_rows",
    "confluence_rows",
    "count_rows",
    "dose_rows",
    "formulas",
    "passage_rows",
    "vial_rows",
    "wash_rows",
]

MILLION: Final = 1e6


def passage_rows(words: Words) -> list[Row]:
    """Return what grew in each passage; figures that are undefined are None."""
    return [_passage(words, passage) for passage in words.dossier.batch.passages]


def _passage(words: Words, passage: PassageRecord) -> Row:
    cells, spread = passage.harvested_viable_cells, _spread_pct(words, passage.passage)
    return {
        "passage": f"P{passage.passage}",
        **words.at("seeded_at", passage.seeded_at),
        **words.at("detached_at", passage.detached_at),
        "hours": round((passage.detached_at - passage.seeded_at) / HOUR_MS, 2),
        "seeded_cells": passage.seeded_cells,
        "seeded_text": number(passage.seeded_cells / MILLION),
        "viable_cells": cells,
        "viable_text": number(cells / MILLION),
        "sd_cells": None if spread is None else cells * spread / 100,
        "cv_pct": spread,
        "viability_pct": passage.viability_pct,
        "viability_text": f"{passage.viability_pct:.1f}",
        "population_doublings": passage.population_doublings,
        "doublings_text": number(passage.population_doublings),
        "doubling_time_h": passage.doubling_time_h,
        "doubling_time_text": number(passage.doubling_time_h),
    }


def _spread_pct(words: Words, passage: int) -> float | None:
    """Return the coefficient of variation of the harvest's replicate counts [%]; None for fewer than two."""
    densities = [count.viable_density_1e6_per_ml for count in words.dossier.batch.counts_of("harvest", passage)]
    return replicates(densities).cv_pct if densities else None


def count_rows(words: Words) -> list[Row]:
    """Return every count that counts, and those that are held for a person."""
    batch = words.dossier.batch
    counted: list[Row] = [
        {
            "sample_id": count.sample_id,
            **words.at("at", count.at),
            "device": count.device,
            "viable_density_1e6_per_ml": count.viable_density_1e6_per_ml,
            "density_text": number(count.viable_density_1e6_per_ml),
            "viability_pct": count.viability_pct,
            "viability_text": f"{count.viability_pct:g}",
            "held": "",
        }
        for count in batch.counts
    ]
    held: list[Row] = [
        {
            "sample_id": count.sample_id,
            **words.at("at", count.at),
            "device": count.device,
            "density_text": "–",
            "viability_text": "–",
            "held": f"HELD: {'; '.join(count.reasons)}",
        }
        for count in batch.held_counts
    ]
    return counted + held


def confluence_rows(words: Words) -> list[Row]:
    """Return every look at the cells; a reading of an image that may be far off is ``unsure``."""
    return [
        {
            **words.at("at", seen.at),
            "at_ms": seen.at,
            "passage": f"P{seen.passage}",
            "pct": seen.pct,
            "unsure": seen.unsure,
        }
        for seen in words.dossier.batch.confluences
    ]


def vial_rows(words: Words) -> list[Row]:
    """Return the frozen vials and how far each has come."""
    return [
        {
            "vial": vial.id,
            "cells": vial.cells,
            "cells_text": number(vial.cells / MILLION),
            "volume_ml": vial.volume_ml,
            "status": vial.status.replace("_", " "),
            "place": "–" if vial.place is None else vial.place.label,
        }
        for vial in words.dossier.batch.vials
    ]


def wash_rows(words: Words) -> list[Row]:
    """Return the washes since the last thaw or labelling, with the DMSO that each leaves at most."""
    return [
        {
            "index": wash.index,
            **words.at("at", wash.at),
            "vol_before_ml": wash.vol_before_ml,
            "vol_added_ml": wash.vol_added_ml,
            "vol_left_ml": wash.vol_left_ml,
            "residual_dmso_pct": wash.residual_dmso_pct,
            "residual_text": number(wash.residual_dmso_pct, 4),
        }
        for wash in words.dossier.batch.washes
    ]


def dose_rows(words: Words) -> list[Row]:
    """Return the doses with what they are compared with: cells per kg or share of all, density, DMSO."""
    return [_dose(words, dose) for dose in words.dossier.batch.doses]


def _dose(words: Words, dose: DoseRecord) -> Row:
    batch, route = words.dossier.batch, words.dossier.recipe.dose.routes.get(dose.route)
    whole = sum(other.viable_cells for other in batch.doses)
    per_kg = None if batch.weight_kg is None else cells_per_kg(dose.viable_cells, batch.weight_kg)
    left, made = _residual(batch), batch.resuspension
    dmso_mg = None
    if left is not None and made is not None:
        dmso_mg = left.mg_in(made.volume_ml * dose.viable_cells / made.viable_cells)
    wanted = "–"
    if route is not None and route.cells_per_kg is not None:
        wanted = f"{number(route.cells_per_kg.value / MILLION)} × 10⁶/kg"
    elif route is not None and route.fraction is not None:
        wanted = f"{route.fraction.value:.3f} of all cells"
    return {
        "route": dose.route,
        "container": dose.container,
        "viable_cells": dose.viable_cells,
        "cells_text": number(dose.viable_cells / MILLION),
        "volume_ml": dose.volume_ml,
        "volume_text": f"{dose.volume_ml:g}",
        "density_text": number(concentration_1e6_per_ml(dose.viable_cells, dose.volume_ml)),
        "cells_per_kg": per_kg,
        "found_text": f"{dose.viable_cells / whole:.3f} of all cells"
        if per_kg is None
        else f"{number(per_kg / MILLION)} × 10⁶/kg",
        "wanted": wanted,
        "dmso_mg": dmso_mg,
        "dmso_text": number(dmso_mg),
        **words.at("given_at", dose.given_at),
    }


def _residual(batch: Batch) -> Residual | None:
    """Return the DMSO in the product's suspension, at most; None where nothing was washed."""
    made, pct = batch.resuspension, batch.residual_dmso_pct
    if made is None or pct is None or not batch.washes:
        return None
    return residual(pct, batch.washes[-1].vol_left_ml, (), made.volume_ml)


def clock_rows(words: Words) -> list[Row]:
    """Return the time out of controlled storage, stage by stage and in all, against the recipe's limits (G17)."""
    batch, recipe, until = words.dossier.batch, words.dossier.recipe, words.dossier.until
    rows: list[Row] = [
        {
            "stage": clock.stage,
            **words.at("started_at", clock.started_at),
            **words.at("ended_at", clock.ended_at),
            "minutes": round(clock.minutes(until), 1),
            "limit_min": clock.limit_min,
            "limit_text": number(clock.limit_min),
            "is_over": clock.is_over(until),
        }
        for clock in clocks(batch, recipe)
    ]
    if rows and recipe.hold is not None:
        minutes, limit = minutes_out_of_storage(batch, recipe, until), recipe.hold.total_max.value
        rows.append(
            {
                "stage": "in all",
                "started_at_text": "",
                "ended_at_text": "",
                "minutes": round(minutes, 1),
                "limit_min": limit,
                "limit_text": number(limit),
                "is_over": minutes > limit,
            }
        )
    return rows


def formulas(words: Words) -> list[str]:
    """Return the calculations of this batch in words, with their numbers put in."""
    batch = words.dossier.batch
    said = [
        f"{row['passage']}: PD = log₂({row['viable_text']} / {row['seeded_text']}) = {row['doublings_text']}; "
        f"PDT = {number(row['hours'])} h / {row['doublings_text']} = {row['doubling_time_text']} h"
        for row in passage_rows(words)
        if row["doubling_time_h"] is not None
    ]
    before = None if batch.thaw is None or batch.labelling is not None else batch.thaw.dmso_pct
    for wash in batch.washes:
        if before is not None:
            said.append(
                f"wash {wash.index}: {number(before, 4)} % × {wash.vol_before_ml:g} / ({wash.vol_before_ml:g} + "
                f"{wash.vol_added_ml:g}) = {number(wash.residual_dmso_pct, 4)} % DMSO at most"
            )
        before = wash.residual_dmso_pct
    made, left = batch.resuspension, _residual(batch)
    if made is not None and left is not None:
        last = batch.washes[-1]
        said.append(
            f"resuspension: {number(last.residual_dmso_pct, 4)} % × {last.vol_left_ml:g} / {made.volume_ml:g} = "
            f"{number(left.pct_v_v, 3)} % = {number(left.mg_per_ml)} mg/mL DMSO at most"
        )
        said.append(f"DMSO is an {NO_HOLD_UP}")
    retained: Any = next((e.data.get("retained_cells") for e in batch.history if e.type == "formulated"), None)
    if made is not None and retained is not None and batch.doses:
        dosed = sum(dose.viable_cells for dose in batch.doses)
        said.append(
            f"balance: {number(dosed / MILLION, 4)} × 10⁶ in doses + {number(retained / MILLION, 4)} × 10⁶ retained "
            f"against {number(made.viable_cells / MILLION, 4)} × 10⁶ resuspended "
            f"({100 * ((dosed + retained) / made.viable_cells - 1):+.1f} %)"
        )
    return said
