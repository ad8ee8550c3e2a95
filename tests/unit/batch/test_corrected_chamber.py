"""Where vessels stood can be corrected: to a known chamber, never silently, and stays follow."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.batch.bench import Bench, before
from tests.unit.batch.conftest import BATCH_ID, Step

from cultureops.batch import commands as do
from cultureops.batch.evolve import fold
from cultureops.batch.views import timeline
from cultureops.errors import BatchError, TransitionRefused
from cultureops.ledger import Event


def last(bench: Bench, event_type: str) -> Event:
    return next(event for event in reversed(bench.events) if event.type == event_type)


def correct(bench: Bench, event: Event, field: str, value: Any) -> None:
    bench.ask(Step(do.Correct(event_id=event.event_id, field=field, value=value), reason="wrong label scanned"))


def stays(bench: Bench) -> list[tuple[str, str, bool]]:
    """Return vessels, chamber and whether they still stand there."""
    return [(s.vessels.removeprefix(f"{BATCH_ID}-"), s.chamber, s.taken is None) for s in bench.known.occupancies]


@pytest.mark.parametrize(
    ("until", "event_type", "vessels"), [("P0 look", "seeded", "P0"), ("P1 look", "passaged", "P1")]
)
def test_cells_prove_to_have_stood_in_another_chamber_from_the_first(until: str, event_type: str, vessels: str) -> None:
    bench = before(until)
    target = last(bench, event_type)
    first, at = str(target.data["chamber"]), target.occurred_at
    correct(bench, target, "chamber", "incubator_3")
    assert (vessels, "incubator_3", True) in stays(bench) and (vessels, first, True) not in stays(bench)
    assert next(stay.placed for stay in bench.known.occupancies if stay.taken is None) == at
    (deviation,) = bench.known.open_deviations
    assert (deviation.subject, deviation.severity) == ("correction", "major")
    assert deviation.description.startswith("vessels stood in incubator_3 from 2026-")
    assert deviation.description.endswith(f"not in {first}, which gate G3 had judged")
    assert target.data["chamber"] == first, "the first value stays on record"
    (row,) = [row for row in timeline(bench.known) if row.event_id == target.event_id]
    assert row.correction == f"chamber: {first} -> incubator_3"
    assert fold(bench.events) == bench.known


def test_a_move_went_elsewhere_and_then_nowhere() -> None:
    bench = before("P0 look")
    bench.ask(Step(do.Move(vessels=f"{BATCH_ID}-P0", to_chamber="incubator_2")))
    moved = last(bench, "moved")
    correct(bench, moved, "to_chamber", "incubator_3")
    assert stays(bench) == [("P0", "incubator_1", False), ("P0", "incubator_3", True)]
    correct(bench, moved, "to_chamber", "incubator_1")
    assert stays(bench) == [("P0", "incubator_1", False), ("P0", "incubator_1", True)]
    assert [one.subject for one in bench.known.open_deviations] == ["correction"] * 2, "each is judged"
    bench.ask(Step(do.Move(vessels=f"{BATCH_ID}-P0", to_chamber="incubator_2")))
    assert last(bench, "moved").data["from_chamber"] == "incubator_1", "what follows rests on what is known now"


def test_a_stay_that_is_over_keeps_its_times() -> None:
    bench = before("P1 look")
    (over,) = [stay for stay in bench.known.occupancies if stay.taken is not None]
    correct(bench, last(bench, "seeded"), "chamber", "incubator_3")
    (found,) = [stay for stay in bench.known.occupancies if stay.taken is not None]
    assert (found.placed, found.taken, found.chamber) == (over.placed, over.taken, "incubator_3")


def test_pooled_vessels_that_had_stood_apart_count_as_in_each_chamber_until_all_are_corrected() -> None:
    bench = before("P0 look")
    halves = (do.Share(vessels="left", n_vessels=5), do.Share(vessels="right", n_vessels=7))
    bench.ask(Step(do.Split(vessels=f"{BATCH_ID}-P0", into=halves)))
    moves = {}
    for name in ("left", "right"):
        bench.ask(Step(do.Move(vessels=name, to_chamber="incubator_2")))
        moves[name] = last(bench, "moved")
    bench.ask(Step(do.Pool(vessels=("left", "right"), into="both")))
    correct(bench, moves["right"], "to_chamber", "incubator_3")
    assert [stay for stay in stays(bench) if stay[2]] == [("both", "incubator_2", True), ("both", "incubator_3", True)]
    correct(bench, moves["left"], "to_chamber", "incubator_3")
    assert [stay for stay in stays(bench) if stay[2]] == [("both", "incubator_3", True)]
    bench.ask(Step(do.Move(vessels="both", to_chamber="incubator_1")))
    assert [stay for stay in stays(bench) if stay[2]] == [("both", "incubator_1", True)]


@pytest.mark.parametrize(
    ("event_type", "field", "value", "said"),
    [
        ("seeded", "chamber", "incubator_9", r"nothing is on record about 'incubator_9'; name a chamber of this lab"),
        ("seeded", "chamber", "INCUBATOR_2", "nothing is on record about 'INCUBATOR_2'"),
        ("seeded", "chamber", "", "Seeded: chamber"),
        ("seeded", "chamber", 2, "Seeded: chamber: Input should be a valid string"),
        ("seeded", "chamber", True, "Seeded: chamber: Input should be a valid string"),
        ("seeded", "chamber", "incubator_1", "chamber of seeded is incubator_1 already"),
        ("seeded", "vessels", "other", "vessels of seeded can't be corrected"),
        ("seeded", "to_chamber", "incubator_2", "to_chamber of seeded can't be corrected"),
        ("moved", "to_chamber", "incubator_9", "nothing is on record about 'incubator_9'"),
        ("moved", "from_chamber", "incubator_3", "from_chamber of moved can't be corrected, only to_chamber"),
        ("moved", "vessels", "other", "vessels of moved can't be corrected, only to_chamber"),
    ],
)
def test_what_is_no_other_chamber_is_refused(event_type: str, field: str, value: Any, said: str) -> None:
    bench = before("P0 look")
    bench.ask(Step(do.Move(vessels=f"{BATCH_ID}-P0", to_chamber="incubator_2")))
    present = bench.known
    with pytest.raises(BatchError, match=said):
        correct(bench, last(bench, event_type), field, value)
    assert bench.known is present and present.open_deviations == ()


def test_it_needs_its_reason_and_is_over_with_the_batch() -> None:
    bench = before("P0 look")
    slip = do.Correct(event_id=last(bench, "seeded").event_id, field="chamber", value="incubator_2")
    with pytest.raises(TransitionRefused, match="a correction needs its reason"):
        bench.ask(Step(slip))
    ended = before("end")
    slip = do.Correct(event_id=last(ended, "seeded").event_id, field="chamber", value="incubator_2")
    with pytest.raises(TransitionRefused, match="Correct is not allowed in CLOSED"):
        ended.ask(Step(slip, reason="found late"))


def test_a_corrected_chamber_holds_up_the_release_until_it_is_judged() -> None:
    bench = before("release")
    correct(bench, last(bench, "seeded"), "chamber", "incubator_3")
    with pytest.raises(BatchError, match=r"major deviation .* is open"):
        bench.ask("release")
