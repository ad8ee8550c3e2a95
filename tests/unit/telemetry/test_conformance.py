"""What every telemetry store keeps to, written against the protocol."""

import asyncio
import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cultureops.clock import HOUR_MS, MINUTE_MS
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.errors import StorageError
from cultureops.telemetry import ChannelInfo, EmbeddedStore, TelemetryStore, Watch

START = 1_767_600_000_000 // HOUR_MS * HOUR_MS


def reading(channel: str, at: int, value: float | None, reason: Reason = Reason.TIMEOUT) -> Reading:
    if value is None:
        return Reading(channel, None, Quality.BAD, reason, at, at + 7)
    return Reading(channel, value, Quality.GOOD, Reason.NONE, at, at + 7)


async def keep(store: TelemetryStore, *frames: list[Reading]) -> None:
    await asyncio.gather(*(store.append(frame) for frame in frames))


async def test_what_is_durable_comes_back(store: TelemetryStore) -> None:
    first = await store.append([reading("a/t", START, 37.0), reading("a/c", START, 5.0)])
    second = await store.append([reading("a/t", START + 1000, None)])
    assert second == first + 1 == store.durable[0]
    assert len(store.durable[1]) == 64
    assert store.count() == 3
    series = await store.series("a/t", START, START + 1001)
    assert series.source_ms.tolist() == [START, START + 1000]
    assert series.value[0] == 37.0 and np.isnan(series.value[1])
    assert series.reason.tolist() == [Reason.NONE, Reason.TIMEOUT]
    assert (await store.series("a/t", START, START + 1000)).source_ms.size == 1
    assert (await store.series("a/nobody", START, START + 1000)).source_ms.size == 0


async def test_latest_is_the_last_to_arrive(store: TelemetryStore) -> None:
    await store.append([reading("a/t", START + 5, 37.0)])
    await store.append([reading("a/t", START, 36.0)])
    assert store.latest()["a/t"].value == 36.0


async def test_an_undeclared_channel_is_refused_by_name(store: TelemetryStore) -> None:
    with pytest.raises(StorageError, match="'b/t' was not declared"):
        store.append([reading("b/t", START, 1.0)])


async def test_of_two_readings_at_one_instant_the_later_arrival_is_shown(store: TelemetryStore) -> None:
    await keep(store, [reading("a/t", START, 37.0)], [reading("a/t", START, 37.0)], [reading("a/t", START, 38.0)])
    series = await store.series("a/t", START, START + 1)
    assert series.value.tolist() == [38.0]
    buckets = await store.buckets("a/t", START, START + MINUTE_MS, 1)
    assert (buckets.count.tolist(), buckets.minimum.tolist()) == ([1], [38.0])


async def test_an_empty_stretch_is_a_gap_and_never_a_number(store: TelemetryStore) -> None:
    await keep(store, [reading("a/t", START, 37.0)], [reading("a/t", START + 3 * MINUTE_MS, 39.0)])
    buckets = await store.buckets("a/t", START, START + 4 * MINUTE_MS, 4)
    assert buckets.count.tolist() == [1, 0, 0, 1]
    for values in (buckets.minimum, buckets.maximum, buckets.mean):
        assert np.isnan(values).tolist() == [False, True, True, False]


