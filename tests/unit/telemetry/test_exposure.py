"""Exposure from roll-ups is that of all readings, whatever was recorded, in whatever order it came."""

import contextlib
import sqlite3
import time
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cultureops.analysis.exposure import ChannelExposure, exposure
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.errors import Unreadable
from cultureops.telemetry import ChannelInfo, EmbeddedStore, Watch
from cultureops.telemetry.hours import Hours

MONTH_END = 1_769_904_000_000
"""2026-02-01T00:00Z"""
INFO = {"a/t": ChannelInfo("Cel"), "a/c": ChannelInfo("%")}


def reading(channel: str, at: int, value: float | None, quality: Quality = Quality.GOOD) -> Reading:
    if value is None:
        return Reading(channel, None, Quality.BAD, Reason.TIMEOUT, at, at)
    return Reading(channel, value, quality, Reason.NONE if quality == Quality.GOOD else Reason.UNVERIFIED, at, at)


async def from_readings(store: EmbeddedStore, watch: Watch, start: int, end: int) -> ChannelExposure:
    """Return the exposure that all readings give, which has tests of its own."""
    series = await store.series(watch.channel, start, end + 1)
    return exposure(
        series.source_ms, series.value, series.quality != Quality.BAD, start, end, watch.low, watch.high,
        watch.max_gap_ms, uncertain=series.quality == Quality.UNCERTAIN,
    )  # fmt: skip


def assert_same(found: ChannelExposure, expected: ChannelExposure) -> None:
    """Times to 1e-9; means, and degree-minutes by their mean excess, to 1e-6 of the largest value."""
    largest = max(abs(expected.minimum or 0), abs(expected.maximum or 0))
    covered_min = expected.covered_s / 60
    for field in fields(ChannelExposure):
        got, wanted = getattr(found, field.name), getattr(expected, field.name)
        if field.name == "mean" and wanted is not None:
            assert got == pytest.approx(wanted, rel=0, abs=1e-6 * largest)
        elif field.name.startswith("degree_minutes"):
            assert got == pytest.approx(wanted, rel=1e-9, abs=1e-6 * largest * covered_min), field.name
        elif isinstance(wanted, float):
            assert got == pytest.approx(wanted, rel=1e-9, abs=1e-9), field.name
        else:
            assert got == wanted, field.name


