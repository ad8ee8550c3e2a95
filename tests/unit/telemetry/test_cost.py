"""What an append and a month's chart cost. Bounds are loose, for slow machines; run with -s to see the figures."""

import statistics
import time
from pathlib import Path

from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.telemetry import ChannelInfo, EmbeddedStore

START = 1_767_600_000_000 // HOUR_MS * HOUR_MS
CHANNELS = [f"incubator_{number // 8}/c{number % 8}" for number in range(40)]
DAYS = 30
ROUNDS, FRAMES_A_ROUND = 8, 200


def frame(minute: int, channels: list[str]) -> list[Reading]:
    at = START + minute * MINUTE_MS
    return [Reading(name, 37 + minute % 97 / 100, Quality.GOOD, Reason.NONE, at, at + 9) for name in channels]


async def test_an_append_costs_the_loop_next_to_nothing(tmp_path: Path) -> None:
    """The least of several rounds' medians: other work on the machine only ever adds to what a round takes."""
    store = EmbeddedStore.open(tmp_path / "telemetry")
    store.declare({name: ChannelInfo("Cel") for name in CHANNELS})
    frames = [frame(minute, CHANNELS) for minute in range(ROUNDS * FRAMES_A_ROUND)]
    loop_s, cpu = [], time.process_time()
    for readings in frames:
        begin = time.thread_time()
        durable = store.append(readings)
        loop_s.append(time.thread_time() - begin)
        await durable
    whole_us = (time.process_time() - cpu) / len(frames) * 1e6
    rounds = [loop_s[first : first + FRAMES_A_ROUND] for first in range(0, len(frames), FRAMES_A_ROUND)]
    loop_us = min(statistics.median(each) for each in rounds) * 1e6
    print(f"\nappend of 40 readings: {loop_us:.1f} us on the loop, {whole_us:.0f} us CPU in all until durable")
    assert loop_us < 60  # 20 on a quiet machine
    assert whole_us < 2000
    await store.close()


async def test_a_month_of_minutes_is_read_within_a_blink(tmp_path: Path) -> None:
    store = EmbeddedStore.open(tmp_path / "telemetry")
    channels = CHANNELS[:6]
    store.declare({name: ChannelInfo("Cel") for name in channels})
    for day in range(DAYS):
        for minute in range(day * 1440, (day + 1) * 1440):
            store.append(frame(minute, channels))
        await store.flush()
        if day % 6 == 5:
            await store.seal(START + day * DAY_MS)
    took_ms = {}
    end = START + DAYS * DAY_MS
    begin = time.perf_counter()
    assert (await store.series(channels[2], START, end)).value.size == DAYS * 1440
    took_ms["series"] = (time.perf_counter() - begin) * 1e3
    begin = time.perf_counter()
    buckets = await store.buckets(channels[2], START, end, 2000)
    took_ms["buckets"] = (time.perf_counter() - begin) * 1e3
    assert (buckets.count.sum(), buckets.maximum.max()) == (DAYS * 1440, 37.96)
    print(f"\n30 days of minutes: {took_ms['series']:.0f} ms raw, {took_ms['buckets']:.1f} ms in 2,000 stretches")
    assert took_ms["series"] < 1200  # 400 on a quiet machine
    assert took_ms["buckets"] < took_ms["series"]
    await store.close()
