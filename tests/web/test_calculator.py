"""Calculators beside the fields: figures one can work out by hand, limits with their source, one line for garbage."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from cultureops.batch.batch import Batch
from cultureops.batch.parts import QcReading, QcSample, RecipeRef, Resuspension, ThawRecord, WashRecord
from cultureops.batch.recipe import find_recipe
from cultureops.batch.rules import RULES
from cultureops.batch.state import State
from cultureops.web.calculator import Basis, Result, Sheet, calculators, worked_out

FRESH, FROZEN = "tavakol_afshari_2021", "karussis_2010"
STEPS = ("Isolate", "AcceptCount", "Seed", "Passage", "Harvest", "Wash", "Resuspend", "Formulate", "Administer")


def basis(recipe: str, **known: object) -> Basis:
    ref = RecipeRef(recipe, 1, "0" * 64)
    batch = Batch("B-1", "COI-7F3K2", ref, State.CREATED, 1, 0, 0).changed(**known)
    return Basis(batch, find_recipe(recipe), 0)


def sheet(step: str, name: str, known: Basis, **typed: str) -> Sheet:
    found = worked_out(step, name, known, {f"work.{name}.{field}": text for field, text in typed.items()})
    assert found is not None
    return found


def results(found: Sheet) -> Mapping[str, Result]:
    assert not found.said, found.said
    return {one.label: one for one in found.results}


def test_seeding_takes_the_recipe_and_what_was_isolated() -> None:
    known = basis(FRESH, mnc_count=40_000_000)
    (filled,) = calculators("Seed", known)
    found = results(filled)
    assert found["Vessels"].typed == "13"  # 3e6 cells on 175 cm2 each: 13 flasks and a million cells over
    assert filled.typed("cells_total") == "39000325"  # 17,143 per cm2 is the paper's 3e6 / 175, rounded up
    assert "T 2.4" in filled.asked[1].known
    twelve = sheet("Seed", "seeding", known, wanted="12", suspension="2")
    assert results(twelve)["Vessels"].typed == "12"
    assert twelve.typed("cells_total") == "36000300"
    assert twelve.typed("discarded_cells") == "3999700"
    assert results(twelve)["Suspension per vessel"].shown == "1.5"


def test_washing_says_what_is_left_how_often_still_and_what_the_dose_brings() -> None:
    thawed = ThawRecord(0, 0, 30_000_000, 3.0, 10.0)
    known = basis(FROZEN, thaw=thawed, residual_dmso_pct=10.0)
    found = results(sheet("Wash", "wash", known, added="27", left="1", final="10", dose="2"))
    assert found["DMSO after this wash"].shown == "1"  # 10 % x 3 / 30
    assert found["DMSO after this wash"].verdict == "beyond"
    assert found["Washes needed after this one"].shown == "1"  # 1 % x 1 / 28 is below 0.1 %
    assert found["DMSO when taken up"].shown == "0.1"
    assert found["DMSO when taken up"].verdict == "within"
    assert found["DMSO in the dose"].shown == "2.2"  # 0.1 % of 1.10 g/mL in 2 mL
    assert found["DMSO in the dose"].verdict == "beyond"
    assert "1 mg" in found["DMSO in the dose"].source
    once = known.batch.changed(washes=(WashRecord(1, 0, 3, 27, 1, 1.0),), residual_dmso_pct=1.0)
    (again,) = calculators("Wash", replace(known, batch=once))
    assert {one.name: one.value for one in again.asked}["before"] == "1"
    assert "Wash" in [step.__name__ for step in RULES]
    assert calculators("Wash", basis(FRESH)) == ()  # a fresh product is never washed


def test_doses_follow_weight_or_share_and_say_what_they_bring() -> None:
    endotoxin = QcSample("B-1.E", "endotoxin", 2, "product", "IT", 0, (QcReading(0, "measured", True, 2.0, ()),))
    made = Resuspension(0, 150_000_000, 4.0, 0)
    known = basis(FRESH, resuspension=made, weight_kg=70.0, qc=(endotoxin,))
    found = results(sheet("Formulate", "dose", known, volume_IV="50"))
    assert found["IT: cells"].typed == found["IV: cells"].typed == "70000000"  # 1e6 per kg
    assert found["IT: suspension that holds them"].shown == "1.87"  # 70e6 of 37.5e6/mL
    assert found["IV: runs for"].shown == "25"  # 50 mL at 120 mL/h
    assert found["IT: endotoxin"].shown == "0.0571"  # 2 EU/mL x 2 mL / 70 kg
    assert found["IT: endotoxin"].verdict == "within"
    assert found["Cells kept back"].typed == "10000000"
    too_few = results(sheet("Formulate", "dose", known, available="1e8", volume_IV="50", density="10"))
    assert (too_few["Cells kept back"].verdict, too_few["Cells kept back"].typed) == ("beyond", "")
    assert too_few["IT: suspension that holds them"].verdict == "beyond"  # 7 mL do not go into 2
    shared = results(sheet("Formulate", "dose", basis(FROZEN), given="6e7", density="12", volume_IT="4", volume_IV="2"))
    assert shared["IT: cells"].typed == "40002000"
    assert shared["IV: cells"].typed == "19998000"


def test_a_count_in_a_chamber_gives_densities_and_viability() -> None:
    found = results(sheet("AcceptCount", "count", basis(FRESH), live="190", dead="10", squares="4", dilution="2"))
    assert found["Viable density"].typed == "0.95"  # 190 / 4e-4 mL x 2
    assert found["Viability"].typed == "95"
    isolating = sheet("Isolate", "count", basis(FRESH), live="190", dead="10")
    assert [one.field for one in isolating.results] == ["", "", "viability_pct"]  # only what the step asks for


@pytest.mark.parametrize(
    "garbage", ["", "x", "nan", "inf", "-3", "0", "1e999", "1_000", "3,5", "9" * 400, "<b>", "\u202e3"]
)
def test_garbage_is_one_line_and_never_a_number(garbage: str) -> None:
    for recipe in (FRESH, FROZEN):
        for step in STEPS:
            for empty in calculators(step, basis(recipe)):
                for one in empty.asked:
                    typed = {f"work.{empty.name}.{other.name}": other.value or "2" for other in empty.asked}
                    found = worked_out(
                        step, empty.name, basis(recipe), {**typed, f"work.{empty.name}.{one.name}": garbage}
                    )
                    assert found is not None
                    assert "\n" not in found.said
                    assert len(found.said) < 200
                    assert all("nan" not in r.shown and "inf" not in r.shown for r in found.results)