def made_up(seed: int, period_ms: int, hours: int, start: int) -> list[list[Reading]]:
    """Return frames as they arrive: level or not, with jitter, excursions, faults, doubts, silences, late polls."""
    rng = np.random.default_rng(seed)
    count = hours * HOUR_MS // period_ms
    jitter = [0, 0, 3, period_ms // 8][rng.integers(4)]
    at = (
        start + np.arange(count, dtype=np.int64) * period_ms + np.round(rng.uniform(-jitter, jitter, count)).astype(int)
    )
    if rng.random() < 0.3:  # the poll slows down half-way
        at[count // 2 :] = at[count // 2] + (at[count // 2 :] - at[count // 2]) * 2
    value = 37 + rng.normal(0, [0, 0.02][rng.integers(2)], count) + rng.choice([0, 0.3, -0.3])
    for _ in range(rng.integers(4)):  # an excursion, of minutes or of hours
        first, length = rng.integers(count), int(rng.exponential(count / hours * [0.1, 2][rng.integers(2)])) + 1
        value[first : first + length] += rng.choice([-2, 0.8, 3]) * np.linspace(
            1, rng.random(), value[first : first + length].size
        )
    value = np.round(value, 2)
    quality = np.full(count, 192)
    for kind in rng.choice([0, 64, -1], rng.integers(5)):  # faults, doubts and silences
        first, length = rng.integers(count), int(rng.exponential(count / hours * [0.01, 1.5][rng.integers(2)])) + 1
        quality[first : first + length] = kind
    rows = [
        reading("a/t", t, None if q == 0 else v, Quality(q or 192))
        for t, v, q in zip(at.tolist(), value.tolist(), quality.tolist(), strict=True)
        if q >= 0
    ]
    due = np.arange(len(rows)) + np.where(
        rng.random(len(rows)) < rng.choice([0, 0.01]), rng.integers(0, count, len(rows)), 0
    )
    rows = [rows[number] for number in np.argsort(due, kind="stable").tolist()]
    if rows and rng.random() < 0.3:  # a reading of the same instant says something else
        rows.append(reading("a/t", rows[len(rows) // 2].source_time, 39.0))
    cuts = sorted(rng.integers(0, len(rows) + 1, 3).tolist())
    return [rows[a:b] for a, b in zip([0, *cuts], [*cuts, len(rows)], strict=True)]


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.generate],
)  # fmt: skip
@given(
    seed=st.integers(0, 1 << 30),
    period_ms=st.sampled_from([5_000, 10_000, 60_000, 20 * MINUTE_MS]),
    start=st.integers(-2 * HOUR_MS, 14 * HOUR_MS),
    length=st.integers(0, 16 * HOUR_MS),
    low=st.sampled_from([None, 36.5, 36.9, 37.0]),
    high=st.sampled_from([None, 37.0, 37.1, 37.5]),
    max_gap_ms=st.sampled_from([1, 5_100, 12_000, 150_000, HOUR_MS, 5 * HOUR_MS]),
    seals=st.lists(st.integers(0, 16), min_size=4, max_size=4),
)
async def test_any_record_gives_what_its_readings_give(
    tmp_path_factory: pytest.TempPathFactory, seed: int, period_ms: int, start: int, length: int, low: float | None,
    high: float | None, max_gap_ms: int, seals: list[int],
) -> None:  # fmt: skip
    store = EmbeddedStore.open(tmp_path_factory.mktemp("any") / "telemetry")
    store.declare(INFO)
    begin = MONTH_END - 6 * HOUR_MS
    for frame, hours in zip(made_up(seed, period_ms, 14, begin), seals, strict=True):
        for first in range(0, len(frame), 5000):
            await store.append(frame[first : first + 5000])
        await store.seal(begin + hours * HOUR_MS)
    watch = Watch("a/t", low, high, max_gap_ms)
    for stay in ((begin + start, begin + start + length), (begin, begin + 14 * HOUR_MS)):
        (found,) = await store.exposures(*stay, [watch])
        assert_same(found, await from_readings(store, watch, *stay))
    await store.close()


def steady(seconds: int, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Return when a channel was polled at 1 Hz, a few ms late each time, and values that wander about 37."""
    rng = np.random.default_rng(seed)
    at = MONTH_END - DAY_MS + np.arange(seconds) * 1000 + np.clip(np.round(rng.normal(20, 3, seconds)), 1, 999)
    wander = np.interp(np.arange(seconds), np.arange(0, seconds + 600, 600), rng.normal(0, 0.1, seconds // 600 + 1))
    return at.astype(np.int64), np.round(37 + wander + rng.normal(0, 0.02, seconds), 2)


async def filled(path: Path, at: np.ndarray, values: np.ndarray, bad: range = range(0)) -> EmbeddedStore:
    """Return a store with both channels of a device, sealed."""
    store = EmbeddedStore.open(path)
    store.declare(INFO)
    rows = [
        reading(name, ms, None if number in bad else value)
        for number, (ms, value) in enumerate(zip(at.tolist(), values.tolist(), strict=True))
        for name in INFO
    ]
    for first in range(0, len(rows), 50_000):
        await store.append(rows[first : first + 50_000])
    await store.seal(int(at[-1]) + 2 * HOUR_MS)
    return store


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collect the hours of which readings were decoded."""
    found: list[int] = []
    usable = Hours.usable
    monkeypatch.setattr(Hours, "usable", lambda hours, hour: (found.append(hour), usable(hours, hour))[1])
    return found


async def test_only_hours_that_roll_ups_do_not_tell_of_are_decoded(tmp_path: Path, decoded: list[int]) -> None:
    """Two days over the end of a month: an excursion, a fault, both ends, and neighbours of a warm stretch."""
    at, values = steady(2 * 86_400)
    values[5 * 3600 + 1000 : 5 * 3600 + 1300] -= 2
    values[30 * 3600 : 33 * 3600] += 2
    store = await filled(tmp_path / "telemetry", at, values, bad=range(20 * 3600 + 100, 20 * 3600 + 160))
    begin = MONTH_END - DAY_MS
    start, end = begin + 90_000, begin + 47 * HOUR_MS + 1
    watches = [Watch("a/t", 36, 38, 10_000), Watch("a/c", None, None, 2000)]
    began = time.perf_counter()
    found = await store.exposures(start, end, watches)
    took_s = time.perf_counter() - began
    assert {hour - begin // HOUR_MS for hour in decoded} == {0, 5, 20, 29, 30, 32, 33, 47}
    began = time.perf_counter()
    for one, watch in zip(found, watches, strict=True):
        assert_same(one, await from_readings(store, watch, start, end))
    print(
        f"\n2 days at 1 Hz, 2 channels: {took_s * 1e3:.0f} ms, {(time.perf_counter() - began) * 1e3:.0f} from readings"
    )
    warm, free = found
    assert warm.above_s == pytest.approx(3 * 3600, abs=2) and warm.below_s == pytest.approx(300, abs=2)
    assert [(b - a) // 1000 for a, b in warm.unknown[1:-1]] == [61] and free.out_of_range_s == 0
    await store.close()


async def test_readings_that_are_spaced_unevenly_are_decoded(tmp_path: Path, decoded: list[int]) -> None:
    """Twice as often in the warm half of each hour: the mean of the readings is not that of the time."""
    at = MONTH_END + np.concatenate([
        hour * HOUR_MS + np.concatenate((np.arange(0, 30 * MINUTE_MS, 2500), np.arange(30 * MINUTE_MS, HOUR_MS, 5000)))
        for hour in range(6)
    ])  # fmt: skip
    values = np.where(at % HOUR_MS < 30 * MINUTE_MS, 38.0, 36.0)
    store = await filled(tmp_path / "telemetry", at, values)
    (found,) = await store.exposures(MONTH_END, MONTH_END + 6 * HOUR_MS, [Watch("a/t", 30, 40, 10_000)])
    assert found.mean == pytest.approx(37, abs=0.01)
    assert len(set(decoded)) == 6
    await store.close()


async def test_a_damaged_chunk_is_named_whether_it_is_decoded_or_not(tmp_path: Path) -> None:
    at, values = steady(4 * 3600)
    store = await filled(tmp_path / "telemetry", at, values)
    await store.close()
    file = tmp_path / "telemetry" / "2026-01.sqlite"
    with contextlib.closing(sqlite3.connect(file)) as db, db:
        db.execute("UPDATE stamps SET payload = zeroblob(length(payload)) WHERE id = 2")
    store = EmbeddedStore.open(tmp_path / "telemetry")
    with pytest.raises(Unreadable, match=r"2026-01\.sqlite: Key.*restore the file from a backup"):
        await store.exposures(MONTH_END - DAY_MS, MONTH_END, [Watch("a/t", None, None, 10_000)])
    await store.close()


def test_a_watch_is_checked_when_it_is_made() -> None:
    with pytest.raises(ValueError, match=r"38\.\.36 is no range"):
        Watch("a/t", 38, 36, 1000)
    with pytest.raises(ValueError, match="a/t may be silent for 0 ms"):
        Watch("a/t", 36, 38, 0)
