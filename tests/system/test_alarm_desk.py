"""People act on alarms, from pages and from another process, in a lab on real files."""

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.command_line import cultureops
from tests.system.test_lab import OpenLab, co2, seed_batch

from cultureops.alarms import Act, AlarmError, Shelf, State
from cultureops.alarms.command import AlarmCommand, Order
from cultureops.clock import MINUTE_MS, SteppedClock
from cultureops.lab import Lab
from cultureops.ledger.event import Actor, NewEvent, Source

RULE = "incubator_1/co2/low"
PERSON = ("--actor", "operator-1", "--role", "OP")


def asked(data_dir: Path, *words: str, wait_s: float = 0.0) -> subprocess.CompletedProcess[str]:
    order = ("alarms", *words, "--data-dir", str(data_dir))
    if words[0] not in ("list", "history"):
        order += ("--wait", str(wait_s))
    return cultureops(*order)


async def answered(lab: Lab, data_dir: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Give a command while a lab runs that looks into its ledger now and then."""
    done = asyncio.create_task(asyncio.to_thread(asked, data_dir, *words, wait_s=20.0))
    while not done.done():
        await asyncio.wait({done}, timeout=0.05)
        await lab.ledger.catch_up()
        await lab.settle()
    return await done


async def low(lab: Lab, clock: SteppedClock) -> None:
    for _ in range(12):
        lab.recorder.accept([co2(3.0, clock.advance(MINUTE_MS))])
    await lab.settle()


def state(lab: Lab) -> State | None:
    view = lab.engine.view(RULE)
    return None if view is None else view.state


async def test_another_process_acknowledges_and_is_told(opened: OpenLab, clock: SteppedClock, tmp_path: Path) -> None:
    async with opened() as lab:
        await low(lab, clock)
        done = await answered(lab, tmp_path, "acknowledge", RULE, *PERSON, "--reason", "gas is being changed", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {"rule_id": RULE, "order": "acknowledge", "is_done": True, "state": "ACK"}
        (view,) = lab.engine.active()
        assert (view.state, view.acknowledged_by) == (State.ACK, "operator-1")
        again = await answered(lab, tmp_path, "acknowledge", RULE, *PERSON, "--reason", "again")
        assert again.returncode == 1 and "was acknowledged by operator-1; there is nothing" in again.stderr
        listed = json.loads(asked(tmp_path, "list", "--json").stdout)
        assert [(row["rule_id"], row["state"], row["acknowledged_by"]) for row in listed] == [
            (RULE, "ACK", "operator-1")
        ]
        last = lab.ledger.read(f"alarm:{RULE}")[-3]
        assert (last.type, last.actor.id, last.actor.role) == ("alarm_acknowledged", "operator-1", "OP")


async def test_shelving_a_critical_alarm_needs_a_second_person_and_ends_by_itself(
    opened: OpenLab,
    clock: SteppedClock,
    tmp_path: Path,
) -> None:
    async with opened() as lab:
        await low(lab, clock)
        words = ("shelve", RULE, *PERSON, "--reason", "sensor is being changed", "--minutes")
        alone = await answered(lab, tmp_path, *words, "10")
        assert alone.returncode == 1 and "needs a second person" in alone.stderr
        long = await answered(lab, tmp_path, *words, "16", "--witness", "operator-2")
        assert long.returncode == 1 and "for at most 15 min, not 16 min" in long.stderr
        self_made = await answered(lab, tmp_path, *words, "10", "--witness", "operator-1")
        assert self_made.returncode == 1 and "their own witness" in self_made.stderr
        assert state(lab) is State.UNACK
        done = await answered(lab, tmp_path, *words, "10", "--witness", "operator-2")
        assert done.returncode == 0 and state(lab) is State.SHELVED
        assert lab.engine.active() == () and [view.rule.id for view in lab.engine.suppressed()] == [RULE]
    clock.advance(9 * MINUTE_MS)
    async with opened() as lab:
        lab.recorder.tick(clock.now())
        assert state(lab) is State.SHELVED
    clock.advance(MINUTE_MS)
    async with opened() as lab:
        lab.recorder.tick(clock.now())
        await lab.settle()
        assert state(lab) is State.UNACK
        types = [event.type for event in lab.ledger.read(f"alarm:{RULE}") if event.type != "alarm_command_refused"]
        assert types == ["alarm_raised", *["alarm_command"] * 4, "alarm_shelved", "alarm_raised"]


async def test_what_is_asked_of_a_lab_that_is_stopped_is_done_when_it_runs(
    opened: OpenLab,
    clock: SteppedClock,
    tmp_path: Path,
) -> None:
    async with opened() as lab:
        await low(lab, clock)
    done = asked(tmp_path, "acknowledge", RULE, *PERSON, "--reason", "seen")
    assert done.returncode == 0 and "no lab has answered" in done.stdout
    async with opened() as lab:
        await lab.settle()
        assert state(lab) is State.ACK
    async with opened() as lab:
        await lab.settle()
        events = [event.type for event in lab.ledger.read(f"alarm:{RULE}")]
        assert events == ["alarm_raised", "alarm_command", "alarm_acknowledged"]


async def test_an_activation_that_nobody_saw_is_not_acknowledged(opened: OpenLab, clock: SteppedClock) -> None:
    async with opened() as lab:
        await low(lab, clock)
        act = Act("operator-1", "seen", role="OP")
        old = AlarmCommand(Order.ACKNOWLEDGE, RULE, act, clock.now(), raised_at=clock.now() - 2 * MINUTE_MS)
        with pytest.raises(AlarmError, match="was raised anew"):
            await lab.alarming.desk.carry_out(old)


async def test_a_live_batch_makes_any_alarm_of_its_chamber_critical(opened: OpenLab, clock: SteppedClock) -> None:
    async with opened() as lab:
        await seed_batch(lab, clock)
        act = Act("operator-1", "probe is being changed", role="OP")
        await low(lab, clock)
        take_out = AlarmCommand(Order.TAKE_OUT, RULE, act, clock.now())
        with pytest.raises(AlarmError, match="second person"):
            await lab.alarming.desk.carry_out(take_out)


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        (("acknowledge", "nowhere", *PERSON, "--reason", "x"), 1, "nothing was ever recorded of alarm 'nowhere'"),
        (("acknowledge", RULE, "--actor", "a", "--role", "AD", "--reason", "x"), 2, "AD does nothing to an alarm"),
        (("acknowledge", RULE, "--actor", "a", "--role", "boss", "--reason", "x"), 2, "--role"),
        (("acknowledge", RULE, *PERSON, "--reason", "  "), 2, "needs its reason"),
        (("shelve", RULE, *PERSON, "--reason", "x", "--minutes", "nan"), 2, "--minutes"),
        (("shelve", RULE, *PERSON, "--reason", "x", "--minutes", "-5"), 2, "--minutes"),
        (("history", "nowhere"), 2, "nothing was ever recorded"),
        (("reset", "x" * 5000, *PERSON, "--reason", "x"), 1, "nothing was ever recorded"),
    ],
)
async def test_garbage_is_refused_in_one_line(
    opened: OpenLab,
    tmp_path: Path,
    words: tuple[Any, ...],
    code: int,
    complaint: str,
) -> None:
    async with opened() as lab:
        before = lab.ledger.head().position
        done = await asyncio.to_thread(asked, tmp_path, *words)
        assert done.returncode == code and complaint in done.stderr
        assert done.stderr.count("\n") == 1
        assert lab.ledger.head().position == before


async def test_what_one_person_suppressed_in_an_empty_chamber_ends_when_cells_come_in(
    opened: OpenLab, clock: SteppedClock
) -> None:
    async with opened() as lab:
        act = Act("operator-1", "decontamination", role="OP")
        no_critical = AlarmCommand(Order.TAKE_OUT, "incubator_1/no_such", act, clock.now())
        with pytest.raises(AlarmError, match="there is no alarm"):
            await lab.alarming.desk.carry_out(no_critical)
        lab.engine.take_out(RULE, clock.now(), Act("operator-1", "decontamination", "operator-2"))
        lab.tick(clock.now())
        await seed_batch(lab, clock)
        lab.tick(clock.now())
        assert state(lab) is State.OUT_OF_SERVICE, "two people decided it"
        lab.engine.release(RULE, clock.now(), act)
        shelf = Shelf(act, clock.now(), None)
        lab.engine._guards[RULE].alarm.take_out(clock.now(), shelf, "by one alone, while the chamber was empty")
        lab.tick(clock.now())
        assert state(lab) is State.NORMAL


@pytest.mark.parametrize(
    "data",
    [
        {"minutes": 1e305},
        {"minutes": -1e305},
        {"minutes": "ten"},
        {"at": "0001-01-01T00:00:00+14:00"},
        {"actor_id": " "},
        {"actor_id": "x" * 500},
        {"actor_id": "a\nb"},
        {"role": "\u0000"},
        {"order": "explode"},
        {"rule_id": 7},
        {"raised_at": "yesterday"},
    ],
)
async def test_whatever_another_process_writes_is_refused_on_record_and_the_lab_goes_on(
    opened: OpenLab, clock: SteppedClock, data: dict[str, Any]
) -> None:
    async with opened() as lab:
        await low(lab, clock)
        act = Act("operator-1", "seen", "operator-2", "OP")
        good = AlarmCommand(Order.SHELVE, RULE, act, clock.now(), minutes=10).data()
        bad = NewEvent("alarm_command", {**good, **data}, Actor("somebody", "OP"), Source.HUMAN)
        await lab.ledger.append(f"alarm:{RULE}", [bad], None)
        await lab.settle()
        answers = [event.type for event in lab.ledger.read(f"alarm:{RULE}")][-1:]
        assert answers == ["alarm_command_refused"] and state(lab) is State.UNACK
        done = AlarmCommand(Order.ACKNOWLEDGE, RULE, act, clock.now())
        assert await lab.alarming.desk.carry_out(done) is not None
    async with opened() as lab:
        await lab.settle()
        assert state(lab) is State.ACK


@pytest.mark.parametrize(
    "witness", ["operator-1", "OPERATOR-1", " operator-1 ", "operator\u20101", "ｏperator-1", "оperator-1", "."]
)
async def test_the_second_person_is_somebody_else(opened: OpenLab, clock: SteppedClock, witness: str) -> None:
    async with opened() as lab:
        await low(lab, clock)
        act = Act("operator-1", "seen", witness, "OP")
        with pytest.raises(AlarmError):
            await lab.alarming.desk.carry_out(AlarmCommand(Order.SHELVE, RULE, act, clock.now(), minutes=10))
        assert state(lab) is State.UNACK


async def test_a_shelving_that_is_renewed_lasts_no_longer_in_all(opened: OpenLab, clock: SteppedClock) -> None:
    async with opened() as lab:
        await low(lab, clock)
        act = Act("operator-1", "seen", "operator-2", "OP")

        async def shelve() -> None:
            await lab.alarming.desk.carry_out(AlarmCommand(Order.SHELVE, RULE, act, clock.now(), minutes=10))

        await shelve()
        clock.advance(4 * MINUTE_MS)
        await shelve()
        clock.advance(4 * MINUTE_MS)
        with pytest.raises(AlarmError, match="15 min in all"):
            await shelve()
