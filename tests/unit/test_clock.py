"""Lab time moves only when stepped, stamps survive a round trip, and seeded randomness repeats."""

import asyncio
import time
import uuid
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops import clock as clock_module
from cultureops.clock import (
    SeededEntropy,
    SteppedClock,
    SystemClock,
    SystemEntropy,
    iso,
    local_stamp,
    local_text,
    parse_iso,
)
from cultureops.errors import ConfigError

LAST_OF_ALL = 253_402_300_799_000
INSTANTS = st.integers(min_value=0, max_value=4_102_444_800_000)


@given(INSTANTS)
def test_iso_round_trip(instant: int) -> None:
    assert parse_iso(iso(instant)) == instant


def test_offsets_are_respected_and_demanded() -> None:
    assert parse_iso("2026-01-05T09:00:00+01:00") == parse_iso("2026-01-05T08:00:00Z")
    for text in ("2026-01-05T08:00:00", "yesterday", ""):
        with pytest.raises(ConfigError, match="2026-01-05T08:00:00Z"):
            parse_iso(text)


async def test_sleepers_wake_in_order_of_their_instants() -> None:
    clock, woken = SteppedClock(1000), []

    async def sleeper(until: int) -> None:
        await clock.sleep_until(until)
        woken.append(until)

    tasks = [asyncio.create_task(sleeper(until)) for until in (1300, 1100, 1200, 900)]
    await asyncio.sleep(0)
    assert woken == [900]
    clock.advance(250)
    await asyncio.sleep(0)
    assert woken == [900, 1100, 1200]
    clock.advance(50)
    await asyncio.gather(*tasks)
    assert woken[-1] == 1300


async def test_a_cancelled_sleeper_is_forgotten() -> None:
    clock = SteppedClock(0)
    task = asyncio.create_task(clock.sleep_until(10))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert clock.advance(20) == 20


def test_time_is_never_stepped_back() -> None:
    with pytest.raises(ValueError, match="stepped back"):
        SteppedClock(0).advance(-1)


@given(INSTANTS, st.integers(min_value=0))
def test_event_ids_are_uuid7_and_repeat_with_the_seed(instant: int, seed: int) -> None:
    first, second = (SeededEntropy(seed).event_id(instant) for _ in range(2))
    assert first == second
    parsed = uuid.UUID(first)
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert parsed.int >> 80 == instant


def test_system_sources() -> None:
    now = SystemClock().now()
    assert uuid.UUID(SystemEntropy().event_id(now)).version == 7
    assert all(0 <= SystemEntropy().bits(5) < 32 for _ in range(200))


class Wall:
    """Stands for the machine's clock, which somebody sets."""

    def __init__(self) -> None:
        self.set_by_s = 0

    def time_ns(self) -> int:
        return time.time_ns() + self.set_by_s * 1_000_000_000


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    wall = Wall()
    monkeypatch.setattr(clock_module, "time", wall)
    monkeypatch.setattr(clock_module, "LONGEST_SLICE_S", 0.05)
    return wall


async def test_a_clock_that_is_set_back_holds_nobody_up_for_longer_than_a_slice(wall: Wall) -> None:
    clock = SystemClock()
    sleeping = asyncio.create_task(clock.sleep_until(clock.now() + 100))
    began = time.monotonic()
    await asyncio.sleep(0.02)
    wall.set_by_s = -3600
    async with asyncio.timeout(5):
        await sleeping
    assert 0.1 <= time.monotonic() - began < 1


async def test_a_clock_that_is_set_forward_is_noticed_within_a_slice(wall: Wall) -> None:
    clock = SystemClock()
    sleeping = asyncio.create_task(clock.sleep_until(clock.now() + 3_600_000))
    await asyncio.sleep(0.02)
    assert not sleeping.done()
    wall.set_by_s = 7200
    async with asyncio.timeout(5):
        await sleeping


async def test_nobody_wakes_early_where_the_clock_is_left_alone_or_steered_gently(wall: Wall) -> None:
    clock = SystemClock()
    until = clock.now() + 120
    await clock.sleep_until(until)
    assert clock.now() >= until
    await clock.sleep_until(until - 1_000)


def test_the_end_of_all_dates_is_written_in_any_zone() -> None:
    for name in ("Europe/Berlin", "Pacific/Auckland", "America/New_York"):  # as certificates bear it that never end
        assert "9999-12-31" in local_text(LAST_OF_ALL, ZoneInfo(name))
        assert "9999-12-31" in local_stamp(LAST_OF_ALL, ZoneInfo(name))
