"""Clocks, lineage, what is due, and the conditions of a chamber: worked by hand for both processes."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.batch import karussis
from tests.unit.batch.bench import Bench, before
from tests.unit.batch.conftest import BATCH_ID, OP, ST, WITNESS, Step
from tests.unit.batch.table import EXAMPLES, REACHED

from cultureops.batch import commands as do
from cultureops.batch.clocks import StageClock, clocks, minutes_out_of_storage
from cultureops.batch.conditions import Range, conditions
from cultureops.batch.due import due, due_list
from cultureops.batch.lineage import lineage, lots_used
from cultureops.batch.parts import Occupancy
from cultureops.batch.state import State
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS


def stages(bench: Bench) -> dict[str, float]:
    return {clock.stage: clock.minutes(bench.now) for clock in clocks(bench.known, bench.recipe)}


def test_an_interval_counts_until_now_while_it_runs() -> None:
    clock = StageClock("x", ((0, 10 * MINUTE_MS), (30 * MINUTE_MS, None)), 25.0, extra_min=3.0)
    assert (clock.started_at, clock.ended_at) == (0, None)
    assert clock.minutes(40 * MINUTE_MS) == 10 + 10 + 3
    assert clock.minutes(20 * MINUTE_MS) == 13, "nothing runs backwards"
    assert not clock.is_over(42 * MINUTE_MS) and clock.is_over(42 * MINUTE_MS + 1)
    assert not replace(clock, limit_min=None).is_over(10**12)


def test_the_stages_of_the_frozen_process() -> None:
    assert stages(before("thaw", "frozen")) == {"harvest to freezing": 10.0, "receipt to thaw": 0.0}
    early = {"harvest to freezing": 10.0, "receipt to thaw": 10.0}
    bench = before("wash 1", "frozen")
    thawed = bench.known.thaw
    assert thawed is not None and stages(bench) == early | {"thaw to first wash": 0.0}
    bench.now += 7 * MINUTE_MS
    assert stages(bench) == early | {"thaw to first wash": 7.0}
    bench = before("formulate", "frozen")
    # wash 1 ten minutes after the thaw; then wash 2 (10), two counts (1 each), resuspension (10), two counts (1 each)
    assert stages(bench) == early | {"thaw to first wash": 10.0, "wash to formulation": 24.0}
    bench = before("ship", "frozen")
    later = {"thaw to first wash": 10.0, "wash to formulation": 34.0, "formulation to dose": 0.0}
    assert stages(bench) == early | later
    bench = before("give IV", "frozen")
    told = stages(bench)
    assert told["formulation to dose"] == 10.0, "out of the shipper since the arrival"
    assert minutes_out_of_storage(bench.known, bench.recipe, bench.now) == 10 + 10 + 10 + 34 + 10


def test_the_stages_of_the_fresh_process() -> None:
    bench = before("resuspend")
    assert stages(bench) == {"harvest to formulation": 0.0}
    told = stages(before("sample IT"))
    assert told == {"harvest to formulation": 40.0, "formulation to dose": 0.0}
    done = before("late P0")
    last = max(dose.given_at or 0 for dose in done.known.doses)
    clock = clocks(done.known, done.recipe)[-1]
    assert clock.ended_at == last and clock.minutes(done.now + DAY_MS) == clock.minutes(done.now)


def test_without_a_fridge_the_clock_runs_until_the_shipment() -> None:
    bench = before("formulate", "frozen")
    bench.alter("formulate", stored_in=None)
    bench.play("formulate", "arrive")
    clock = clocks(bench.known, bench.recipe)[-1]
    made, shipped = bench.known.formulated_at, bench.known.shipped_at
    assert clock.intervals == ((made, shipped),)


def test_when_it_is_too_late() -> None:
    bench = before("wash 1", "frozen")
    thaw = bench.known.thaw
    assert thaw is not None
    (item,) = [item for item in due(bench.known, bench.recipe) if item.text == "first wash"]
    assert item.latest == thaw.ended_at + 15 * MINUTE_MS
    bench = before("formulate", "frozen")
    washed, made = bench.known.first_washed_at, bench.known.resuspension
    assert washed is not None and made is not None
    (item,) = [item for item in due(bench.known, bench.recipe) if item.text == "formulation"]
    assert item.latest == min(washed + 120 * MINUTE_MS, made.expires_at)


@pytest.mark.parametrize(
    ("kind", "step", "text", "role"),
    [
        ("frozen", "consent", "consent and marrow intake", "OP"),
        ("frozen", "isolate", "isolation", "OP"),
        ("frozen", "seed", "seeding", "OP"),
        ("frozen", "P0 first medium", "first medium change", "OP"),
        ("frozen", "P0 look", "medium change", "OP"),
        ("frozen", "passage 1", "passage", "OP"),
        ("frozen", "harvest", "harvest", "OP"),
        ("frozen", "freeze", "freezing", "OP"),
        ("frozen", "authorise", "authorise the thaw, when the patient is scheduled", "QA"),
        ("frozen", "transfer out", "pack the vials", "ST"),
        ("frozen", "transfer in", "receive the vials", "ST"),
        ("frozen", "thaw", "thaw", "OP"),
        ("frozen", "wash 1", "first wash", "OP"),
        ("frozen", "wash 2", "wash 2", "OP"),
        ("frozen", "resuspend", "count and resuspend", "OP"),
        ("labelled", "end label", "end the labelling", "OP"),
        ("labelled", "wash 1 again", "wash 1", "OP"),
        ("frozen", "formulate", "formulation", "OP"),
        ("frozen", "review", "review", "RV"),
        ("frozen", "release", "release decision", "QP"),
        ("frozen", "ship", "shipment", "ST"),
        ("frozen", "arrive", "receipt at the site", "CL"),
        ("frozen", "give IT", "administration", "CL"),
        ("frozen", "give IV", f"give container {BATCH_ID}.IV", "CL"),
        ("frozen", "close", "close the record", "QA"),
        ("fresh", "resuspend", "resuspension", "OP"),
        ("fresh", "P0 read endotoxin", f"read endotoxin {BATCH_ID}.P0-endotoxin", "QC"),
    ],
)
def test_what_is_due_next(kind: str, step: str, text: str, role: str) -> None:
    bench = before(step, kind)
    assert (text, role) in [(item.text, item.role) for item in due(bench.known, bench.recipe)]


def test_when_things_are_due() -> None:
    bench = before("sample sterility", "frozen")
    seeded = bench.known.culture_started_at
    assert seeded is not None
    items = {item.text: item for item in due(bench.known, bench.recipe)}
    assert items["draw the sterility sample"].at == seeded + 14 * DAY_MS
    changed = bench.known.medium_changed_at
    assert changed is not None
    assert (items["medium change"].at, items["medium change"].latest) == (changed + 3 * DAY_MS, changed + 4 * DAY_MS)
    bench.ask("sample sterility")
    items = {item.text: item for item in due(bench.known, bench.recipe)}
    assert "draw the sterility sample" not in items
    assert items[f"read sterility {BATCH_ID}.P0-sterility"].at == bench.now + 14 * DAY_MS
    labelled = before("end label", "labelled")
    (item,) = [item for item in due(labelled.known, labelled.recipe) if item.text == "end the labelling"]
    began = labelled.known.labelling
    assert began is not None
    assert (item.at, item.latest) == (began.started_at + 24 * HOUR_MS, began.started_at + 48 * HOUR_MS)


def test_the_list_over_all_batches_is_sorted_by_time() -> None:
    both = [(make().known, make().recipe) for make in (REACHED[State.CRYO], REACHED[State.HOLD], REACHED[State.CLOSED])]
    rows = due_list(both)
    assert [row.due.at for row in rows] == sorted(row.due.at for row in rows)
    assert {"decide on the hold"} <= {row.due.text for row in rows}
    assert not due(before("end").known, before("end").recipe), "nothing is due of a closed record"


def test_cells_in_are_cells_out_and_what_is_not_is_said() -> None:
    bench = before("end", "frozen")
    rows = {row.step: row for row in lineage(bench.known.history)}
    told = {step: (row.cells_in, row.cells_out, row.discarded_cells, row.lost_cells) for step, row in rows.items()}
    harvested = karussis.HARVESTED
    assert told["seeded"] == (40_000_000, 36_000_000, 4_000_000, 0)
    assert told["frozen"] == (harvested, 150_000_000, harvested - 150_000_000, 0)
    assert told["thawed"] == (80_000_000, 80_000_000, 0, 0)
    assert told["resuspended"] == (80_000_000, 72_000_000, 0, 8_000_000), "a tenth was lost by thaw and wash"
    assert told["formulated"] == (72_000_000, 72_000_000, 0, 0)
    assert rows["frozen"].children == tuple(vial.vial for vial in karussis.vials())
    assert rows["thawed"].parents == tuple(vial.vial for vial in karussis.vials()[:8])
    assert rows["formulated"].children == (f"{BATCH_ID}.IT", f"{BATCH_ID}.IV", "retained")
    assert [row.step for row in lineage(bench.known.history)][:4] == [
        "marrow_received", "isolated", "seeded", "passaged"]  # fmt: skip
    assert all(row.lost_cells is None or row.lost_cells >= 0 for row in lineage(bench.known.history))


def test_split_pooled_and_discarded_vessels_stand_in_the_lineage() -> None:
    bench = before("P0 look")
    bench.ask(EXAMPLES[do.Split])
    bench.ask(EXAMPLES[do.Pool])
    bench.ask(Step(do.Discard(vessels="both", n_vessels=1), OP, WITNESS, reason="leaked"))
    told = [(row.step, row.parents, row.children, row.cells_in) for row in lineage(bench.known.history)][-3:]
    assert told == [
        ("vessels_split", (f"{BATCH_ID}-P0",), ("left", "right"), None),
        ("vessels_pooled", ("left", "right"), ("both",), None),
        ("vessels_discarded", ("both",), ("discarded",), None),
    ]


def test_a_correction_reaches_the_lineage_and_the_lots() -> None:
    bench = before("seed")
    isolated = bench.events[-1]
    fixed = do.Correct(event_id=isolated.event_id, field="mnc_count", value=41_000_000)
    bench.ask(Step(fixed, reason="read the wrong line"))
    assert [row.cells_out for row in lineage(bench.known.history) if row.step == "isolated"] == [41_000_000]
    bench = before("release", "labelled")
    assert lots_used(bench.known.history) == ("F-1", "MED-1", "CRYO-1", "S-1", "FE-1", "PLL-1")


@pytest.mark.parametrize(
    ("vessels", "chamber_class", "wanted"),
    [
        (f"{BATCH_ID}-P0", "incubator", {"temperature": Range(36.0, 38.0), "co2": Range(4.0, 6.0)}),
        (f"{BATCH_ID}-labelling", "incubator", {"temperature": Range(36.0, 38.0), "co2": Range(4.0, 6.0)}),
        (f"{BATCH_ID}-vials", "cryostore", dict.fromkeys(("temp_a", "temp_b", "temperature"), Range(None, -135.0))),
        (f"{BATCH_ID}-doses", "refrigerator", {"temperature": Range(2.0, 8.0)}),
        (f"{BATCH_ID}-P0", "room", {}),
    ],
)
def test_what_a_recipe_asks_of_a_chamber(vessels: str, chamber_class: str, wanted: dict[str, Any]) -> None:
    for kind in ("frozen", "fresh"):
        recipe = before("consent", kind).recipe
        found = conditions(recipe, Occupancy(vessels, "x", 0), chamber_class)
        if kind == "fresh" and chamber_class == "cryostore":
            wanted = dict.fromkeys(wanted, Range(None, None))
        assert found == wanted


def test_without_a_tolerance_a_channel_is_only_recorded() -> None:
    recipe = before("consent").recipe
    culture = replace(recipe.culture, temperature_tolerance=None)
    found = conditions(replace(recipe, culture=culture), Occupancy("x", "y", 0), "incubator")
    assert found == {"temperature": Range(None, None), "co2": Range(4.0, 6.0)}


def test_a_store_is_looked_at_without_an_order_of_times() -> None:
    bench = before("authorise", "frozen")
    late = Step(do.CheckStorage(store="cryostore_1", temperature_c=-181.0), ST, reason="entered late")
    assert bench.ask(late, bench.known.since - 1).state is State.CRYO
