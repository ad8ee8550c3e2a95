"""The whole process of Karussis 2010, from marrow to a closed record, over a real ledger; its branch; its own doses."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.batch import karussis
from tests.unit.batch.bench import Bench, before, dispose
from tests.unit.batch.conftest import BATCH_ID, COUNTER, QA, RV, WITNESS, Lab, Step, count

from cultureops.batch import commands as do
from cultureops.batch.due import due
from cultureops.batch.recipe import load_recipe
from cultureops.batch.state import State
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS
from cultureops.errors import GateFailed, TransitionRefused
from cultureops.ledger import Actor


@pytest.fixture
def lab(lab: Lab) -> Lab:
    return replace(lab, steps=karussis.process(), recipe=load_recipe("karussis_2010"))


async def test_marrow_to_closed_record(lab: Lab) -> None:
    batch = await lab.play("end")
    assert batch is not None and batch.state is State.CLOSED
    assert batch.recipe.label == "karussis_2010 v1"
    assert not batch.refusals and not batch.open_deviations
    assert [wash.index for wash in batch.washes] == [1, 2]
    assert batch.residual_dmso_pct == pytest.approx(0.0440, abs=5e-5)
    assert len(batch.vials_in("thawed")) == 8 and len(batch.vials_in("stored")) == 7
    order = "frozen thaw_authorised transferred_out transferred_in thawed washed washed resuspended formulated reviewed"
    assert [event.type for event in batch.history if event.type in order.split()] == order.split()


async def test_skipping_the_second_wash_is_refused_with_the_residual(lab: Lab) -> None:
    await lab.play("resuspend", skip=("wash 2",))
    with pytest.raises(
        GateFailed, match=r"G7: 1 of 2 washes since the thaw; residual DMSO is estimated at 0\.30"
    ) as held:
        await lab.do("resuspend")
    assert (
        "% v/v" in str(held.value) and " mg in the intrathecal dose" in str(held.value) and BATCH_ID in str(held.value)
    )
    refused = lab.batch().refusals[-1]
    assert refused.command == "Resuspend" and refused.message == str(held.value)
    assert lab.batch().history[-1].data["gates"] == ["G7"]


def test_the_vector_of_two_washes() -> None:
    """10 % in 8.8 mL, twice 40 mL added and 1 mL left, taken up to 6 mL: 1.803, 0.0440 and 0.00733 % v/v."""
    batch = before("count washed 1", "frozen").known
    assert [wash.residual_dmso_pct for wash in batch.washes] == pytest.approx([1.803, 0.0440], rel=1e-3)
    washed = [event.data for event in batch.history if event.type == "washed"]
    assert washed[1]["residual_dmso_mg_per_ml"] == pytest.approx(0.0440 * 11.0, rel=2e-3)


async def test_the_label_branch_over_a_real_ledger(lab: Lab) -> None:
    lab.steps = karussis.process(label_arm=True)
    batch = await lab.play("wash 1 again")
    assert batch is not None
    assert batch.stage == "WASHED(0)" and batch.washes == () and batch.label_arm
    assert batch.labelling is not None and batch.labelling.ended_at is not None
    assert "wash 1" in [item.text for item in due(batch, lab.recipe)]
    stay = next(stay for stay in batch.occupancies if stay.vessels == f"{BATCH_ID}-labelling")
    assert (stay.chamber, stay.placed, stay.taken) == ("incubator_1", *_label_times(batch.labelling))
    for name in ("wash 1 again", "wash 2 again"):
        batch = await lab.do(name)
    assert batch.stage == "WASHED(2)" and [wash.index for wash in batch.washes] == [1, 2]
    rest = list(lab.steps)
    for name in rest[rest.index("count washed 1") :]:
        batch = await lab.do(name)
    assert batch.state is State.CLOSED and not batch.refusals
    assert RV.id in batch.operators and batch.reviewers == {karussis.REVIEWER.id}
    assert [event.type for event in batch.history].count("washed") == 4


def _label_times(labelling: Any) -> tuple[int, int]:
    return labelling.started_at, labelling.ended_at


def test_a_witness_of_the_labelling_does_not_review_the_batch() -> None:
    bench = before("review", "labelled")
    bench.change("review", actor=RV)
    with pytest.raises(TransitionRefused, match="reviewer-1 operated on this batch; somebody else must review it"):
        bench.ask("review")


def test_labelling_belongs_to_its_arm() -> None:
    bench = before("count washed 1", "frozen")
    with pytest.raises(TransitionRefused, match="not to be labelled: the consent does not name the label arm"):
        bench.ask(Step(karussis.start_labelling(), witness=RV))
    assert bench.known.state is State.WASHED


def test_labelling_waits_for_both_washes_and_happens_once() -> None:
    with pytest.raises(TransitionRefused, match="1 of 2 washes since the thaw; wash before labelling"):
        before("wash 2", "labelled").ask("label")
    with pytest.raises(TransitionRefused, match="these cells were labelled already"):
        before("count washed 1", "labelled").ask("label")


@pytest.mark.parametrize("witness", [None, WITNESS, Actor("qc-1", "QC")])
def test_labelling_is_watched_by_a_reviewer(witness: Actor | None) -> None:
    for step in ("label", "end label"):
        bench = before(step, "labelled")
        bench.change(step, witness=witness)
        with pytest.raises(TransitionRefused, match=r"needs a second person \(QA, RV\) as witness"):
            bench.ask(step)


@pytest.mark.parametrize("hours", [24, 36, 48])
def test_labelling_of_24_to_48_hours(hours: int) -> None:
    bench = before("end label", "labelled")
    bench.change("end label", after_ms=hours * HOUR_MS)
    batch = bench.ask("end label")
    assert batch.stage == "WASHED(0)" and not batch.open_deviations and batch.history[-1].data["hours"] == hours


def test_labelling_too_short_waits_too_long_deviates() -> None:
    bench = before("end label", "labelled")
    bench.change("end label", after_ms=24 * HOUR_MS - MINUTE_MS)
    with pytest.raises(TransitionRefused, match=r"labelled for 24\.0 h, the process has 24 to 48 h; wait"):
        bench.ask("end label")
    bench.change("end label", after_ms=25 * HOUR_MS)
    (opened,) = bench.ask("end label").open_deviations
    assert (opened.severity, opened.subject) == ("major", "labelling time")


def test_washes_after_the_labelling_begin_with_its_volume() -> None:
    bench = before("wash 1 again", "labelled")
    bench.alter("wash 1 again", vol_before_ml=1.0)
    with pytest.raises(TransitionRefused, match="wash 1 begins with 1 mL, there were 30 mL"):
        bench.ask("wash 1 again")


def by_the_paper(it: float, iv: float, **changes: Any) -> Bench:
    """Return a batch to be formulated with a dose pair of the paper [10^6 cells], each in 2 mL."""
    total = it + iv + 3.0
    bench = before("authorise", "frozen")
    bench.change("authorise", details=karussis.authorise(11))
    bench.change("thaw", details=karussis.thaw(volume_ml=12.1))
    bench.alter("wash 1", vol_before_ml=12.1, vol_added_ml=60.0)
    for n in (1, 2):
        bench.change(f"count washed {n}", details=count(f"washed-{n}", total, 91.0 + n))
    bench.alter("resuspend", volume_ml=total / 12.0)
    doses = tuple(
        do.Dose(route=route, viable_cells=round(cells * 1e6), volume_ml=2.0, container=f"{BATCH_ID}.{route}")
        for route, cells in (("IT", it), ("IV", iv))
    )
    bench.alter("formulate", **{"doses": doses} | changes)
    bench.play("authorise", "formulate")
    return bench


PAIRS = [(63.2, 24.5, 0.721, "31.6"), (54.7, 23.4, 0.700, "27.4")]


@pytest.mark.parametrize(("it", "iv", "share", "density"), PAIRS, ids=["MS", "ALS"])
def test_the_paper_s_own_doses_pass_the_split_and_are_flagged(it: float, iv: float, share: float, density: str) -> None:
    bench = by_the_paper(it, iv)
    batch = bench.ask("formulate")
    assert it / (it + iv) == pytest.approx(share, abs=5e-4) and abs(share - 2 / 3) <= 0.08
    warnings: Any = batch.history[-1].data["warnings"]
    assert warnings == [f"IT dose at {density} x 10^6/mL, the recipe states 10 to 15"]
    assert bench.play("sample IT", "close").state is State.ADMINISTERED


@pytest.mark.parametrize(
    ("it", "iv", "said"),
    [
        (66.0, 22.0, r"IT dose is 0\.750 of all doses, 0\.667 ± 0\.08 expected"),
        (50.0, 36.0, r"IT dose is 0\.581 of all doses"),
        (43.0, 43.0, r"IT dose is 0\.500 of all doses"),
        (24.5, 63.2, r"IT dose is 0\.279 of all doses"),
    ],
)
def test_other_splits_are_refused(it: float, iv: float, said: str) -> None:
    with pytest.raises(TransitionRefused, match=said):
        by_the_paper(it, iv).ask("formulate")


def test_doses_and_retained_cells_are_what_was_suspended() -> None:
    for retained, said in ((20_000_000, "107,700,000, resuspended were 90,7"), (0, None)):
        bench = by_the_paper(63.2, 24.5, retained_cells=retained)
        if said is None:
            assert bench.ask("formulate").state is State.FORMULATED
            continue
        with pytest.raises(TransitionRefused, match=said):
            bench.ask("formulate")


@pytest.mark.parametrize(
    ("step", "fields", "said"),
    [
        ("freeze", {"dmso_pct": 5.0}, "DMSO 5 %, the process has 10 %; give a reason"),
        ("freeze", {"store_temperature_c": -134.9}, "the store is at -134.9 °C, vials are kept at -135 °C or below"),
        ("freeze", {"discarded_cells": 0}, "32,250,000 of the 182,250,000 cells that were harvested are not accounted"),
        ("freeze", {"cells_per_vial": 20_000_000}, "can't come from the 182,250,000 that were harvested"),
        ("authorise", {"vials": ("other",)}, "vial other is none of this batch's; stop and check the label"),
        ("authorise", {"vials": (f"{BATCH_ID}.V01",) * 2}, "V01 is named twice"),
        ("transfer out", {"probe_temperature_c": -69.9}, "the shipper is at -69.9 °C, dry ice keeps -70 °C or below"),
        ("thaw", {"bath_temperature_c": 38.1}, "the bath is at 38.1 °C, 37 ± 1 expected"),
        ("thaw", {"bath_temperature_c": 35.9}, "the bath is at 35.9 °C, 37 ± 1 expected"),
        ("wash 1", {"index": 2}, "this would be wash 1, not 2"),
        ("wash 2", {"index": 1}, "this would be wash 2, not 1"),
        ("wash 1", {"vol_before_ml": 9.0}, "wash 1 begins with 9 mL, there were 8.8 mL"),
        ("wash 2", {"vol_before_ml": 2.0}, "wash 2 begins with 2 mL, there were 1 mL"),
        ("wash 1", {"vol_left_ml": 60.0}, "can't leave 60 mL"),
        ("resuspend", {"viable_density_1e6_per_ml": 14.0}, "84,000,000 cells in suspension, 72,000,000 were counted"),
    ],
)
def test_wrong_contents_are_refused(step: str, fields: dict[str, Any], said: str) -> None:
    bench = before(step, "frozen")
    bench.alter(step, **fields)
    present = bench.batch
    with pytest.raises(TransitionRefused) as refused:
        bench.ask(step)
    assert said in str(refused.value) and "\n" not in str(refused.value) and bench.batch is present


def test_the_appointment_lies_ahead() -> None:
    bench = before("authorise", "frozen")
    bench.alter("authorise", scheduled_for=bench.now + 6 * DAY_MS)
    with pytest.raises(TransitionRefused, match="the patient's appointment must lie ahead"):
        bench.ask(replace(bench.steps["authorise"], actor=QA))


@pytest.mark.parametrize(("started", "ended"), [(-10, -7), (5, 4), (9, 11), (5, 5)])
def test_a_thaw_happens_after_the_vials_came_and_before_it_is_recorded(started: int, ended: int) -> None:
    bench = before("thaw", "frozen")
    bench.alter("thaw", started_at=bench.now + started * MINUTE_MS, ended_at=bench.now + ended * MINUTE_MS)
    with pytest.raises(TransitionRefused, match="a thaw starts after the vials arrived and before it ends"):
        bench.ask("thaw")


def test_remarks_stop_nothing() -> None:
    bench = before("freeze", "frozen")
    bench.alter("freeze", cooling_c_per_min=-10.0)
    bench.alter("thaw", ended_at=6 * MINUTE_MS)
    bench.alter("resuspend", volume_ml=4.5, viable_density_1e6_per_ml=16.0)
    bench.play("freeze", "formulate")
    frozen_at = bench.known.frozen_at or 0
    late = [event for event in bench.known.history if event.occurred_at >= frozen_at]
    said = [str(warning) for event in late for warning in event.data.get("warnings", ())]  # type: ignore[union-attr]
    assert said == [
        "cooled at -10 °C/min, the recipe says -1 or slower",
        "thawing took 6.0 min, the recipe says 5 at most",
        "suspension at 16 x 10^6/mL, the recipe states 10 to 15",
    ]


def test_a_reason_allows_another_cryo_medium_and_the_residual_follows_it() -> None:
    bench = before("freeze", "frozen")
    bench.alter("freeze", dmso_pct=5.0)
    bench.change("freeze", reason="lot of the manufacturer holds 5 %")
    bench.play("freeze", "authorise")
    (deviation,) = bench.known.open_deviations
    assert deviation.severity == "major" and "DMSO 5 % instead of 10 %" in deviation.description
    dispose(bench)
    bench.play("authorise", "count washed 1")
    assert bench.known.residual_dmso_pct == pytest.approx(0.0220, abs=5e-5)


def test_the_fresh_recipe_knows_no_freezer() -> None:
    bench = before("resuspend")
    with pytest.raises(TransitionRefused, match="tavakol_afshari_2021 v2 has no freezing: its product is fresh"):
        bench.ask(Step(karussis.freeze(), witness=WITNESS))
    frozen = before("freeze", "frozen")
    with pytest.raises(TransitionRefused, match="karussis_2010 v1 resuspends washed cells"):
        frozen.ask("resuspend")


def test_a_marker_at_98_per_cent_is_remarked_not_refused() -> None:
    bench = before("read identity", "frozen")
    bench.alter("read identity", panel=karussis.PANEL | {"CD105": 98.0})
    bench.play("read identity", "ship")
    released = bench.known.history[-1]
    assert released.data["warnings"] == ["CD105 98 % is not above the 98 % of the paper"]


def test_a_held_count_after_the_wash_waits_for_a_person() -> None:
    bench = before("count washed 2", "frozen")
    held = do.HoldCount(
        sample_id=f"{BATCH_ID}.washed-2",
        device="counter_1",
        counted_at_local="2026-03-01T09:00:00",
        source_file="x.csv",
        source_sha256="ab" * 32,
        reasons=("viability is missing",),
        raw={},
    )
    bench.ask(Step(held, COUNTER, after_ms=MINUTE_MS))
    assert f"decide on held count {BATCH_ID}.washed-2" in [item.text for item in due(bench.known, bench.recipe)]
    with pytest.raises(GateFailed, match="G8: washed counts: 1 found"):
        bench.ask("resuspend")


async def test_a_thawed_volume_below_that_of_the_vials_is_refused(lab: Lab) -> None:
    await lab.play("thaw")
    lab.change("thaw", details=karussis.thaw(volume_ml=4.4))
    with pytest.raises(TransitionRefused, match=r"4\.4 mL were thawed, the vials hold 8\.8 mL"):
        await lab.do("thaw")


async def test_a_figure_that_was_decided_on_is_corrected_with_a_deviation(lab: Lab) -> None:
    batch = await lab.play("freeze")
    assert batch is not None
    counted = next(event for event in batch.history if event.data.get("sample_id") == f"{BATCH_ID}.P2-harvest-1")
    slip = do.Correct(event_id=counted.event_id, field="viability_pct", value=75.0)
    batch = await lab.do(Step(slip, witness=WITNESS, reason="read the wrong line"))
    (deviation,) = batch.open_deviations
    assert deviation.severity == "major" and "after harvested had been decided on it" in deviation.description
    early = next(event for event in batch.history if event.type == "confluence_observed")
    assert early.version < counted.version
