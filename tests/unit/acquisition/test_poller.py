"""A poller turns whatever a driver does into readings: one for each channel, a failure with its reason."""

import asyncio
import itertools
from collections.abc import Sequence

import pytest

from cultureops.acquisition import poller as poller_module
from cultureops.acquisition.bus import GRID_MS, Bus, first_due
from cultureops.acquisition.poller import LinkEvent, LinkState, Poller
from cultureops.clock import SteppedClock
from cultureops.device.channel import Channel
from cultureops.device.driver import Identity
from cultureops.device.reading import Quality, Reading, Reason, Sample
from cultureops.errors import DeviceFault, DriverTimeout, NotConnected, ProtocolError

CHANNELS = (Channel("temperature", "Cel", valid_range=(-20.0, 80.0)), Channel("co2", "%", verified=False))


class ScriptedDriver:
    """Does what the script says at each read: raises an error, or returns samples."""

    check_bits = 16

    def __init__(self, *script: Exception | Sequence[Sample]) -> None:
        self.script = list(script)
        self.calls: list[str] = []

    channels = CHANNELS

    async def connect(self) -> None:
        self.calls.append("connect")

    async def disconnect(self) -> None:
        self.calls.append("disconnect")

    async def identify(self) -> Identity:
        return Identity("us", "scripted")

    async def read(self) -> Sequence[Sample]:
        self.calls.append("read")
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, Exception):
            raise step
        return step


GOOD = (Sample("temperature", 37.0), Sample("co2", 5.0))


def poller_of(
    *script: Exception | Sequence[Sample], name: str = "incubator_1", period_ms: int = 1000, deadline_ms: int = 0
) -> tuple[Poller, ScriptedDriver, list[LinkEvent]]:
    driver, events = ScriptedDriver(*script), []
    return (
        Poller(name, driver, SteppedClock(0), period_ms, events.append, deadline_ms=deadline_ms),
        driver,
        events,
    )


async def test_good_values_and_second_hand_ones() -> None:
    poller, _, events = poller_of(GOOD)
    temperature, co2 = await poller.poll_once(5)
    assert temperature == Reading("incubator_1/temperature", 37.0, Quality.GOOD, Reason.NONE, 5, 0)
    assert (co2.quality, co2.reason, co2.value) == (Quality.UNCERTAIN, Reason.UNVERIFIED, 5.0)
    assert [event.state for event in events] == [LinkState.IDENTIFIED]


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (DriverTimeout("x"), Reason.TIMEOUT),
        (NotConnected("x"), Reason.NOT_CONNECTED),
        (ConnectionResetError("x"), Reason.NOT_CONNECTED),
        (ProtocolError("x"), Reason.PROTOCOL_ERROR),
        (DeviceFault("x"), Reason.DEVICE_FAULT),
        (ZeroDivisionError("a driver's own bug"), Reason.DRIVER_ERROR),
        ((), Reason.NOT_DELIVERED),
    ],
)
async def test_every_failure_is_a_reading_for_each_channel(failure, reason) -> None:  # type: ignore[no-untyped-def]
    poller, _, _ = poller_of(failure)
    readings = await poller.poll_once(7)
    assert [(r.channel, r.value, r.quality, r.reason) for r in readings] == [
        ("incubator_1/temperature", None, Quality.BAD, reason),
        ("incubator_1/co2", None, Quality.BAD, reason),
    ]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 900.0])
async def test_impossible_values_are_bad(value: float) -> None:
    poller, _, _ = poller_of((Sample("temperature", value), Sample("co2", 5.0)))
    temperature, co2 = await poller.poll_once(1)
    assert temperature.value is None
    assert temperature.reason in (Reason.NOT_FINITE, Reason.OUT_OF_RANGE)
    assert co2.value == 5.0


async def test_outage_is_said_once_and_return_once() -> None:
    poller, driver, events = poller_of(GOOD, *[DriverTimeout("x")] * 5, GOOD)
    instant = 0
    while driver.script[0] != GOOD or len(driver.script) > 1:
        await poller.poll_once(instant)
        instant += 1000
    await poller.poll_once(instant)
    while poller.misses:
        instant += 1000
        await poller.poll_once(instant)
    assert [event.state for event in events] == [LinkState.IDENTIFIED, LinkState.LOST, LinkState.IDENTIFIED]


