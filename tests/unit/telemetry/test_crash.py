"""A writer killed at any moment has kept everything that it called durable."""

from __future__ import annotations

import hashlib
import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np

from cultureops.clock import HOUR_MS, MINUTE_MS
from cultureops.device.reading import Reason
from cultureops.telemetry import EmbeddedStore
from cultureops.telemetry.exchange import check

START = 1_767_600_000_000 // HOUR_MS * HOUR_MS
WRITER = f"""
import asyncio, sys
from pathlib import Path
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.telemetry import ChannelInfo, EmbeddedStore

async def main():
    store = EmbeddedStore.open(Path(sys.argv[1]))
    store.declare({{"a/t": ChannelInfo("Cel"), "a/c": ChannelInfo("%")}})
    first = store.count() // 2
    for minute in range(first, first + 20_000):
        at = {START} + minute * {MINUTE_MS}
        good = Reading("a/t", float(minute), Quality.GOOD, Reason.NONE, at, at)
        bad = Reading("a/c", None, Quality.BAD, Reason.TIMEOUT, at, at)
        also_good = Reading("a/c", 5.0, Quality.GOOD, Reason.NONE, at, at)
        await store.append([good, bad if minute % 7 < 3 else also_good])
        print(*store.durable, flush=True)

asyncio.run(main())
"""


def killed_run(path: Path, lines_before_kill: int) -> dict[int, str]:
    """Let a child append until it has reported so many frames, kill it, and return what it reported."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            lines = [child.stdout.readline() for _ in range(lines_before_kill)]
        finally:
            child.kill()
        rest = child.stdout.read()  # not communicate(), which would miss what the line reader holds already
    reported = [line.split() for line in "".join([*lines, rest]).split("\n")[:-1]]
    return {int(seq): sha256 for seq, sha256 in reported}


async def test_nothing_durable_is_lost_to_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "telemetry.sqlite"
    dice = random.Random(20260105)
    reported: dict[int, str] = {}
    for _ in range(5):
        lately = killed_run(path, dice.randrange(5, 150))
        assert lately and not reported.keys() & lately.keys()
        reported |= lately
        frames, readings = check(path)
        db = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
        rows = db.execute("SELECT seq, payload FROM frames")
        stored = {seq: hashlib.sha256(payload).hexdigest() for seq, payload in rows}
        db.close()
        assert reported.items() <= stored.items()
        assert (frames, readings) == (len(stored), 2 * len(stored))

        store = EmbeddedStore.open(path)
        end = START + frames * MINUTE_MS
        buckets = await store.buckets("a/t", START, end, frames)
        np.testing.assert_array_equal(buckets.maximum, np.arange(frames, dtype=float))
        assert buckets.count.tolist() == [1] * frames
        assert (await store.buckets("a/c", START, end, frames)).bad.tolist() == [int(m % 7 < 3) for m in range(frames)]
        gaps = await store.gaps(START, end)
        assert [(gap.from_ms - START) // MINUTE_MS for gap in gaps] == list(range(0, frames, 7))
        assert {gap.reason for gap in gaps} == {Reason.TIMEOUT}
        assert store.durable == (frames, stored[frames])
        await store.close()
