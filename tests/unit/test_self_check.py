"""Cultureops watches itself: disk, clock, and whether what it took is kept; the machine is played, once it is asked."""

import asyncio
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cultureops.alarms.engine import Engine
from cultureops.alarms.own import OwnLimits
from cultureops.clock import DAY_MS, SECOND_MS, SeededEntropy, SteppedClock, iso
from cultureops.config import parse
from cultureops.device.channel import Channel
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.errors import ConfigError, StorageError
from cultureops.ledger import SqlLedger
from cultureops.self_check import SelfCheck, Surroundings, self_check_from
from cultureops.self_check.clock_watch import CLOCK_STREAM, ClockWatch
from cultureops.self_check.forecast import DiskForecast
from cultureops.self_check.keeping import Durability
from cultureops.self_check.machine import ClockState, DiskSpace, disk_space, kernel_clock
from cultureops.telemetry import ChannelInfo, EmbeddedStore
from cultureops.telemetry.mirror_lag import LAG_ID

START = 1_770_000_000_000
GB = 10**9


@dataclass
class Machine:
    """A machine, a store and a ledger that do as a test says; both clocks go on by ``pass_time``."""

    wall: int = START
    monotonic_s: float = 5_000.0
    accepted: int = 0
    durable: int = 1_000_000
    store_failure: Exception | None = None
    ledger_failure: Exception | None = None
    published: bool | None = None
    failing: int | None = None
    free: float = 100.0
    clock_state: ClockState | None = field(default_factory=lambda: ClockState(True, 0.01))
    ask_disk: Callable[[Path], Any] | None = None

    def now(self) -> int:
        return self.wall

    async def sleep_until(self, instant: int) -> None:
        raise AssertionError("nothing here sleeps")

    def pass_time(self, seconds: float) -> None:
        self.wall += round(seconds * SECOND_MS)
        self.monotonic_s += seconds

    def disk(self, folder: Path) -> DiskSpace:
        if self.ask_disk is not None:
            self.ask_disk(folder)
        blocks = SimpleNamespace(f_frsize=4096, f_blocks=200 * GB // 4096, f_bavail=int(self.free * GB) // 4096)
        return disk_space(folder, lambda _: blocks)

    def check(self, *, watches_machine: bool = True, deadline_s: float = 5.0, **more: Any) -> SelfCheck:
        around = Surroundings(
            accepted=lambda: self.accepted,
            durable=lambda: self.durable,
            store_failure=lambda: self.store_failure,
            ledger_failure=lambda: self.ledger_failure,
            published=lambda: self.published,
            routes_failing=lambda: self.failing,
            is_mirrored=more.pop("is_mirrored", False),
        )
        return SelfCheck(
            OwnLimits(), Path("data"), self, around, watches_machine=watches_machine, read_disk=self.disk,
            read_clock=lambda: self.clock_state, monotonic=lambda: self.monotonic_s, deadline_s=deadline_s, **more,
        )  # fmt: skip


def values(readings: list[Reading]) -> dict[str, float | None]:
    return {reading.channel.removeprefix("cultureops/"): reading.value for reading in readings}


async def test_what_nobody_knows_has_no_reading() -> None:
    machine = Machine(clock_state=None)
    check = machine.check()
    assert set(values(check.readings(START))) == {"ledger_behind", "readings_missing", "clock_jump"}
    await check.refresh()
    told = values(check.readings(START))
    assert "clock_unsynchronised" not in told and told["disk_free"] == pytest.approx(100)
    assert "does not say" in str(check.health()["clock"])


async def test_a_disk_that_fills_is_told_through_the_engine() -> None:
    machine, check = (made := Machine()), made.check()
    engine = Engine(check.rules)

    async def minutes(count: int) -> set[str]:
        for _ in range(count * 6):
            machine.pass_time(10)
            await check.refresh()
            engine.evaluate(check.readings(machine.wall))
        return {view.rule.id for view in engine.active() if view.is_active}

    assert await minutes(2) == set()
    machine.free = 15.0
    assert await minutes(2) == {"cultureops/disk_free_share/low/warning"}, "7.5 % of 200 GB"
    machine.free = 0.5
    assert len(await minutes(2)) == 4
    machine.free = 100.0
    assert await minutes(2) == set()
    assert check.health()["disk"] == {"free_gb": pytest.approx(100), "free_pct": pytest.approx(50)}


async def test_a_disk_that_hangs_is_unknown_after_the_deadline_and_asked_once() -> None:
    let_go, asked = threading.Event(), []
    machine = Machine()
    check = machine.check(deadline_s=0.05)
    await check.refresh()
    assert "disk_free" in values(check.readings(START))

    def hang(folder: Path) -> None:
        asked.append(folder)
        assert let_go.wait(10)

    machine.ask_disk = hang
    try:
        for _ in range(3):
            began = time.monotonic()
            await check.refresh()
            assert time.monotonic() - began < 2
        assert len(asked) == 1 and "disk_free" not in values(check.readings(START))
        assert "no answer" in str(check.health()["disk_problem"]) and check.health()["disk"] is None
    finally:
        let_go.set()
    machine.ask_disk = None
    async with asyncio.timeout(10):
        while check.health()["disk"] is None:
            await check.refresh()
    assert check.health()["disk_problem"] is None


async def test_a_folder_that_is_gone_is_said_and_not_invented() -> None:
    def gone(folder: Path) -> None:
        raise FileNotFoundError(2, "No such file or directory", str(folder))

    machine = Machine(ask_disk=gone)
    check = machine.check()
    await check.refresh()
    assert "disk_free" not in values(check.readings(START)) and "No such file" in str(check.health()["disk_problem"])


async def test_a_clock_that_nothing_steers_or_that_may_be_seconds_off() -> None:
    machine = Machine()
    check = machine.check()
    for state, is_off in (
        (ClockState(True, 0.02), 0.0),
        (ClockState(False, 0.02), 1.0),
        (ClockState(True, 5.0), 0.0),
        (ClockState(True, 5.1), 1.0),
    ):
        machine.clock_state = state
        await check.refresh()
        assert values(check.readings(START))["clock_unsynchronised"] == is_off


@pytest.mark.parametrize("leap_s", [3600.0, -3600.0, 1.5, -1.5])
def test_a_clock_that_is_set_is_an_event_with_both_times(leap_s: float) -> None:
    machine, check = (made := Machine()), made.check()
    check.readings(machine.wall)
    machine.pass_time(1.0)
    machine.wall += round(leap_s * SECOND_MS)
    assert values(check.readings(machine.wall))["clock_jump"] == abs(leap_s)
    (event,) = check.take_events()
    assert (event.type, event.data["leap_s"]) == ("clock_jumped", leap_s)
    assert event.data["expected"] != event.data["observed"] and event.occurred_at == machine.wall
    machine.pass_time(1.0)
    assert values(check.readings(machine.wall))["clock_jump"] == 0.0 and check.take_events() == ()
    check.give_back([event])
    assert check.take_events() == (event,)


async def test_the_ledger_takes_the_event_of_a_clock_that_was_set(tmp_path: Path) -> None:
    machine, check = (made := Machine()), made.check()
    check.readings(machine.wall)
    machine.wall -= 3600 * SECOND_MS
    check.readings(machine.wall)
    ledger = SqlLedger.open(tmp_path / "ledger.sqlite", SteppedClock(machine.wall), SeededEntropy(1))
    (event,) = await ledger.append(CLOCK_STREAM, list(check.take_events()), None)
    await ledger.close()
    assert (event.stream, event.type, event.data["expected"]) == ("clock", "clock_jumped", iso(START))


async def test_a_real_store_keeps_what_it_is_given(tmp_path: Path) -> None:
    store = EmbeddedStore.open(tmp_path / "telemetry")
    store.declare({"a/b": ChannelInfo.of(Channel("b", "1"), simulated=True)})
    await store.append([Reading("a/b", 1.0, Quality.GOOD, Reason.NONE, START, START)])
    machine = Machine()
    around = Surroundings(lambda: machine.accepted, store.count, lambda: store.failure, lambda: None)
    check = SelfCheck(
        OwnLimits(), tmp_path, machine, around, watches_machine=True, monotonic=lambda: machine.monotonic_s
    )
    for second in range(1, 150):
        machine.pass_time(1)
        if second < 70:
            at = START + second
            machine.accepted += 1
            await store.append([Reading("a/b", 1.0, Quality.GOOD, Reason.NONE, at, at)])
        elif second == 80:
            machine.accepted += 7  # as if a store had said that it took them
        missing = values(check.readings(machine.wall))["readings_missing"]
        assert missing == (7.0 if second >= 141 else missing if second > 135 else 0.0), second
    await store.close()


def test_a_clock_that_is_steered_gently_has_not_leapt() -> None:
    watch = ClockWatch()
    for second in range(600):
        assert watch.look(START + second * 1000 + second // 2, 100.0 + second) is None, "500 ppm"
    assert watch.look(START + 600_000 + 1299, 700.0) is None, "a second is let pass"
    assert watch.look(START + 601_000 + 1299 + 1001, 701.0) is not None


def test_readings_that_silently_do_not_become_durable() -> None:
    machine, check = (made := Machine()), made.check()

    def seconds(count: int, taken: int, kept: int, every: int = 1) -> list[float]:
        found = []
        for second in range(count):
            machine.pass_time(1)
            if second % every == 0:
                machine.accepted += taken
                machine.durable += kept
            found.append(values(check.readings(machine.wall))["readings_missing"] or 0.0)
        return found

    assert not any(seconds(120, 100, 100))
    stopped = seconds(63, 100, 0)
    assert not any(stopped[:59]) and stopped[-1] >= 100, "a minute is over since the first"
    assert seconds(1, 0, 6_300) == [0.0], "they have come"
    assert not any(seconds(120, 100, 100))
    leaking = seconds(300, 100, 99)
    assert not any(leaking[:101]) and leaking[-1] >= 100, "more than comes in a second, unrest or not"


def test_a_single_reading_that_is_lost_in_a_lab_that_polls_once_a_minute() -> None:
    machine, check = (made := Machine()), made.check()
    told = []
    for second in range(600):
        machine.pass_time(1)
        if second % 30 == 0:
            machine.accepted += 40
            machine.durable += 39 if second == 300 else 40
        told.append(values(check.readings(machine.wall))["readings_missing"])
    assert not any(told[:340]) and set(told[365:]) == {1.0}


def test_readings_on_their_way_are_not_missing() -> None:
    slow = Durability()
    durable = 0
    for second in range(600):
        accepted = 6_000 * (second + 1)
        durable = accepted - 120 if second % 45 else max(durable, 0)
        assert slow.missing(accepted, durable, second, is_failing=False) == 0, (
            "a commit that takes seconds now and then"
        )


def test_a_store_that_says_that_it_fails_is_not_silent() -> None:
    machine, check = (made := Machine()), made.check()
    missing = []
    for second in range(900):
        machine.pass_time(1)
        machine.accepted += 10
        machine.store_failure = StorageError("full") if 100 <= second < 400 else None
        if second < 100 or second >= 410:
            machine.durable += 10
        if second == 405:
            machine.durable += 2_000  # what was in line; a thousand more were given up, and the store said so
        if second == 410:
            machine.durable += 100
        missing.append(values(check.readings(machine.wall))["readings_missing"])
    assert not any(missing)


def test_what_is_lost_for_good_is_told_and_does_not_hide_the_next_loss() -> None:
    keeping, at, accepted, durable = Durability(), 0.0, 0, 0
    told = []
    for second in range(2_000):
        at += 1
        if second % 2 == 0:
            accepted += 10
            durable += 10 if second not in (100, 1_500) else 0
        told.append(keeping.missing(accepted, durable, at, is_failing=False))
    assert max(told[:159]) == 0 and max(told[170:680]) == min(told[170:680]) == 10
    assert max(told[720:1_550]) == 0 and max(told[1_570:]) == 10


def test_ledger_broker_and_routes() -> None:
    machine, check = (made := Machine()), made.check()
    told = values(check.readings(START))
    assert told["ledger_behind"] == 0.0 and "broker_away" not in told and "routes_failing" not in told
    machine.ledger_failure, machine.published, machine.failing = StorageError("full"), False, 2
    assert values(check.readings(START))["broker_away"] == 0.0
    told = values(check.readings(START + 90 * SECOND_MS))
    assert (told["ledger_behind"], told["broker_away"], told["routes_failing"]) == (1.0, 90.0, 2.0)
    machine.published = True
    assert values(check.readings(START + 91 * SECOND_MS))["broker_away"] == 0.0
    machine.published = False
    check.readings(START + 92 * SECOND_MS)
    assert values(check.readings(START))["broker_away"] == 0.0, "a clock set back makes no age below zero"


async def test_where_lab_time_is_stepped_the_machine_is_left_out() -> None:
    machine = Machine(free=0.1, published=False)
    check = machine.check(watches_machine=False)
    await check.refresh()
    machine.wall += DAY_MS
    told = values(check.readings(START))
    assert set(told) == {"ledger_behind", "broker_away"} and check.take_events() == ()
    assert all("disk" not in rule.id and "clock" not in rule.id for rule in check.rules)


def test_a_mirror_has_an_alarm_unless_the_site_file_gives_one() -> None:
    machine = Machine()
    assert not any(rule.channel == LAG_ID for rule in machine.check().rules)
    (own,) = (rule for rule in machine.check(is_mirrored=True).rules if rule.channel == LAG_ID)
    assert not any(rule.channel == LAG_ID for rule in machine.check(is_mirrored=True, site_rules=[own]).rules)


def test_when_the_disk_will_be_full() -> None:
    forecast = DiskForecast()
    for hour in range(24 * 6 + 1):
        forecast.note(100 - hour / 6, hour * 600.0)
    assert forecast.days_left() == pytest.approx(76 / 24, rel=0.01), "one a hour, 76 left"
    assert DiskForecast().days_left() is None
    short, growing = DiskForecast(), DiskForecast()
    for minute in range(0, 300, 10):
        short.note(100 - minute, minute * 60.0)
        growing.note(50 + minute, minute * 120.0)
    assert short.days_left() is None and growing.days_left() is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="adjtimex(2) is of Linux")
def test_this_machine_says_how_its_clock_stands() -> None:
    state = kernel_clock()
    if state is None:
        pytest.skip("this machine does not allow adjtimex")
    assert 0 <= state.most_error_s < 1e6


def test_this_machine_says_how_much_space_is_left(tmp_path: Path) -> None:
    found = disk_space(tmp_path)
    assert found.free_gb > 0 and 0 < found.free_pct <= 100


def test_settings_are_moved_by_the_site_file_and_checked() -> None:
    assert self_check_from(None) == OwnLimits()

    def read(text: str) -> OwnLimits:
        return self_check_from(parse(f"[self_check]\n{text}", "site.toml").table("self_check"))

    assert read("disk_warning_gb = 50\ndisk_alarm_gb = 20").disk_alarm_gb == 20
    for text, said in (
        ("disk_warning_pct = 95", "site.toml:2: [self_check] disk_warning_pct: expected a number from"),
        ("disk_alarm_pct = 12", "site.toml:2: [self_check] disk_alarm_pct: the alarm at 12 would come no later"),
        ("disk_warning_gb = 1", "site.toml:2: [self_check] disk_warning_gb: the alarm at 1 would come no later"),
        ("disk_waring_gb = 1", "did you mean 'disk_warning_gb'"),
        ("broker_away_s = 'soon'", "expected a number"),
        ("mirror_lag_s = inf", "expected a number from"),
    ):
        with pytest.raises(ConfigError) as error:
            read(text)
        assert said in str(error.value)


def test_a_check_costs_next_to_nothing() -> None:
    machine = Machine(published=True, failing=0)
    check = machine.check()
    began = time.process_time()
    for _ in range(2_000):
        machine.pass_time(1)
        check.readings(machine.wall)
    assert (time.process_time() - began) / 2_000 < 0.002
