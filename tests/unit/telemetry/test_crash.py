"""A writer killed at any moment has kept everything that it called durable."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import numpy as np

from cultureops.clock import HOUR_MS, MINUTE_MS
from cultureops.device.reading import Reason
from cultureops.telemetry import EmbeddedStore
from cultureops.telemetry.exchange import check

START = 1_769_904_000_000 - HOUR_MS  # an hour before a month ends
WRITER = f"""
import asyncio, sys
from pathlib import Path
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.telemetry import ChannelInfo, EmbeddedStore

async def main():
    store = EmbeddedStore.open(Path(sys.argv[1]))
    store.declare({{"a/t": ChannelInfo("Cel"), "a/c": ChannelInfo("%")}})
    first, sealing = store.count() // 2, []
    for minute in range(first, first + 20_000):
        at = {START} + minute * {MINUTE_MS}
        good = Reading("a/t", float(minute), Quality.GOOD, Reason.NONE, at, at)
        bad = Reading("a/c", None, Quality.BAD, Reason.TIMEOUT, at, at)
        also_good = Reading("a/c", 5.0, Quality.GOOD, Reason.NONE, at, at)
        await store.append([good, bad if minute % 7 < 3 else also_good])
        print("kept", *store.durable, flush=True)
        if minute % 9 == 0:
            sealing.append(asyncio.create_task(store.seal(at)))

asyncio.run(main())
"""


def killed_run(folder: Path, lines_before_kill: int) -> dict[int, str]:
    """Let a child append until it has reported so many frames, kill it, and return what it reported."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            lines = [child.stdout.readline() for _ in range(lines_before_kill)]
        finally:
            child.kill()
        rest = child.stdout.read()  # not communicate(), which would miss what the line reader holds already
    reported = [line.split() for line in "".join([*lines, rest]).split("\n")[:-1] if line.startswith("kept ")]
    return {int(seq): sha256 for _, seq, sha256 in reported}


async def test_nothing_durable_is_lost_to_kill_9(tmp_path: Path) -> None:
    """Also while hours are sealed, months are begun and frames go."""
    folder = tmp_path / "telemetry"
    dice = random.Random(20260105)
    reported: dict[int, str] = {}
    for _ in range(5):
        lately = killed_run(folder, dice.randrange(5, 150))
        assert lately and not reported.keys() & lately.keys()
        reported |= lately
        found = check(folder)
        minutes = found.frames
        assert minutes >= max(reported)
        assert found.readings == 2 * minutes

        store = EmbeddedStore.open(folder)
        seq, sha256 = store.durable
        assert (seq, store.count()) == (minutes, 2 * minutes)
        assert reported.get(seq, sha256) == sha256
        end = START + minutes * MINUTE_MS
        buckets = await store.buckets("a/t", START, end, minutes)
        np.testing.assert_array_equal(buckets.maximum, np.arange(minutes, dtype=float))
        assert buckets.count.tolist() == [1] * minutes
        bad = [int(minute % 7 < 3) for minute in range(minutes)]
        assert (await store.buckets("a/c", START, end, minutes)).bad.tolist() == bad
        np.testing.assert_array_equal((await store.series("a/t", START, end)).value, np.arange(minutes, dtype=float))
        gaps = await store.gaps(START, end)
        assert [(gap.from_ms - START) // MINUTE_MS for gap in gaps] == list(range(0, minutes, 7))
        assert {gap.reason for gap in gaps} == {Reason.TIMEOUT}
        assert store.latest()["a/t"].value == minutes - 1
        await store.close()
    assert check(folder).sealed_readings > 0
    assert len(list(folder.glob("2026-*.sqlite"))) == 2
