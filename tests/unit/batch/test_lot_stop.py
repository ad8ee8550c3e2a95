"""A lot that is stopped: the batches that used it are told in the same transaction, and a release sees it."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pytest
from tests.signing import keep_lot as on_lot
from tests.unit.batch import karussis
from tests.unit.batch.bench import before, transplant
from tests.unit.batch.conftest import BATCH_ID, QA, QP, RV, ST, Lab, Step
from tests.unit.batch.table import EXAMPLES, deviation

from cultureops.batch import commands as do
from cultureops.batch.batch import Batch, stream_of
from cultureops.batch.decide import decide
from cultureops.batch.evolve import fold
from cultureops.batch.facts import LotFact
from cultureops.batch.handler import execute
from cultureops.batch.lot_stop import tell_batches
from cultureops.batch.recipe import find_recipe, load_recipe
from cultureops.batch.state import State
from cultureops.clock import DAY_MS
from cultureops.conduct import Command as Stop
from cultureops.errors import ConcurrencyError, GateFailed, TransitionRefused
from cultureops.ledger.store import Group
from cultureops.material.events import LotQuarantined, LotRecalled, LotReceived, LotRejected, LotReleased

LOT = "MED-1"
CLOSES = r"G12: critical deviation B-2026-001\.DEV-1 is open; G13: the record has changed since it was reviewed"


async def receive(lab: Lab, lot: str = LOT) -> None:
    """Take a lot in and release it."""
    details = LotReceived(
        material="medium", supplier="maker", quantity=5.0, unit="L", expires_at=lab.clock.now() + 900 * DAY_MS,
        certificate="CoA-17",
    )  # fmt: skip
    await on_lot(lab.ledger, Stop(lot, details), lab.clock.now(), ST)
    await on_lot(lab.ledger, Stop(lot, LotReleased()), lab.clock.now(), QA)


async def stop(lab: Lab, details: LotRecalled | LotQuarantined | LotRejected, lot: str = LOT) -> None:
    command = Stop(lot, details, reason="endotoxin at the maker")
    await on_lot(lab.ledger, command, lab.clock.now(), QA, partial(tell_batches, lab.ledger, lot))


async def test_a_recall_between_review_and_release(lab: Lab) -> None:
    await receive(lab)
    await lab.play("release")
    seen = lab.batch()
    release = do.Command(BATCH_ID, do.Release())
    decided = decide(seen, release, lab.facts(QP, signed=release))
    await stop(lab, LotRecalled())
    with pytest.raises(ConcurrencyError):
        await lab.ledger.append(stream_of(BATCH_ID), decided, seen.version)
    assert [event.type for event in lab.batch().history[-2:]] == ["lot_stopped", "deviation_opened"]
    with pytest.raises(GateFailed, match=CLOSES):
        await lab.do("release")
    lab.lots = dict(lab.lots) | {LOT: LotFact("recalled", None)}
    with pytest.raises(GateFailed, match=f"G4: lot {LOT} is recalled; use a released lot; {CLOSES}"):
        await lab.do("release")
    assert lab.batch().history[-1].data["gates"] == ["G4", "G12", "G13"]


async def test_a_lost_race_is_refused_and_not_decided_anew(lab: Lab) -> None:
    await receive(lab)
    await lab.play("release")

    class Racing:
        """A ledger in which the lot is recalled just before the release is appended."""

        recalled = False

        def __getattr__(self, name: str) -> object:
            return getattr(lab.ledger, name)

        async def append_many(self, groups: Sequence[Group]) -> object:
            if not self.recalled:
                self.recalled = True
                await stop(lab, LotRecalled())
            return await lab.ledger.append_many(groups)

    release = do.Command(BATCH_ID, do.Release())
    with pytest.raises(TransitionRefused, match="the record has changed while Release was being signed"):
        await execute(Racing(), find_recipe, release, lab.facts(QP, signed=release))  # type: ignore[arg-type]
    batch = lab.batch()
    assert batch.state is State.REVIEWED and batch.history[-1].type == "command_refused"


async def test_a_stop_looked_into_is_released_after_a_new_review(lab: Lab) -> None:
    await receive(lab)
    await lab.play("release")
    await stop(lab, LotQuarantined())
    (opened,) = lab.batch().open_deviations
    assert (opened.severity, opened.subject) == ("major", "material")
    assert opened.description == f"lot {LOT} of this batch is quarantined: endotoxin at the maker"
    name = {"deviation_id": opened.id}
    await lab.do(Step(do.InvestigateDeviation(**name, root_cause="mixed up at the maker", impact="none"), QA))
    await lab.do(Step(do.CloseDeviation(**name, conclusion="the lot is sound"), QA))
    with pytest.raises(GateFailed, match=r"batch B-2026-001: G13: the record has changed"):
        await lab.do("release")
    await lab.do(Step(do.Review(audit_trail_read=True), RV))
    assert (await lab.do("release")).state is State.RELEASED


@pytest.mark.parametrize(
    ("details", "status", "severity"),
    [(LotRecalled(), "recalled", "critical"), (LotQuarantined(), "quarantined", "major")],
)
async def test_every_batch_that_used_the_lot_is_told_at_once(
    lab: Lab, details: LotRecalled, status: str, severity: str
) -> None:
    await receive(lab)
    lab.clock.advance(before("end").now - lab.clock.now())
    for number, step in enumerate(("P0 first medium", "harvest", "formulate", "end")):
        await transplant(lab.ledger, before(step), f"B-{number}")
    await transplant(lab.ledger, before("seed"), "unused")
    await stop(lab, details)
    told = [event for event in lab.ledger.read_all() if event.type == "lot_stopped"]
    assert [event.stream for event in told] == [f"batch:B-{n}" for n in range(4)]
    assert all((event.data["lot"], event.data["status"]) == (LOT, status) for event in told)
    assert told[-1].position - told[0].position == 6, "one transaction: two events for each batch"
    for number in range(4):
        (opened,) = _batch(lab, f"B-{number}").open_deviations
        assert (opened.id, opened.severity) == (f"B-{number}.DEV-1", severity)
    assert not _batch(lab, "unused").deviations


def _batch(lab: Lab, batch_id: str) -> Batch:
    batch = fold(lab.ledger.read(stream_of(batch_id)))
    assert batch is not None
    return batch


async def test_batches_that_are_gone_are_left_alone(lab: Lab) -> None:
    await receive(lab)
    bench = before("passage 1")
    bench.ask(EXAMPLES[do.Reject])
    await transplant(lab.ledger, bench, "gone")
    bench.ask(EXAMPLES[do.Destroy])
    await transplant(lab.ledger, bench, "destroyed")
    await stop(lab, LotRecalled())
    assert not any(event.type == "lot_stopped" for event in lab.ledger.read_all())


async def test_a_lot_that_is_received_or_released_stops_nothing(lab: Lab) -> None:
    await lab.play("P0 look")
    await receive(lab)
    assert not lab.batch().deviations


async def test_the_deviation_takes_a_free_name(lab: Lab) -> None:
    await receive(lab)
    await lab.play("P0 look")
    await lab.do(Step(deviation(f"{BATCH_ID}.DEV-2")))
    await stop(lab, LotRecalled())
    names = [opened.id for opened in lab.batch().deviations]
    assert len(names) == len(set(names)) == 2


async def test_a_recalled_lot_stops_the_dose_at_the_bedside(lab: Lab) -> None:
    lab = replace(lab, steps=karussis.process(), recipe=load_recipe("karussis_2010"))
    await receive(lab, "CRYO-1")
    await lab.play("give IT")
    await stop(lab, LotRecalled(), "CRYO-1")
    with pytest.raises(GateFailed, match=r"G12: critical deviation B-2026-001\.DEV-1 is open$"):
        await lab.do("give IT")
