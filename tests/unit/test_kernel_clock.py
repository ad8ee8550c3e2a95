"""What recorded times are worth: the kernel's clock is played, as adjtimex(2) would tell it."""

import dataclasses
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from cultureops.alarms.engine import Engine
from cultureops.alarms.own import OwnLimits
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, SeededEntropy, SteppedClock, SystemClock, iso
from cultureops.errors import Unreadable
from cultureops.kernel_clock import ClockQuality, ClockState, kernel_clock, quality_of
from cultureops.ledger import Actor, NewEvent, Source, SqlLedger, verify
from cultureops.ledger.event import decode, draft, seal
from cultureops.ledger.head import GENESIS
from cultureops.self_check import SelfCheck, Surroundings
from cultureops.self_check.clock_watch import CLOCK_STREAM, ClockWatch

START = 1_770_000_000_000
NOTE = NewEvent("noted", {}, Actor("operator-1", "OP"), Source.HUMAN)
KERNEL_GROWTH = 500e-6
"""The kernel adds so much a second to what its clock may be wrong by, and gives it up at 16 s (ntp.c, RFC 5905)."""


def unserved(for_s: float) -> ClockState:
    error_s = min(0.01 + for_s * KERNEL_GROWTH, 16.0)
    return ClockState(error_s < 16.0, error_s)


@pytest.mark.parametrize(
    ("state", "quality"),
    [
        (ClockState(True, 0.002), ClockQuality.SYNCED),
        (ClockState(True, 1.5), ClockQuality.SYNCED),
        (ClockState(True, 1.501), ClockQuality.HOLDOVER),
        (ClockState(True, 5.0), ClockQuality.HOLDOVER),
        (ClockState(True, 5.001), ClockQuality.UNSYNCED),
        (ClockState(False, 0.0), ClockQuality.UNSYNCED),
        (ClockState(False, 16.0), ClockQuality.UNSYNCED),
        (None, ClockQuality.UNSYNCED),
    ],
)
def test_a_time_is_worth_what_the_kernel_vouches_for(state: ClockState | None, quality: ClockQuality) -> None:
    assert quality_of(state) is quality


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqlLedger]:
    yield SqlLedger.open(tmp_path / "ledger.sqlite", SteppedClock(START), SeededEntropy(1))


@pytest.mark.requirement("R18")
async def test_no_time_server_for_24_h_gives_an_alarm_and_new_events_say_unsynced(
    tmp_path: Path, ledger: SqlLedger
) -> None:
    clock, unserved_s = SteppedClock(START), 0.0
    around = Surroundings(lambda: 0, lambda: 0, lambda: None, lambda: None)
    check = SelfCheck(
        OwnLimits(), tmp_path, clock, around, watches_machine=True, read_clock=lambda: unserved(unserved_s),
        monotonic=lambda: clock.now() / SECOND_MS,
    )  # fmt: skip
    engine = Engine(check.rules)
    ledger.clock_state = lambda: unserved(unserved_s)
    said: dict[float, tuple[str | None, bool]] = {}
    for minute in range(0, 24 * 60 + 1, 30):
        unserved_s = minute * 60.0
        await check.refresh()
        engine.evaluate([one for one in check.readings(clock.now()) if "clock_unsync" in one.channel])
        engine.tick(clock.now())
        (event,) = await ledger.append("note:1", [NOTE], None)
        is_alarmed = any(view.rule.id.startswith("cultureops/clock_unsynchronised") for view in engine.active())
        said[minute / 60] = (event.clock_quality, is_alarmed)
        clock.advance(30 * MINUTE_MS)
    assert said[0] == ("synced", False)
    assert said[2] == ("holdover", False)
    # 5 s of drift at most are reached after 2 h 46 min; the alarm's own delay is a quarter of an hour.
    assert [value for hour, value in said.items() if hour >= 3.5] == [("unsynced", True)] * 42
    order = list(ClockQuality)
    assert all(order.index(a) <= order.index(b) for (a, _), (b, _) in pairwise(said.values()))  # type: ignore[arg-type]
    await ledger.close()
    verify(tmp_path / "ledger.sqlite")


@pytest.mark.requirement("R2")
@pytest.mark.parametrize("leap_ms", [HOUR_MS, -HOUR_MS, 2 * DAY_MS, 1_001])
async def test_a_step_of_the_system_time_appears_as_an_event_with_both_times(leap_ms: int, ledger: SqlLedger) -> None:
    watch = ClockWatch()
    assert watch.look(START, 100.0) is None
    jump = watch.look(START + SECOND_MS + leap_ms, 101.0)
    assert jump is not None
    (event,) = await ledger.append(CLOCK_STREAM, [jump.event], None)
    assert event.data == {
        "expected": iso(START + SECOND_MS), "observed": iso(START + SECOND_MS + leap_ms), "leap_s": leap_ms / 1000,
    }  # fmt: skip
    assert watch.look(START + 2 * SECOND_MS + leap_ms, 102.0) is None
    await ledger.close()


async def test_stepped_time_is_not_real_time_and_says_nothing_of_a_clock(ledger: SqlLedger) -> None:
    (event,) = await ledger.append("note:1", [NOTE], None)
    assert event.clock_quality is None
    assert b"clock_quality" not in event.canonical
    await ledger.close()


async def test_real_time_always_says_what_it_is_worth(tmp_path: Path) -> None:
    ledger = SqlLedger.open(tmp_path / "real.sqlite", SystemClock(), SeededEntropy(1))
    (event,) = await ledger.append("note:1", [NOTE], None)
    assert event.clock_quality in ClockQuality
    assert ledger.read("note:1") == (event,)
    await ledger.close()


def test_a_quality_that_nobody_knows_is_not_read() -> None:
    fields = draft(NOTE, "note:1", "id", START, "local") | {"clock_quality": "splendid"}
    with pytest.raises(Unreadable, match="splendid"):
        decode(seal(fields, "note:1", 1, 1, GENESIS), GENESIS)


def test_this_machine_is_asked_and_not_changed() -> None:
    state = kernel_clock()
    assert state is None or dataclasses.astuple(state)[1] >= 0