async def test_gaps_have_reasons_and_ends(store: TelemetryStore) -> None:
    values: list[tuple[float | None, Reason]] = [
        (1.0, Reason.NONE),
        (None, Reason.TIMEOUT),
        (None, Reason.TIMEOUT),
        (None, Reason.NOT_CONNECTED),
        (2.0, Reason.NONE),
        (None, Reason.SENTINEL),
    ]
    for minute, (value, reason) in enumerate(values):
        await store.append([reading("a/t", START + minute * MINUTE_MS, value, reason)])
    gaps = await store.gaps(START, START + HOUR_MS)
    assert [((g.from_ms - START) // MINUTE_MS, g.to_ms and (g.to_ms - START) // MINUTE_MS, g.reason) for g in gaps] == [
        (1, 3, Reason.TIMEOUT),
        (3, 4, Reason.NOT_CONNECTED),
        (5, None, Reason.SENTINEL),
    ]
    assert await store.gaps(START, START + HOUR_MS, ["a/c"]) == ()
    assert len(await store.gaps(START + 4 * MINUTE_MS, START + 5 * MINUTE_MS)) == 0


async def test_exposure_counts_what_is_known_and_what_is_not(store: TelemetryStore) -> None:
    """A reading a minute for two hours, three minutes too warm, BAD ones bridged or not, and late ones filled in."""
    rows = [reading("a/t", START + minute * MINUTE_MS, 37.0 if minute // 3 != 20 else 40.0) for minute in range(120)]
    faults = {*range(10, 12), *range(80, 90)}
    rows = [reading("a/t", row.source_time, None) if number in faults else row for number, row in enumerate(rows)]
    await keep(store, rows[:30], rows[45:], rows[30:45])
    watch = Watch("a/t", 36.0, 38.0, 3 * MINUTE_MS)
    found, unheard = await store.exposures(START - MINUTE_MS, START + 2 * HOUR_MS, [watch, Watch("a/c", 4, 6, 1000)])
    assert found.unknown == (
        (START - MINUTE_MS, START),
        (START + 79 * MINUTE_MS, START + 90 * MINUTE_MS),
        (START + 119 * MINUTE_MS, START + 120 * MINUTE_MS),
    )
    assert (found.unknown_s, found.covered_s, found.maximum) == (13 * 60, 108 * 60, 40.0)
    assert found.above_s == pytest.approx(2 * 60 + 2 * 60 * 2 / 3)
    assert found.degree_minutes_above == pytest.approx(2 * 2 + 2 * 2 / 3)
    assert (unheard.mean, unheard.unknown_s, unheard.covered_s) == (None, 121 * 60, 0)
    with pytest.raises(ValueError, match="is no stretch"):
        await store.exposures(START, START - 1, [watch])


async def test_everything_is_there_after_a_restart(open_store: Callable[[], EmbeddedStore]) -> None:
    store = open_store()
    store.declare({"a/t": ChannelInfo("Cel", decimals=1, simulated=True)})
    for minute in range(150):
        await store.append([reading("a/t", START + minute * MINUTE_MS, None if minute in (70, 149) else minute / 10)])
    before = await store.buckets("a/t", START, START + 3 * HOUR_MS, 60)
    gaps, durable, latest = await store.gaps(START, START + 3 * HOUR_MS), store.durable, dict(store.latest())
    await store.close()
    again = open_store()
    assert again.channels() == {"a/t": ChannelInfo("Cel", decimals=1, simulated=True)}
    assert (again.count(), again.durable, again.latest()) == (150, durable, latest)
    after = await again.buckets("a/t", START, START + 3 * HOUR_MS, 60)
    for name in ("from_ms", "minimum", "maximum", "mean", "count", "bad"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
    assert await again.gaps(START, START + 3 * HOUR_MS) == gaps
    await again.append([reading("a/t", START + 150 * MINUTE_MS, 1.0)])
    assert (await again.gaps(START, START + 3 * HOUR_MS))[-1].to_ms == START + 150 * MINUTE_MS


async def test_late_readings_are_late_after_a_restart_too(open_store: Callable[[], EmbeddedStore]) -> None:
    """What arrived last and what is newest differ; the store remembers both."""
    store = open_store()
    store.declare({"a/t": ChannelInfo("Cel")})
    await keep(store, [reading("a/t", START + 2 * HOUR_MS, 3.0)], [reading("a/t", START, 1.0)])
    for value in (4.0, 5.0):
        await store.close()
        store = open_store()
        assert store.latest()["a/t"].source_time == START
        await keep(store, [reading("a/t", START + 2 * HOUR_MS, value)], [reading("a/t", START, value)])
    buckets = await store.buckets("a/t", START, START + 3 * HOUR_MS, 3)
    assert (buckets.count.tolist(), buckets.maximum[[0, 2]].tolist()) == ([1, 0, 1], [5.0, 5.0])


async def test_a_clock_that_jumped_ahead_and_back_spoils_nothing(store: TelemetryStore) -> None:
    rows = [reading("a/t", START + minute * MINUTE_MS, None if minute == 5 else 1.0) for minute in range(10)]
    await store.append(rows[:3])
    await store.append([reading("a/t", START + 30 * 24 * HOUR_MS, 9.0)])
    for row in rows[3:]:
        await store.append([row])
    buckets = await store.buckets("a/t", START, START + 10 * MINUTE_MS, 10)
    assert (buckets.count.tolist(), buckets.bad.tolist()) == ([1] * 5 + [0] + [1] * 4, [0] * 5 + [1] + [0] * 4)
    gaps = await store.gaps(START, START + HOUR_MS)
    assert [((gap.from_ms - START) // MINUTE_MS, (gap.to_ms or 0) - gap.from_ms) for gap in gaps] == [(5, MINUTE_MS)]


async def test_fine_stretches_come_from_the_readings(store: TelemetryStore) -> None:
    await store.append([reading("a/t", START + second * 1000, float(second)) for second in range(100)])
    buckets = await store.buckets("a/t", START + 10_000, START + 70_000, 6)
    assert (buckets.width_ms, buckets.count.tolist()) == (10_000, [10] * 6)
    assert (buckets.minimum.tolist(), buckets.maximum.tolist()) == (
        [10.0, 20.0, 30.0, 40.0, 50.0, 60.0],
        [19.0, 29.0, 39.0, 49.0, 59.0, 69.0],
    )


async def test_a_range_that_is_none_is_refused(store: TelemetryStore) -> None:
    for start, end, count in [(START, START, 1), (START, START - 1, 1), (START, START + 1, 0)]:
        with pytest.raises(ValueError, match="is no range"):
            await store.buckets("a/t", start, end, count)


VALUES = st.one_of(st.none(), st.floats(-50, 50))
REASONS = st.sampled_from([Reason.TIMEOUT, Reason.SENTINEL])
POINTS = st.lists(st.tuples(st.integers(0, 5 * 60), VALUES, REASONS), min_size=1, max_size=40)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(points=POINTS, cuts=st.lists(st.integers(0, 40), max_size=5), restart=st.booleans(), seal=st.booleans())
async def test_any_order_of_arrival_gives_the_sums_of_a_brute_force(
    points: list[tuple[int, float | None, Reason]],
    cuts: list[int],
    restart: bool,
    seal: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("any") / "telemetry"
    await check_any_order(points, cuts, lambda: EmbeddedStore.open(path), restart=restart, seal=seal)


async def check_any_order(
    points: list[tuple[int, float | None, Reason]],
    cuts: list[int],
    open_store: Callable[[], TelemetryStore],
    *,
    restart: bool,
    seal: bool,
) -> None:
    """Append readings in parts and compare everything that the store says of them with what they say themselves."""
    store = open_store()
    store.declare({"a/t": ChannelInfo("Cel")})
    rows = [reading("a/t", START + minute * MINUTE_MS, value, reason) for minute, value, reason in points]
    edges = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    for begin, end in itertools.pairwise(edges):
        await store.append(rows[begin:end])
        if seal:
            await store.seal(START + begin % 7 * HOUR_MS)
        if restart:
            await store.close()
            store = open_store()
    shown = {row.source_time: row for row in rows}
    in_order = [shown[at] for at in sorted(shown)]
    series = await store.series("a/t", START, START + 6 * HOUR_MS)
    assert series.source_ms.tolist() == [row.source_time for row in in_order]
    assert [None if v != v else v for v in series.value.tolist()] == [row.value for row in in_order]
    buckets = await store.buckets("a/t", START, START + 6 * HOUR_MS, 24)
    for number in range(24):
        inside = [r for r in in_order if number * 15 <= (r.source_time - START) // MINUTE_MS < number * 15 + 15]
        good = [row.value for row in inside if row.value is not None]
        assert buckets.count[number] == len(good)
        assert buckets.bad[number] == len(inside) - len(good)
        if good:
            assert (buckets.minimum[number], buckets.maximum[number]) == (min(good), max(good))
            assert buckets.mean[number] == pytest.approx(sum(good) / len(good), abs=1e-9)
    expected: list[tuple[int, int | None, Reason]] = []
    open_run: tuple[int, Reason] | None = None
    for row in in_order:
        reason = None if row.value is not None else row.reason
        if open_run is not None and open_run[1] != reason:
            expected.append((open_run[0], row.source_time, open_run[1]))
            open_run = None
        if reason is not None and open_run is None:
            open_run = (row.source_time, reason)
    if open_run is not None:
        expected.append((open_run[0], None, open_run[1]))
    gaps = await store.gaps(START, START + 6 * HOUR_MS)
    assert [(gap.from_ms, gap.to_ms, gap.reason) for gap in gaps] == expected
    await store.close()
