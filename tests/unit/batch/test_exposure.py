"""Who stood where, to the millisecond."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.batch.conftest import BATCH_ID, Lab, Step

from cultureops.batch import commands as do
from cultureops.batch.batch import Batch
from cultureops.batch.evolve import evolve
from cultureops.batch.exposure import Occupancies, alarm_exposure, exposure_id
from cultureops.batch.parts import Occupancy, RecipeRef
from cultureops.batch.register import BatchRegister
from cultureops.batch.state import State
from cultureops.clock import parse_iso
from cultureops.ledger.event import Event

AT = parse_iso("2026-01-10T00:00:00Z")


def batch(batch_id: str, *stays: Occupancy) -> Batch:
    recipe = RecipeRef("r", 1, "0" * 64)
    return Batch(batch_id, "COI-1", recipe, State.CULTURE, 1, 0, 0, occupancies=stays)


@pytest.mark.parametrize(
    ("start", "end", "exposed"),
    [
        (0, 99, False),
        (0, 100, True),
        (100, 100, True),
        (150, 160, True),
        (199, 199, True),
        (199, 500, True),
        (200, 200, False),
        (200, 500, False),
        (0, 500, True),
    ],
)
def test_edges_of_a_stay(start: int, end: int, exposed: bool) -> None:
    known = Occupancies()
    known.update(batch("B1", Occupancy("B1-P0", "incubator_1", 100, 200)))
    assert known.exposed("incubator_1", start, end) == (("B1",) if exposed else ())
    assert known.exposed("incubator_2", start, end) == ()


def test_who_still_stands_there_is_exposed_for_good() -> None:
    known = Occupancies()
    known.update(batch("B2", Occupancy("B2-P0", "incubator_1", 100)))
    known.update(batch("B1", Occupancy("B1-P0", "incubator_1", 300)))
    assert known.exposed("incubator_1", 10**15, 10**15) == ("B1", "B2")
    assert known.inside("incubator_1", 299) == ("B2",)
    assert known.inside("incubator_1", 99) == ()


def test_a_batch_that_moved_on_is_no_longer_inside() -> None:
    known, first = Occupancies(), Occupancy("v", "incubator_1", 100)
    known.update(batch("B1", first))
    known.update(batch("B1", replace(first, taken=200), Occupancy("v", "incubator_2", 200)))
    assert known.inside("incubator_1", 200) == () and known.inside("incubator_2", 200) == ("B1",)
    assert known.exposed("incubator_1", 150, 250) == ("B1",)


STAYS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), max_size=6)


@given(st.lists(STAYS, max_size=4), st.integers(0, 80), st.integers(0, 30))
def test_exposure_is_what_counting_every_instant_says(
    batches: list[list[tuple[int, int]]], start: int, length: int
) -> None:
    known, expected = Occupancies(), set()
    for number, stays in enumerate(batches):
        rows = tuple(Occupancy("v", "c", placed, placed + lasts) for placed, lasts in stays)
        known.update(batch(f"B{number}", *rows))
        instants = range(start, start + length + 1)
        if any(placed <= t < placed + lasts for placed, lasts in stays for t in instants):
            expected.add(f"B{number}")
    assert set(known.exposed("c", start, start + length)) == expected


async def test_moving_ends_one_stay_and_begins_the_next(lab: Lab) -> None:
    await lab.play("P0 look")
    moved = await lab.do(Step(do.Move(vessels=f"{BATCH_ID}-P0", to_chamber="incubator_3")))
    first, second = moved.occupancies
    assert (first.chamber, second.chamber) == ("incubator_1", "incubator_3")
    assert first.taken == second.placed == lab.clock.now() and second.taken is None
    assert moved.history[-1].data["from_chamber"] == "incubator_1"


async def test_the_register_follows_the_ledger(lab: Lab) -> None:
    register = BatchRegister()

    def follow(events: tuple[Event, ...]) -> None:
        for event in events:
            register.apply(event)

    lab.ledger.on_append.append(follow)
    await lab.play("P1 look")
    assert register.batches() == (lab.batch(),)
    now = lab.clock.now()
    assert register.inside("incubator_2", now) == (BATCH_ID,) and register.inside("incubator_1", now) == ()


async def test_an_alarm_is_told_to_the_batch_and_ends_there(lab: Lab) -> None:
    now = await lab.play("P0 look")
    assert now is not None
    told: dict[str, object] = {
        "rule_id": "incubator_1/co2/low",
        "chamber": "incubator_1",
        "channel": None,
        "kind": "low",
        "priority": "high",
        "gmp_critical": True,
        "raised_at": AT,
        "text": "co2 3.2 %",
    }
    for at, cleared in ((AT, False), (AT + 5, True)):
        event = alarm_exposure(**told, at=at, is_cleared=cleared)  # type: ignore[arg-type]
        (appended,) = await lab.ledger.append(f"batch:{BATCH_ID}", [event], None)
        now = evolve(now, appended)
        (exposure,) = now.exposures
        assert exposure.id == exposure_id("incubator_1/co2/low", AT) == "incubator_1/co2/low@2026-01-10T00:00:00.000Z"
        assert exposure.cleared_at == (AT + 5 if cleared else None)