async def test_a_dead_device_is_tried_ever_less_often_and_its_readings_go_on() -> None:
    poller, driver, _ = poller_of(NotConnected("x"))
    tries = []
    for instant in range(0, 240_000, 1000):
        before = driver.calls.count("read")
        assert len(await poller.poll_once(instant)) == 2
        if driver.calls.count("read") > before:
            tries.append(instant // 1000)
    assert tries[:3] == [0, 1, 2]
    waits = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert all(wait <= 15 for wait in waits)
    assert sum(waits[-8:]) >= 8 * 0.75 * 15
    assert len(set(waits[-8:])) > 1  # what was lost together does not come back together


@pytest.mark.parametrize("period_ms", [60_000, 20_000])
async def test_a_slow_device_is_tried_at_every_poll(period_ms: int) -> None:
    poller, driver, _ = poller_of(NotConnected("x"), period_ms=period_ms)
    for number in range(20):
        await poller.poll_once(number * period_ms)
    assert driver.calls.count("read") == 20


async def test_the_dead_one_of_a_line_is_tried_when_no_other_is_due_for_long_enough() -> None:
    dead, _, _ = poller_of(DriverTimeout("x"), name="dead", period_ms=10_000, deadline_ms=200)
    dead.misses = 3
    others = [poller_of(GOOD, name=f"d{n}", period_ms=10_000)[0] for n in range(4)]
    bus = Bus("serial:///x", [dead, *others])
    bus.place("dead", 0)
    for other, due in zip(others, (100, 300, 600, 5_000), strict=True):
        bus.place(other.device, due)
    asked = []
    for _ in range(5):
        now = bus.next_due(0 if not asked else asked[-1][0])
        readings = await bus.poll_next(now)
        asked.append((now, readings[0].channel.partition("/")[0]))
    assert asked == [(100, "d0"), (300, "d1"), (600, "d2"), (600, "dead"), (5_000, "d3")]


async def test_the_dead_one_of_a_crowded_line_waits_a_period_at_most() -> None:
    dead, _, _ = poller_of(DriverTimeout("x"), name="dead", deadline_ms=200)
    dead.misses = 3
    others = [poller_of(GOOD, name=f"d{n}")[0] for n in range(10)]
    bus = Bus("serial:///x", [dead, *others])
    bus.place("dead", 0)
    for number, other in enumerate(others):
        bus.place(other.device, 100 * number)
    now, asked = 0, []
    while "dead" not in asked:
        now = max(now, bus.next_due(now))
        asked.append((await bus.poll_next(now))[0].channel.partition("/")[0])
    assert now == 1000
    assert set(asked) == {"dead", *(other.device for other in others)}


async def test_devices_on_one_line_take_turns_and_one_failure_spares_the_other() -> None:
    dead, dead_driver, _ = poller_of(DriverTimeout("x"))
    alive, _, _ = poller_of(GOOD)
    alive.device = "incubator_2"
    bus = Bus("tcp://x", [dead, alive])
    for instant in range(0, 5000, 1000):
        answers = await bus.poll_due(instant)
        assert answers["incubator_2"][0].value == 37.0
        assert answers["incubator_1"][0].quality is Quality.BAD
    assert dead_driver.calls.count("read") < 6


async def test_schedule_does_not_drift_and_missed_periods_are_not_made_up_for() -> None:
    poller, _, _ = poller_of(GOOD)
    bus = Bus("tcp://x", [poller])
    assert await bus.poll_due(100)
    assert not await bus.poll_due(1099)
    assert await bus.poll_due(1150)
    assert bus.next_due(1150) == 2100
    assert await bus.poll_due(9_999)
    assert bus.next_due(9_999) == 10_100


async def test_a_running_line_asks_who_has_been_due_for_longest_and_one_at_a_time() -> None:
    first, _, _ = poller_of(GOOD)
    second, _, _ = poller_of(GOOD)
    second.device = "incubator_2"
    bus = Bus("tcp://x", [first, second])
    bus.place(first.device, 700)
    bus.place(second.device, 300)
    assert bus.next_due(0) == 300
    assert [(await bus.poll_next(at))[0].source_time for at in (310, 705)] == [310, 705]
    assert bus.next_due(705) == 1300
    assert [r.source_time for r in await bus.poll_next(4_000)] == [4_000, 4_000]
    assert bus.next_due(4_000) == 1700  # the other one's turn


@pytest.mark.parametrize(("count", "period_ms"), [(1, 1000), (3, 1000), (7, 60_000), (1000, 1000), (1000, 10)])
def test_places_are_spread_evenly_and_a_restart_moves_none(count: int, period_ms: int) -> None:
    now, later = 1_795_251_600_123, 1_795_251_600_123 + 17 * period_ms + 5
    due = [first_due(rank, count, period_ms, now) for rank in range(count)]
    assert all(now <= at < now + period_ms for at in due)
    assert [at % period_ms for at in due] == [
        first_due(rank, count, period_ms, later) % period_ms for rank in range(count)
    ]
    fair = period_ms / count
    for rank, at in enumerate(due):
        assert -GRID_MS < at % period_ms - rank * fair <= 0
        assert at % GRID_MS == 0


async def test_cancel_leaves_the_poller_usable() -> None:
    poller, driver, _ = poller_of(GOOD)

    async def hang() -> Sequence[Sample]:
        await asyncio.Event().wait()
        return ()

    read, driver.read = driver.read, hang  # type: ignore[method-assign]
    task = asyncio.create_task(poller.poll_once(0))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    driver.read = read  # type: ignore[method-assign]
    assert (await poller.poll_once(1000))[0].value == 37.0


@pytest.mark.parametrize("back_ms", [500, 999, 1_001, 60_000, 3_600_000])
async def test_after_a_clock_was_set_back_everybody_is_asked_within_a_period(back_ms: int) -> None:
    devices = [poller_of(GOOD, name=f"d{number}")[0] for number in range(3)]
    bus = Bus("tcp://x", devices)
    for number, device in enumerate(devices):
        bus.place(device.device, 10_000_000 + 300 * number)
    assert len(await bus.poll_due(10_000_600)) == 3
    now = started = 10_000_600 - back_ms
    asked = {}
    while now <= started + 1_000:
        asked |= dict.fromkeys(await bus.poll_due(now), now)
        now = max(now + 1, bus.next_due(now))
    assert set(asked) == {"d0", "d1", "d2"}
    if back_ms > 1_000:
        assert {at % 1_000 for at in asked.values()} == {0, 300, 600}, "each keeps its place"


async def test_a_line_that_sleeps_over_a_leap_back_goes_on_at_its_usual_pace() -> None:
    poller, driver, _ = poller_of(GOOD)
    bus = Bus("tcp://x", [poller])
    await bus.poll_next(10_000_000)
    now = 10_000_000 - 3_600_000 + 400  # it wakes after a period as the monotonic clock has it
    for _ in range(10):
        await bus.poll_next(now)
        now = bus.next_due(now)
    assert 8_000 <= now - (10_000_000 - 3_600_000) <= 10_000 and driver.calls.count("read") == 11


async def test_a_clock_set_back_makes_no_back_off_longer() -> None:
    poller, driver, _ = poller_of(NotConnected("x"))
    for instant in range(10_000_000, 10_060_000, 1_000):
        await poller.poll_once(instant)
    before = driver.calls.count("read")
    for instant in range(6_000_000, 6_016_000, 1_000):
        await poller.poll_once(instant)
    assert 1 <= driver.calls.count("read") - before <= 4, "tried again, and then left alone as ever"


class Hanging(ScriptedDriver):
    """Does not come back from one of its calls."""

    def __init__(self, hangs_at: str) -> None:
        super().__init__(GOOD)
        self.hangs_at: str | None = hangs_at

    async def _call(self, name: str) -> None:
        self.calls.append(name)
        if self.hangs_at == name:
            await asyncio.Event().wait()

    async def connect(self) -> None:
        await self._call("connect")

    async def disconnect(self) -> None:
        await self._call("disconnect")

    async def identify(self) -> Identity:
        await self._call("identify")
        return Identity("us", "hanging")

    async def read(self) -> Sequence[Sample]:
        await self._call("read")
        return GOOD


@pytest.mark.parametrize("hangs_at", ["connect", "identify", "read"])
async def test_a_driver_that_hangs_is_cut_off_and_its_link_closed(
    hangs_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poller_module, "LEAST_PATIENCE_S", 0.05)
    driver, events = Hanging(hangs_at), list[LinkEvent]()
    poller = Poller("incubator_1", driver, SteppedClock(0), 1000, events.append)
    async with asyncio.timeout(5):
        readings = await poller.poll_once(0)
    assert [reading.reason for reading in readings] == [Reason.TIMEOUT] * 2 and poller.misses == 1
    assert driver.calls[-1] == "disconnect" and [event.state for event in events] == [LinkState.LOST]
    assert "did not come back" in events[0].detail
    driver.hangs_at = None
    assert (await poller.poll_once(1000))[0].value == 37.0


async def test_a_driver_that_hangs_at_its_goodbye_costs_no_more_than_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poller_module, "LEAST_PATIENCE_S", 0.05)
    driver = Hanging("disconnect")
    driver.read = ScriptedDriver(ProtocolError("x")).read  # type: ignore[method-assign]
    poller = Poller("incubator_1", driver, SteppedClock(0), 1000, lambda _: None)
    async with asyncio.timeout(5):
        readings = await poller.poll_once(0)
    assert readings[0].reason is Reason.PROTOCOL_ERROR


async def test_patience_is_many_deadlines_and_a_driver_s_own_timeout_is_not_ours() -> None:
    assert poller_of(GOOD, deadline_ms=20_000)[0]._patience_s == 200
    assert poller_of(GOOD, deadline_ms=500)[0]._patience_s == 30
    poller, _, events = poller_of(TimeoutError("the operating system's"))
    assert (await poller.poll_once(0))[0].reason is Reason.NOT_CONNECTED
    assert events[0].detail == "the operating system's"
