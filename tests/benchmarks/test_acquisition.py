"""The lab and its peer really poll, at their places, and what a lab did not store is noticed."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from cultureops.device.reading import Quality, Reading, Reason
from cultureops.telemetry import ChannelInfo, EmbeddedStore

Import = Callable[[str], ModuleType]


@pytest.mark.soak
async def test_a_lab_and_its_peer_are_measured(benchmark_of: Import) -> None:
    rows = await benchmark_of("acquisition").measure(shrink=100, rounds=1)
    assert [(row.unit, row.target) for row in rows] == [
        ("ms", "value < 20"),
        ("us/poll", "ratio <= 3"),
        ("MB", "value < 150"),
        ("MB", None),
    ]
    for row in rows:
        assert math.isfinite(row.value) and row.value > 0 and row.ratio == row.value / row.peer_value
    assert rows[0].value < 500


@pytest.mark.parametrize("fault", ["", "missing", "bad", "late"])
async def test_each_poll_that_was_due_must_be_stored(benchmark_of: Import, tmp_path: Path, fault: str) -> None:
    acquisition = benchmark_of("acquisition")
    names = [f"d{n}/{name}" for n in range(4) for name in acquisition.CHANNELS]
    store = EmbeddedStore.open(tmp_path / "telemetry")
    store.declare({name: ChannelInfo("1") for name in names})
    for second in range(10, 16):
        at = {n: second * 1000 + n * 250 + 7 for n in range(4)}
        if fault == "late" and second == 12:
            at[3] += 1000
        readings = [
            Reading(name, 1.0, Quality.GOOD, Reason.NONE, at[int(name[1])], at[int(name[1])] + 1) for name in names
        ]
        if fault and second == 12:
            odd = readings.pop()
            if fault == "bad":
                readings.append(Reading(odd.channel, None, Quality.BAD, Reason.TIMEOUT, odd.source_time, 0))
            if fault == "late":
                readings.append(odd)
        store.append(readings)
    await store.close()
    if fault:
        with pytest.raises(acquisition.BenchError, match="72 readings were due"):
            await acquisition._lateness(tmp_path, 4, 10_500, 14_100)
    else:
        assert np.array_equal(await acquisition._lateness(tmp_path, 4, 10_500, 14_100), np.full(12, 8))
