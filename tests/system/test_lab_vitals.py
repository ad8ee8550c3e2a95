"""What a lab says of itself when it stands still, hears nothing, can't record, or meets a fault of its own."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from tests.system.conftest import SITE, OpenLab

from cultureops import clock as clock_module
from cultureops import lab as lab_module
from cultureops.clock import HOUR_MS, MINUTE_MS, SECOND_MS, SeededEntropy, SteppedClock, SystemClock
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.lab import Lab, open_lab
from cultureops.lab_health import health_of
from cultureops.notify.status import NotifyStatus
from cultureops.self_check import vitals as vitals_module
from cultureops.site import read_site

COMMUNICATION = """
[[alarm]]
chamber = "incubator_1"
kind = "communication"
priority = "high"
gmp_critical = true
consequence = "Nobody sees the chamber."
response = "Look at the chamber itself."
"""


def co2(value: float, at: int) -> Reading:
    return Reading("incubator_1/co2", value, Quality.GOOD, Reason.NONE, at, at)


@pytest.fixture
def watched(tmp_path: Path, clock: SteppedClock) -> OpenLab:
    counts = tmp_path / "counts"
    counts.mkdir()
    (tmp_path / "site.toml").write_text(SITE.format(counts=counts) + COMMUNICATION)
    site = read_site(tmp_path / "site.toml")
    return lambda: open_lab(site, tmp_path, clock, SeededEntropy(1))


@asynccontextmanager
async def running(work: asyncio.Task[None]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        assert not work.done(), "it went on to the end"
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def step(lab: Lab, clock: SteppedClock, minutes: int, *, hears: bool) -> None:
    for _ in range(minutes * 6):
        now = clock.advance(10 * SECOND_MS)
        if hears:
            await lab.recorder.accept([co2(5.0, now)])
        lab.tick(now)
        await lab.settle()


def standing(lab: Lab) -> set[str]:
    return {view.rule.id for view in lab.engine.active() if view.is_active}


async def test_an_acquisition_that_fell_silent_is_an_alarm_and_withholds_the_heartbeat(
    watched: OpenLab, clock: SteppedClock
) -> None:
    async with watched() as lab:
        await step(lab, clock, 10, hears=True)
        assert standing(lab) == set() and lab._wrong() is None
        longest_s = max(poller.period_ms for poller in lab.acquisition.pollers.values()) / SECOND_MS
        await step(lab, clock, round(max(2, 5 * longest_s / 60)) + 1, hears=False)
        assert standing(lab) == {"incubator_1/communication"}
        assert "no reading of any device" in (lab._wrong() or "")
        await step(lab, clock, 1, hears=True)
        assert standing(lab) == set() and lab._wrong() is None


async def test_a_lab_that_does_not_tick_withholds_the_heartbeat(opened: OpenLab, clock: SteppedClock) -> None:
    async with opened() as lab:
        clock.advance(30 * SECOND_MS)
        assert lab._wrong() is None
        clock.advance(SECOND_MS)
        assert "stood still" in (lab._wrong() or "")
        lab.tick(clock.now())
        assert lab._wrong() is None


async def test_a_ledger_that_hangs_is_an_alarm_and_withholds_the_heartbeat(
    opened: OpenLab, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened() as lab:
        let_go, append_many = asyncio.Event(), lab.ledger.append_many

        async def hang(*groups: object) -> object:
            await let_go.wait()
            return await append_many(*groups)  # type: ignore[arg-type]

        monkeypatch.setattr(lab.ledger, "append_many", hang)
        async with running(asyncio.create_task(lab._record())):
            for minute in range(14):
                now = clock.advance(MINUTE_MS)
                await lab.recorder.accept([co2(3.0, now)])
                lab.tick(now)
                lab._wake.set()
                await turns()
                assert minute > 1 or lab._wrong() is None
            assert lab.ledger_failure is None and "record has been behind" in (lab._wrong() or "")
            assert standing(lab) == {"incubator_1/co2/low", "cultureops/record_behind/high"}
            let_go.set()
            async with asyncio.timeout(5):
                while lab.alarming.journal.waiting or lab.vitals.recording_s:
                    await asyncio.sleep(0.01)
            lab.tick(clock.advance(SECOND_MS))
            assert "cultureops/record_behind/high" not in standing(lab)


async def test_a_fault_in_a_tick_or_the_record_ends_nothing_and_is_told(
    opened: OpenLab, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vitals_module, "FAULT_STANDS_S", 5.0)
    async with opened() as lab:
        for part, name in ((lab.alarming, "tick"), (lab, "_watch_store"), (lab.ledger, "catch_up")):
            await fault_of(lab, clock, monkeypatch, part, name)


async def fault_of(lab: Lab, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch, part: object, name: str) -> None:
    before = lab.vitals.fault_count

    def fail(*_: object) -> None:
        raise ZeroDivisionError("what nobody foresaw")

    async def seconds(count: int) -> None:
        for _ in range(count):
            clock.advance(SECOND_MS)
            lab._accept([co2(5.0, clock.now())])
            await turns()
            await asyncio.sleep(0.001)

    work = asyncio.gather(lab._tick(), lab._record())
    async with running(work):  # type: ignore[arg-type]
        await seconds(3)
        assert lab._wrong() is None and standing(lab) == set()
        with monkeypatch.context() as patch:
            patch.setattr(part, name, fail)
            await seconds(5)
            assert lab.vitals.fault_count >= before + 3
            assert "ZeroDivisionError: what nobody foresaw" in (lab._wrong() or "")
            assert standing(lab) == {"cultureops/fault/high"}
            assert health_of(lab)["faults"] == {"count": lab.vitals.fault_count, "latest": lab.vitals.fault}
        await seconds(70)
        assert lab._wrong() is None and standing(lab) == set()


async def test_people_who_can_t_be_told_withhold_the_heartbeat_and_are_an_alarm(
    opened: OpenLab, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened() as lab:
        now = clock.now()
        for undelivered_s, is_late in ((0.0, False), (299.0, False), (301.0, True), (0.0, False)):
            status = NotifyStatus(tells_nobody=False, undelivered="incubator_1/co2/low", undelivered_s=undelivered_s)
            monkeypatch.setattr(lab.alarming.notifier, "status", lambda status=status: status)
            lab.alarming.tick(now)
            assert (lab._wrong() is not None) is is_late
            assert ("cultureops/people_not_reached/high" in standing(lab)) is is_late


async def test_a_clock_set_back_by_an_hour_stops_nothing_and_is_an_alarm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Wall:
        set_by_ns = 0

        def time_ns(self) -> int:
            return time.time_ns() + self.set_by_ns

    wall = Wall()
    monkeypatch.setattr(clock_module, "time", wall)
    monkeypatch.setattr(clock_module, "LONGEST_SLICE_S", 0.05)
    monkeypatch.setattr(lab_module, "TICK_MS", 20)
    (tmp_path / "counts").mkdir()
    text = SITE.format(counts=tmp_path / "counts").replace('link = "modbus', 'period_s = 0.1\nlink = "modbus')
    (tmp_path / "site.toml").write_text(text)
    async with open_lab(read_site(tmp_path / "site.toml"), tmp_path, SystemClock(), SeededEntropy(1)) as lab:

        async def until_more_is_accepted() -> None:
            wanted = lab.recorder.accepted + 10
            async with asyncio.timeout(10):
                while lab.recorder.accepted < wanted:
                    await asyncio.sleep(0.01)

        async with running(asyncio.create_task(lab.run())):
            await until_more_is_accepted()
            assert "cultureops/clock_jump/high" not in standing(lab)
            wall.set_by_ns = -HOUR_MS * 1_000_000
            began = time.monotonic()
            await until_more_is_accepted()
            async with asyncio.timeout(10):
                while "cultureops/clock_jump/high" not in standing(lab):
                    await asyncio.sleep(0.01)
            assert time.monotonic() - began < 5 and lab._wrong() is None
