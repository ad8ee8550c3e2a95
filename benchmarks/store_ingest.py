"""Durable ingest of the embedded store beside the floor of any store: a flat log with one fdatasync per commit.

Commits of 600 readings, one after the other is durable; both in this process, in turn, medians of five rounds.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from cultureops.clock import SECOND_MS
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.telemetry import ChannelInfo, EmbeddedStore
from cultureops.telemetry.frame import encode

__all__ = ["measure"]

CHANNELS, COMMITS, ROUNDS, TARGET = 600, 300, 5, 0.5
START = 1_767_600_000_000


def frames() -> list[list[Reading]]:
    """Return what a lab of 100 devices with 6 channels reads in five minutes at 1 Hz."""
    return [
        [
            Reading(f"d{n // 6}/c{n % 6}", 37.0 + (n + second) % 17 / 100, Quality.GOOD, Reason.NONE, at, at + 20)
            for n in range(CHANNELS)
        ]
        for second in range(COMMITS)
        for at in (START + second * SECOND_MS,)
    ]


async def measure() -> dict[str, Any]:
    """Return the claim as one row."""
    work, ours, floor = frames(), [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(dir=".") as folder:
            floor.append(COMMITS * CHANNELS / _flat_log(Path(folder) / "flat.log", work))
            ours.append(COMMITS * CHANNELS / await _store(Path(folder) / "telemetry.sqlite", work))
    value, peer_value = statistics.median(ours), statistics.median(floor)
    return {
        "name": "durable ingest, commits of 600",
        "value": value,
        "unit": "readings/s",
        "peer": "flat append and fdatasync log",
        "peer_value": peer_value,
        "ratio": value / peer_value,
        "target": TARGET,
        "ok": value / peer_value >= TARGET,
    }


def _flat_log(path: Path, work: list[list[Reading]]) -> float:
    index = {reading.channel: number for number, reading in enumerate(work[0])}
    log = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    began = time.perf_counter()
    for frame in work:
        os.write(log, encode(frame, index))
        os.fdatasync(log)
    seconds = time.perf_counter() - began
    os.close(log)
    return seconds


async def _store(path: Path, work: list[list[Reading]]) -> float:
    store = EmbeddedStore.open(path)
    store.declare({reading.channel: ChannelInfo("Cel") for reading in work[0]})
    await store.flush()
    began = time.perf_counter()
    for frame in work:
        await store.append(frame)
    seconds = time.perf_counter() - began
    await store.close()
    return seconds
