"""The last hours in memory say what the store says of them, and never grow."""

from pathlib import Path

from cultureops.acquisition.recent import SPAN_MS, STRETCHES, WIDTH_MS, Recent
from cultureops.clock import HOUR_MS, MINUTE_MS
from cultureops.device.reading import Quality, Reading, Reason, bad_reading
from cultureops.telemetry import ChannelInfo, EmbeddedStore

NOW = 1_767_600_000_000 + 7 * MINUTE_MS


def reading(value: float | None, at: int, channel: str = "a/t") -> Reading:
    if value is None:
        return bad_reading(channel, Reason.TIMEOUT, at, at)
    return Reading(channel, value, Quality.GOOD, Reason.NONE, at, at)


def test_each_stretch_keeps_its_extremes_and_a_missing_value_is_none() -> None:
    recent = Recent(["a/t"])
    start = NOW // WIDTH_MS * WIDTH_MS
    recent.take([reading(5.0, start), reading(3.0, start + 1), reading(None, start + 2), reading(9.0, start + 3)])
    recent.take([reading(1.0, start, "b/t"), reading(None, start - WIDTH_MS), reading(4.0, start - 2 * WIDTH_MS)])
    assert recent.last_hours("a/t", NOW).extremes[-3:] == ((4.0, 4.0), None, (3.0, 9.0))
    assert len(recent.last_hours("a/t", NOW).extremes) == STRETCHES
    assert set(recent.last_hours("b/t", NOW).extremes) == {None}


def test_what_is_long_past_is_let_go() -> None:
    recent = Recent(["a/t"])
    for stretch in range(20 * STRETCHES):
        recent.take([reading(1.0, NOW + stretch * WIDTH_MS)])
    assert len(recent._of["a/t"]) <= 3 * STRETCHES
    now = NOW + (20 * STRETCHES - 1) * WIDTH_MS
    assert None not in recent.last_hours("a/t", now).extremes


async def test_a_restart_loses_nothing_of_them(tmp_path: Path) -> None:
    store = EmbeddedStore.open(tmp_path)
    channels = ["a/t", "b/t", "never/read"]
    store.declare({channel: ChannelInfo("Cel") for channel in channels})
    before = Recent(channels)
    for minute in range(-400, 1):
        at = NOW + minute * MINUTE_MS
        taken = [reading(float(minute % 17), at), reading(None if minute % 3 else float(-minute), at, "b/t")]
        before.take(taken)
        await store.append(taken)
        if minute == -90:
            await store.seal(at // HOUR_MS * HOUR_MS)
    after = Recent(channels)
    await after.recall(store, NOW)
    for channel in channels:
        assert after.last_hours(channel, NOW) == before.last_hours(channel, NOW), channel
    one = await store.buckets("a/t", NOW - SPAN_MS, NOW + 1, 100)
    (many,) = await store.buckets_of(["a/t"], NOW - SPAN_MS, NOW + 1, 100)
    assert (one.minimum.tolist(), one.count.tolist()) == (many.minimum.tolist(), many.count.tolist())
    starts = {"a/t": NOW - 3 * HOUR_MS, "b/t": NOW - MINUTE_MS, "never/read": NOW - HOUR_MS}
    for channel, series in (await store.series_of(starts, NOW + 1)).items():
        alone = await store.series(channel, starts[channel], NOW + 1)
        assert series.readings(channel) == alone.readings(channel), channel
    await store.close()
