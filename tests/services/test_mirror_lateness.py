"""Whether the mirror's server is there, away, or a week behind, a hundred devices are asked at the same times."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest
from tests.services.conftest import Victoria
from tests.web.hall import PROFILE, site_of

from cultureops.clock import DAY_MS, MINUTE_MS, SystemClock
from cultureops.demo.fleet import Fleet, start_fleet
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.recording import TELEMETRY_FOLDER
from cultureops.telemetry import ChannelInfo, EmbeddedStore

DEVICES, CHANNELS = 100, 5
START_S, WINDOW_S = 25, 30.0
PERIOD_MS = 1000
MOST_MORE_MS = 25.0
"""What the 99th percentile may be later than without a mirror: a fortieth of the period."""
Record = Callable[[str, object], None]

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]


@contextlib.asynccontextmanager
async def instruments(folder: Path) -> AsyncIterator[tuple[Fleet, list[str]]]:
    kind = {"kind": "virtual_incubator", "wire": {"tcp": "127.0.0.1:0"}, "options": {"profile": str(PROFILE)}}
    rows = [{"name": f"i{number}", **kind} for number in range(1, DEVICES + 1)]
    async with start_fleet(folder / "fleet.json", 7, "2026-01-05T08:00:00Z", rows) as fleet:
        yield fleet, [fleet.wires[str(row["name"])]["tcp"] for row in rows]


async def week_behind(data: Path) -> int:
    """Fill a store with a week of a reading a minute, of five hundred channels; return how many there are."""
    store = EmbeddedStore.open(data / TELEMETRY_FOLDER)
    names = [f"i{device}/{name}" for device in range(1, DEVICES + 1) for name in ("temperature", "co2", "humidity")]
    names += [f"i{device}/{name}" for device in range(1, DEVICES + 1) for name in ("o2", "door")]
    store.declare({name: ChannelInfo("1") for name in names})
    begun = SystemClock().now() - 7 * DAY_MS
    for minute in range(7 * 1440 - 1):
        at = begun + minute * MINUTE_MS
        value = 37 + minute % 50 / 100
        await store.append([Reading(name, value, Quality.GOOD, Reason.NONE, at, at + 5) for name in names])
        if not minute % 1440:
            await store.seal(at)
    await store.seal(SystemClock().now())
    await store.close()
    return (7 * 1440 - 1) * len(names)


async def late_ms(site: Path, data: Path) -> np.ndarray:
    """Run the lab for a while and return how much later than its place each poll began [ms]."""
    begun = SystemClock().now()
    command = [sys.executable, "-m", "cultureops", "run", str(site), "--data-dir", str(data)]
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    try:
        await asyncio.sleep(START_S + WINDOW_S)
    finally:
        process.terminate()
        async with asyncio.timeout(60):
            await process.wait()
    store = EmbeddedStore.open(data / TELEMETRY_FOLDER)
    found = []
    for device in range(1, DEVICES + 1):
        series = await store.series(
            f"i{device}/temperature", begun + 1000 * START_S, begun + round(1000 * (START_S + WINDOW_S))
        )
        phase = series.source_ms % PERIOD_MS
        assert phase.size > 0.8 * WINDOW_S, f"i{device} was asked {phase.size} times"
        # A device's place is the earliest that it was ever asked at, on the circle of its period.
        turned = (phase - phase[0] + PERIOD_MS // 2) % PERIOD_MS
        found.append(turned - turned.min())
    await store.close()
    return np.concatenate(found)


async def test_polls_are_as_late_as_without_a_mirror(
    victoria: Victoria, tmp_path: Path, record_property: Record
) -> None:
    async with instruments(tmp_path) as (_, addresses):
        victoria.kill()
        p99 = {}
        for name in ("without", "away", "behind"):
            folder = tmp_path / ("site_without" if name == "without" else "site_with")
            if name == "behind":
                record_property("readings_behind", readings := await week_behind(folder / "data"))
                victoria.start()
            else:
                folder.mkdir()
                site = site_of(folder, addresses)
            if name == "away":
                with site.open("a") as file:
                    file.write(f'\n[influxdb]\nurl = "{victoria.url}"\nbucket = "lab"\n')
            late = await late_ms(site, folder / "data")
            p99[name] = float(np.percentile(late, 99))
            record_property(f"{name}_p50_ms", float(np.percentile(late, 50)))
            record_property(f"{name}_p99_ms", p99[name])
            record_property(f"{name}_max_ms", float(late.max()))
        samples = sum(len(samples) for _, samples in victoria.series())
        record_property("samples_at_the_server", samples)
        assert samples > readings, "the backlog was not sent while polls were measured"
    assert p99["away"] - p99["without"] < MOST_MORE_MS
    assert p99["behind"] - p99["without"] < MOST_MORE_MS
