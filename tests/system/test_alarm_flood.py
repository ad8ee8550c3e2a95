"""Ten thousand alarms within a second: each is announced at once and on record in the end, the critical ones first.

Engine, journal and a real ledger on a disk; what batches live through is left out, here no batch stands anywhere.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from cultureops.alarms import Engine, Kind, Priority, Rule, State, Transition, replay
from cultureops.alarms.journal import AlarmJournal, Told
from cultureops.clock import SeededEntropy, SteppedClock
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.errors import StorageError
from cultureops.ledger import Event, SqlLedger, verify

T0 = 1_767_600_000_000
RULES, DEVICES = 10_000, 1_000
BUNDLES = 10
MOST_LONGEST_TURN_S = 0.5
MOST_ON_RECORD_S = 60.0


def rule(number: int) -> Rule:
    device = f"device_{number % DEVICES}"
    return Rule(
        id=f"{device}/x{number // DEVICES}/high", chamber=f"c_{number % 40}", channel=f"{device}/x{number // DEVICES}",
        device=device, kind=Kind.HIGH, limit=10.0, unit="%", deadband=0.0, on_delay_s=0.0, off_delay_s=0.0, misses=0,
        priority=Priority.HIGH if number % 20 == 7 else Priority.LOW, gmp_critical=number % 20 == 7, consequence="c",
        response="r",
    )  # fmt: skip


async def nobody_there(transitions: Sequence[Transition]) -> Sequence[Told]:
    return tuple(Told() for _ in transitions)


@dataclass
class Stutter:
    """A ledger whose disk fails now and then, and comes back."""

    ledger: SqlLedger
    failures: int

    async def append_many(self, groups: object) -> object:
        if self.failures and self.ledger.head().position > 2_000 * (4 - self.failures):
            self.failures -= 1
            raise StorageError("the disk is full")
        return await self.ledger.append_many(groups)  # type: ignore[arg-type]


@pytest.mark.timeout(120)
async def test_ten_thousand_alarms_in_a_second(
    tmp_path: Path, record_property: Callable[[str, object], None], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = SqlLedger.open(path, SteppedClock(T0), SeededEntropy(1))
    rules = [rule(number) for number in range(RULES)]
    engine, journal = Engine(rules), AlarmJournal(Stutter(ledger, 3), nobody_there)  # type: ignore[arg-type]
    assert engine.evaluate([Reading(str(one.channel), 5.0, Quality.GOOD, Reason.NONE, T0, T0) for one in rules]) == ()
    raised: list[Transition] = []
    turns_s, failures = [], 0
    began = time.perf_counter()
    for bundle in range(BUNDLES):  # a second of polls
        at = T0 + 1000 + 100 * bundle
        readings = [
            Reading(str(one.channel), 12.0, Quality.GOOD, Reason.NONE, at, at) for one in rules[bundle::BUNDLES]
        ]
        turn = time.thread_time()
        changes = engine.evaluate(readings)
        journal.note(changes)
        turns_s.append(time.thread_time() - turn)
        raised += changes
        await asyncio.sleep(0)
    announced_s = time.perf_counter() - began
    assert len(engine.active()) == RULES, "an alarm waits for no ledger"
    assert journal.waiting == RULES
    while journal.waiting:
        try:
            await journal.drain()
        except StorageError:
            failures += 1
    on_record_s = time.perf_counter() - began
    events = tuple(ledger.read_all())
    await ledger.close()
    record_property("on_record_s", round(on_record_s, 1))
    with capsys.disabled():
        print(
            f"\n{RULES} alarms: announced after {announced_s:.2f} s, the longest of {BUNDLES} turns "
            f"{1000 * max(turns_s):.0f} ms; on record after {on_record_s:.1f} s"
        )
    check_record(path, events, raised)
    assert failures == 3
    assert sorted(turns_s)[-2] < MOST_LONGEST_TURN_S, "one turn may fall into a pause of the machine"
    assert on_record_s < MOST_ON_RECORD_S


def check_record(path: Path, events: Sequence[Event], raised: Sequence[Transition]) -> None:
    """Every alarm is on record once, the critical ones first and else in the order in which they came; all is whole."""
    assert verify(path).position == RULES
    expected = sorted(raised, key=lambda change: not change.rule.gmp_critical)
    assert [event.data["rule_id"] for event in events] == [change.rule.id for change in expected]
    assert Counter(event.type for event in events) == {"alarm_raised": RULES}
    assert {event.stream for event in events} == {f"alarm:{change.rule.id}" for change in raised}
    stored = replay(events)
    woken = Engine([change.rule for change in raised])
    assert woken.restore(stored) == ()
    assert Counter(view.state for view in woken.active()) == {State.UNACK: RULES}
