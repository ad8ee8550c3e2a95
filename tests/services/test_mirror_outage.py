"""Seven days without the server, then answers of every bad kind and kills of both sides: it holds exactly the store."""

import asyncio
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.services.conftest import Influx, Points, Victoria, stored
from tests.services.faulty_proxy import FAULTS, faulty

from cultureops.telemetry import EmbeddedStore

ROOT = Path(__file__).parents[2]
Record = Callable[[str, object], None]


class Lab:
    """The process that lives and mirrors; killed and started again."""

    def __init__(self, folder: Path, url: str, days: float, window_s: float) -> None:
        self._command = [sys.executable, "-m", "tests.services.week", str(folder), url, str(days), str(window_s)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, cwd=ROOT)

    async def says(self, what: str, deadline_s: float) -> None:
        assert self._process is not None and self._process.stdout is not None
        async with asyncio.timeout(deadline_s):
            while (line := await asyncio.to_thread(self._process.stdout.readline)).decode().strip() != what:
                assert line, "the lab ended"

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()


async def outage(
    server: Any,
    behind: str,
    points: Callable[[], Points],
    folder: Path,
    days: float,
    window_s: float,
    kills: int,
    seed: int,
) -> dict[str, object]:
    """Let the lab live without the server, then let it drain with faults and kills; return what happened."""
    dice, killed = random.Random(seed), {"server": 0, "lab": 0}
    server.kill()
    async with faulty(behind, seed) as proxy:
        lab = Lab(folder, proxy.url, days, window_s)
        try:
            lab.start()
            await lab.says("lived", 300)
            server.start()
            for _ in range(kills):
                await asyncio.sleep(dice.uniform(0.3, 2.0))
                whom = dice.choice(("server", "lab", "both"))
                if whom != "server":
                    lab.kill()
                    killed["lab"] += 1
                if whom != "lab":
                    server.kill()
                    killed["server"] += 1
                    await asyncio.sleep(dice.uniform(0, 0.5))
                    server.start()
                if whom != "server":
                    lab.start()
            if window_s:  # what a server may have forgotten is sent again after each cut: one a window and none is left
                proxy.heal()
            lab.kill()
            lab.start()
            await lab.says("drained", 400)
        finally:
            lab.kill()
    store = EmbeddedStore.open(folder / "telemetry")
    everything = await stored(store)
    await store.close()
    found = points()
    assert found == everything
    return {"points": sum(map(len, found.values())), "faults": dict(proxy.met), "kills": killed}


async def test_an_hour_without_influxdb(influx: tuple[Influx, str], tmp_path: Path) -> None:
    server, url = influx
    met = await outage(server, url, server.points, tmp_path, 1 / 24, 0, kills=0, seed=1)
    assert met["points"] > 1_500


@pytest.mark.soak
@pytest.mark.timeout(1200)
async def test_a_week_without_influxdb(influx: tuple[Influx, str], tmp_path: Path, record_property: Record) -> None:
    server, url = influx
    met = await outage(server, url, server.points, tmp_path, 7, 0, kills=12, seed=2)
    _record(met, record_property)


@pytest.mark.soak
@pytest.mark.timeout(1200)
async def test_a_week_without_victoriametrics(victoria: Victoria, tmp_path: Path, record_property: Record) -> None:
    met = await outage(victoria, victoria.url, victoria.points, tmp_path, 7, 30, kills=12, seed=3)
    _record(met, record_property)


def _record(met: dict[str, object], record_property: Record) -> None:
    for name, value in met.items():
        record_property(name, value)
    faults = met["faults"]
    assert isinstance(faults, dict) and all(faults.get(fault) for fault in FAULTS), faults
