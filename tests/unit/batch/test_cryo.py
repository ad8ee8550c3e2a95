"""Vials, vessels and their places: moved, discarded, carried; and what the ledger lets one batch hold at a time."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.batch import karussis
from tests.unit.batch.bench import Bench, before, transplant
from tests.unit.batch.conftest import (
    BATCH_ID,
    EQUIPMENT,
    LOTS,
    OP,
    QA,
    SCANS,
    ST,
    START,
    WITNESS,
    Lab,
    Step,
    ending_at,
    formulate,
    seed,
)
from tests.unit.batch.table import EXAMPLES, REACHED, STATES, move_vials

from cultureops.batch import commands as do
from cultureops.batch.batch import Batch, stream_of
from cultureops.batch.facts import Facts
from cultureops.batch.handler import execute
from cultureops.batch.recipe import find_recipe, load_recipe
from cultureops.batch.state import State
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, SeededEntropy, SteppedClock
from cultureops.errors import TransitionRefused
from cultureops.ledger import Actor, SqlLedger

LAST = karussis.vials()[-1].vial


def stays(batch: Batch) -> list[tuple[str, bool]]:
    return [(s.chamber, s.taken is None) for s in batch.occupancies if s.vessels == f"{BATCH_ID}-vials"]


def test_frozen_vials_stand_in_their_store_until_they_leave_it() -> None:
    bench = before("check storage", "frozen")
    assert stays(bench.known) == [("cryostore_1", True)]
    bench.ask(EXAMPLES[do.MoveVials])
    assert stays(bench.known) == [("cryostore_1", True), ("cryostore_2", True)]
    places = {vial.id: vial.place for vial in bench.known.vials}
    assert places[LAST] == karussis.place("A2", "cryostore_2")
    moved = bench.events[-1]
    assert sorted(moved.releases) == ["place:cryostore_1/r1/b1/a14", "place:cryostore_1/r1/b1/a15"]
    assert sorted(moved.claims) == ["place:cryostore_2/r1/b1/a1", "place:cryostore_2/r1/b1/a2"]
    bench.play("check storage", "transfer out")
    batch = bench.ask("transfer out")
    assert len(batch.vials_in("in_transfer")) == 8 and len(batch.vials_in("stored")) == 7
    assert all(vial.place is None for vial in batch.vials_in("in_transfer"))
    assert stays(batch) == [("cryostore_1", True), ("cryostore_2", True)], "seven vials stay behind"


def test_vials_in_two_stores_are_two_stays_and_each_ends_when_it_is_empty() -> None:
    bench = before("check storage", "frozen")
    bench.ask(Step(move_vials(15), ST, WITNESS))
    assert stays(bench.known) == [("cryostore_1", False), ("cryostore_2", True)]
    first, second = bench.known.occupancies[-2:]
    assert first.taken == second.placed == bench.now


@pytest.mark.parametrize("state", sorted(STATES[do.MoveVials], key=lambda state: state.step))
def test_stored_vials_can_be_saved_from_a_failing_tank_at_any_time(state: State) -> None:
    bench = REACHED[state]() if state in FROZEN_ONLY else _frozen_in(state)
    assert bench.known.state is state
    batch = bench.ask(EXAMPLES[do.MoveVials])
    assert batch.state is state and stays(batch)[-1] == ("cryostore_2", True)
    assert bench.ask(Step(do.CheckStorage(store="cryostore_2", temperature_c=-180.0), ST)).state is state


FROZEN_ONLY = frozenset({S for S in State if S.step in range(14, 21)} | {State.HOLD})


def _frozen_in(state: State) -> Bench:
    steps = {
        State.RESUSPENDED: "formulate",
        State.FORMULATED: "review",
        State.REVIEWED: "release",
        State.RELEASED: "ship",
        State.SHIPPED: "arrive",
        State.RECEIVED_AT_SITE: "give IT",
        State.ADMINISTERED: "give IV",
    }
    bench = before(steps.get(state, "ship"), "frozen")
    if state is State.CONDITIONALLY_RELEASED:
        bench.batch = bench.known.changed(state=state)
    return bench


@pytest.mark.parametrize(
    ("details", "said"),
    [
        (move_vials(2, "cryostore_9"), "nothing is on record about cryostore_9"),
        (do.MoveVials(vials=(do.Vial(vial="other", place=karussis.place("A9")),)), "vial other is none of this batch"),
        (
            do.MoveVials(vials=tuple(do.Vial(vial=LAST, place=karussis.place(p)) for p in ("B1", "B2"))),
            f"vial {LAST} is named twice",
        ),
        (
            do.MoveVials(vials=tuple(do.Vial(vial=v.vial, place=karussis.place("B1")) for v in karussis.vials()[:2])),
            "place cryostore_1 / R1 / B1 / B1 is named twice",
        ),
    ],
)
def test_a_move_names_its_own_vials_and_free_places(details: do.MoveVials, said: str) -> None:
    with pytest.raises(Exception, match=said):
        before("authorise", "frozen").ask(Step(details, ST, WITNESS))


def test_thawed_vials_stay_thawed() -> None:
    first = karussis.vials()[0].vial
    for step, status in (("transfer in", "in_transfer"), ("thaw", "received"), ("wash 1", "thawed")):
        bench = before(step, "frozen")
        for details in (
            do.MoveVials(vials=(do.Vial(vial=first, place=karussis.place("Z1")),)),
            do.DiscardVials(vials=(first,)),
        ):
            with pytest.raises(TransitionRefused, match=f"vial {first} is {status}, not stored or authorised"):
                bench.ask(Step(details, ST, WITNESS, reason="tank fails"))


def test_discarded_vials_leave_their_place_with_a_reason_and_a_second_person() -> None:
    bench = before("authorise", "frozen")
    discard = EXAMPLES[do.DiscardVials]
    with pytest.raises(TransitionRefused, match="discarding vials needs its reason"):
        bench.ask(replace(discard, reason=""))
    with pytest.raises(TransitionRefused, match="needs a second person"):
        bench.ask(replace(discard, witness=None))
    batch = bench.ask(discard)
    assert [vial.id for vial in batch.vials_in("discarded")] == [LAST] and batch.vials_in("discarded")[0].place is None
    assert bench.events[-1].releases == ("place:cryostore_1/r1/b1/a15",)
    with pytest.raises(TransitionRefused, match=f"vial {LAST} is discarded, not stored"):
        bench.ask(discard)
    everything = do.DiscardVials(vials=tuple(vial.vial for vial in karussis.vials()[:-1]))
    with pytest.raises(TransitionRefused, match="these are the last vials; reject the batch instead"):
        bench.ask(replace(discard, details=everything))


def test_what_a_closed_batch_left_in_the_store_can_be_cleared() -> None:
    bench = before("end", "frozen")
    left = bench.known.vials_in("stored")
    assert len(left) == 7
    batch = bench.ask(replace(EXAMPLES[do.DiscardVials], details=do.DiscardVials(vials=(LAST,))))
    assert batch.state is State.CLOSED and batch.chamber == "cryostore_1"
    rest = do.DiscardVials(vials=tuple(vial.id for vial in left[:-1]))
    batch = bench.ask(replace(EXAMPLES[do.DiscardVials], details=rest))
    assert not batch.vials_in("stored") and batch.chamber is None and len(bench.events[-1].releases) == 6


def test_nothing_is_packed_when_every_authorised_vial_is_gone() -> None:
    bench = before("transfer out", "frozen")
    gone = do.DiscardVials(vials=tuple(vial.id for vial in bench.known.vials_in("authorised")))
    bench.ask(replace(EXAMPLES[do.DiscardVials], details=gone))
    with pytest.raises(TransitionRefused, match="no authorised vial is left to pack; reject the batch"):
        bench.ask("transfer out")


@pytest.mark.parametrize(
    ("fields", "hours", "said"),
    [
        ({"temperature_max_c": -69.9, "out_of_range_min": 12.0}, 5, "12 min above -70 °C on the way, up to -69.9"),
        ({}, 73, "73.0 h on the way, allowed are 72"),
        (
            {"temperature_max_c": -60.0, "out_of_range_min": 30.0},
            80,
            "30 min above -70 °C on the way, up to -60; 80.0 h on the way, allowed are 72",
        ),
    ],
)
def test_an_excursion_on_dry_ice_opens_a_critical_deviation(fields: dict[str, Any], hours: int, said: str) -> None:
    bench = before("transfer in", "frozen")
    bench.alter("transfer in", **fields)
    bench.change("transfer in", after_ms=hours * HOUR_MS)
    batch = bench.ask("transfer in")
    (opened,) = batch.open_deviations
    assert (opened.severity, opened.subject, opened.description) == ("critical", "transfer of vials", said)
    assert batch.state is State.RECEIVED_LAB and len(batch.vials_in("received")) == 8
    bench.play("thaw", "release")
    with pytest.raises(Exception, match="G12: critical deviation"):
        bench.ask("release")


def test_figures_of_a_logger_that_contradict_each_other() -> None:
    for fields in (
        {"temperature_max_c": -60.0},
        {"out_of_range_min": 5.0},
        {"temperature_min_c": -70.0, "temperature_max_c": -71.0},
    ):
        bench = before("transfer in", "frozen")
        bench.alter("transfer in", **fields)
        with pytest.raises(TransitionRefused, match=r"contradict each other|lowest temperature is above the highest"):
            bench.ask("transfer in")


def test_a_warm_store_opens_a_critical_deviation_at_once() -> None:
    for celsius, opens in ((-135.0, False), (-134.9, True)):
        bench = before("check storage", "frozen")
        bench.change("check storage", details=do.CheckStorage(store="cryostore_1", temperature_c=celsius))
        batch = bench.ask("check storage")
        assert [d.severity for d in batch.open_deviations] == (["critical"] if opens else [])
    with pytest.raises(TransitionRefused, match="no vial of this batch stands in cryostore_2"):
        before("authorise", "frozen").ask(Step(do.CheckStorage(store="cryostore_2", temperature_c=-180.0), ST))


def split(*shares: tuple[str, int], vessels: str = f"{BATCH_ID}-P0") -> Step:
    return Step(do.Split(vessels=vessels, into=tuple(do.Share(vessels=v, n_vessels=n) for v, n in shares)))


def test_vessels_are_split_moved_and_pooled_where_they_stand_together() -> None:
    bench = before("P0 look")
    bench.ask(split(("left", 5), ("right", 7)))
    assert bench.known.chamber_of("left") == bench.known.chamber_of("right") == "incubator_1"
    assert bench.known.chamber_of(f"{BATCH_ID}-P0") is None and bench.known.vessels is None
    bench.ask(Step(do.Move(vessels="left", to_chamber="incubator_2")))
    pool = Step(do.Pool(vessels=("left", "right"), into="both"))
    with pytest.raises(TransitionRefused, match="groups stand in 2 chambers; move them together first"):
        bench.ask(pool)
    bench.ask(Step(do.Move(vessels="right", to_chamber="incubator_2")))
    batch = bench.ask(pool)
    assert batch.vessels is not None and (batch.vessels.id, batch.vessels.n_vessels) == ("both", 12)
    told = [(s.vessels.removeprefix(f"{BATCH_ID}-"), s.chamber, s.taken is None) for s in batch.occupancies]
    assert told == [
        ("P0", "incubator_1", False),
        ("left", "incubator_1", False),
        ("right", "incubator_1", False),
        ("left", "incubator_2", False),
        ("right", "incubator_2", False),
        ("both", "incubator_2", True),
    ]


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (split(("left", 5), ("right", 6)), "11 vessels can't come from the 12 of"),
        (split(("left", 6), ("left", 6)), "vessels 'left' were used before"),
        (split((f"{BATCH_ID}-P0", 6), ("right", 6)), "were used before; give the new ones their own name"),
        (split(("left", 6), ("right", 6), vessels="P9"), "vessels 'P9' are not in culture"),
        (Step(do.Discard(vessels=f"{BATCH_ID}-P0", n_vessels=13), OP, WITNESS, reason="x"), "has 12 vessels, not 13"),
        (Step(do.Discard(vessels=f"{BATCH_ID}-P0", n_vessels=12), OP, WITNESS, reason="x"), "these are the last"),
        (Step(do.Discard(vessels=f"{BATCH_ID}-P0", n_vessels=1), OP, WITNESS), "discarding vessels needs its reason"),
        (Step(do.Pool(vessels=(f"{BATCH_ID}-P0",) * 2, into="both")), "a group is named twice"),
    ],
)
def test_groups_of_vessels_add_up(step: Step, said: str) -> None:
    with pytest.raises(TransitionRefused, match=said):
        before("P0 look").ask(step)


def test_groups_are_pooled_before_they_are_detached() -> None:
    bench = before("passage 1")
    bench.ask(split(("left", 5), ("right", 7)))
    bench.alter("passage 1", vessels="left")
    with pytest.raises(TransitionRefused, match="left and right are groups of their own; pool them first"):
        bench.ask("passage 1")
    bench.ask(Step(do.Discard(vessels="right", n_vessels=7), OP, WITNESS, reason="contaminated"))
    assert bench.known.chamber_of("right") is None and bench.known.chamber_of("left") == "incubator_1"
    assert bench.ask("passage 1").passage == 1


def test_some_vessels_of_a_group_are_discarded_and_the_rest_stays() -> None:
    bench = before("P0 look")
    batch = bench.ask(EXAMPLES[do.Discard])
    assert batch.vessels is not None and batch.vessels.n_vessels == 11 and batch.chamber == "incubator_1"


# What the ledger lets one batch hold at a time.


@pytest.fixture
def frozen_lab(lab: Lab) -> Lab:
    return replace(lab, steps=karussis.process(), recipe=load_recipe("karussis_2010"))


async def ask(lab: Lab, batch_id: str, step: Step) -> Batch:
    """Carry out a step for another batch, now."""
    command = do.Command(batch_id, ending_at(step.details, lab.clock.now()), reason=step.reason)
    return await execute(lab.ledger, find_recipe, command, lab.facts(step.actor, step.witness))


async def test_two_batches_share_neither_vial_nor_place(frozen_lab: Lab) -> None:
    lab = frozen_lab
    await lab.play("authorise")
    await transplant(lab.ledger, before("freeze", "frozen"), "B-2")
    mine = karussis.vials(15, "B-2")
    for vials, said in (
        (mine, r"batch B-2: place cryostore_1/r1/b1/a1 is taken by batch:B-2026-001; choose another one"),
        (
            (do.Vial(vial=f"{BATCH_ID}.V01", place=karussis.place("C1")), *_elsewhere(mine[1:], "cryostore_2")),
            r"batch B-2: vial b-2026-001.v01 is taken by batch:B-2026-001",
        ),
    ):
        with pytest.raises(TransitionRefused, match=said):
            await ask(lab, "B-2", Step(karussis.freeze(vials=vials), witness=WITNESS))
    refused = lab.ledger.read(stream_of("B-2"))
    assert [event.type for event in refused[-2:]] == ["command_refused"] * 2
    batch = await ask(lab, "B-2", Step(karussis.freeze(vials=_elsewhere(mine, "cryostore_2")), witness=WITNESS))
    assert batch.state is State.CRYO
    assert len(lab.ledger.claimed("vial:")) == 30 == len(lab.ledger.claimed("place:"))


def _elsewhere(vials: tuple[do.Vial, ...], store: str) -> tuple[do.Vial, ...]:
    return tuple(v.model_copy(update={"place": v.place.model_copy(update={"store": store})}) for v in vials)


async def test_a_place_is_free_again_once_its_vial_has_left(frozen_lab: Lab) -> None:
    lab = frozen_lab
    await lab.play("transfer out")
    assert lab.ledger.holder("place:cryostore_1/r1/b1/a1") is not None
    await lab.do("transfer out")
    assert lab.ledger.holder("place:cryostore_1/r1/b1/a1") is None
    holder = lab.ledger.holder(f"vial:{BATCH_ID}.V01".casefold())
    assert holder is not None and holder.stream == stream_of(BATCH_ID), "a name once used is never another vial's"
    await transplant(lab.ledger, before("freeze", "frozen"), "B-2")
    vials = karussis.vials(8, "B-2")
    step = Step(karussis.freeze(vials=vials, discarded_cells=karussis.HARVESTED - 80_000_000), witness=WITNESS)
    assert (await ask(lab, "B-2", step)).state is State.CRYO
    taken = do.MoveVials(vials=(do.Vial(vial=vials[0].vial, place=karussis.place("A9")),))
    with pytest.raises(TransitionRefused, match=r"place cryostore_1/r1/b1/a9 is taken by batch:B-2026-001"):
        await ask(lab, "B-2", Step(taken, ST, WITNESS))


async def test_vials_of_one_batch_swap_their_places_in_one_step(frozen_lab: Lab) -> None:
    lab = frozen_lab
    await lab.play("authorise")
    one, two = karussis.vials()[:2]
    swapped = do.MoveVials(vials=(do.Vial(vial=one.vial, place=two.place), do.Vial(vial=two.vial, place=one.place)))
    batch = await lab.do(Step(swapped, ST, WITNESS))
    assert [vial.place for vial in batch.vials[:2]] == [two.place, one.place]


async def test_two_batches_share_no_vessels(lab: Lab) -> None:
    await lab.play("P0 look")
    await transplant(lab.ledger, before("seed"), "B-2")
    with pytest.raises(TransitionRefused, match=r"batch B-2: vessels B-2026-001-P0 is taken by batch:B-2026-001; cho"):
        await ask(lab, "B-2", Step(seed()))
    assert (await ask(lab, "B-2", Step(seed(vessels="B-2-P0")))).state is State.CULTURE
    await lab.do(split(("left", 5), ("B-2-P1", 7)))
    with pytest.raises(TransitionRefused, match=r"vessels left is taken by batch:B-2026-001"):
        await ask(lab, "B-2", split(("left", 5), ("right", 7), vessels="B-2-P0"))
    with pytest.raises(TransitionRefused, match=r"vessels B-2-P0 is taken by batch:B-2"):
        await lab.do(Step(do.Pool(vessels=("left", "B-2-P1"), into="B-2-P0")))


async def test_two_batches_share_no_container(lab: Lab) -> None:
    await lab.play("ship")
    await transplant(lab.ledger, before("formulate"), "B-2")
    weighed = {"weighed_at": lab.clock.now() - DAY_MS}
    with pytest.raises(TransitionRefused, match=r"batch B-2: container IT-1 is taken by batch:B-2026-001; choose"):
        await ask(lab, "B-2", Step(formulate(**weighed), witness=WITNESS))
    doses = tuple(dose.model_copy(update={"container": f"B-2-{dose.route}"}) for dose in formulate().doses)
    assert (await ask(lab, "B-2", Step(formulate(doses=doses, **weighed), witness=WITNESS))).state is State.FORMULATED


async def test_a_ledger_opened_again_still_knows_who_stands_where(tmp_path: Path) -> None:
    clock = SteppedClock(START)
    path = tmp_path / "ledger.sqlite"
    ledger = SqlLedger.open(path, clock, SeededEntropy(7))
    lab = Lab(ledger, clock, load_recipe("karussis_2010"), karussis.process())
    await lab.play("transfer out")
    before_close = ledger.claimed()
    await ledger.close()
    again = SqlLedger.open(path, clock, SeededEntropy(8))
    try:
        assert again.claimed() == before_close and len(again.claimed("vial:")) == 15
        step = Step(do.TransferOut(shipper="D", logger="L", probe_temperature_c=-78.0, scans=SCANS), ST)
        facts = Facts(clock.now() + MINUTE_MS, step.actor, lab.recipe, equipment=EQUIPMENT, lots=LOTS)
        clock.advance(MINUTE_MS)
        await execute(again, find_recipe, do.Command(BATCH_ID, step.details), facts)
        assert len(again.claimed("place:")) == 7 and again.holder("place:cryostore_1/r1/b1/a1") is None
    finally:
        await again.close()


async def test_destroying_frees_every_place(frozen_lab: Lab) -> None:
    lab = frozen_lab
    await lab.play("authorise")
    await lab.do(Step(do.Reject(), QA, reason="the patient has died"))
    assert len(lab.ledger.claimed("place:")) == 15, "rejected vials stand where they stood"
    await lab.do(Step(do.Destroy(method="autoclave", everything_destroyed=True), OP, Actor("operator-2", "OP")))
    assert lab.ledger.claimed("place:") == () and len(lab.ledger.claimed("vial:")) == 15
