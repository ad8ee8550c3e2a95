"""The whole demo with the mirror on, its server killed at once and once for a while: all arrives, and no more."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.services.conftest import Influx, Points, Victoria, followed, one_of

from cultureops.telemetry import EmbeddedStore

DATABASE = "cultureops_demo"
"""The bucket that the demo writes to when it is told of no other."""
MOST_TWICE_SAID = 20
"""Instants of which two values are kept: a count and a passage of one minute."""


async def demo_mirrored(server: Victoria | Influx, url: str, data: Path, points_held: Callable[[], Points]) -> int:
    """Play the demo and return how many points the server and the store hold alike."""
    arguments = ("demo", "--headless", "--json", "--data-dir", str(data), "--influxdb", url)
    demo = subprocess.Popen(
        (sys.executable, "-m", "cultureops", *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        for away_s in (0, 3):
            await asyncio.sleep(10)
            server.kill()
            await asyncio.sleep(away_s)
            server.start()
        out, said = await asyncio.to_thread(demo.communicate, timeout=1500)
    finally:
        demo.kill()
        demo.communicate()
    complaints = [line for line in said.decode().splitlines() if "[info" not in line]
    assert demo.returncode == 0 and not complaints, "\n".join(complaints)
    store = EmbeddedStore.open(data / "telemetry")
    kept = await followed(store)
    await store.close()
    points = [points for own in kept.values() for points in own.values()]
    assert sum(map(len, points)) >= json.loads(out)["readings_stored"]
    assert sum(len(set(readings)) > 1 for readings in points) < MOST_TWICE_SAID
    assert one_of(points_held(), kept)
    return len(points)


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_victoriametrics_holds_the_demo(
    victoria: Victoria, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    record_property("points", await demo_mirrored(victoria, victoria.url, tmp_path / "data", victoria.points))


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_influxdb_behind_nginx_holds_the_demo(
    influx: tuple[Influx, str], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    server, url = influx
    server.query(f"CREATE DATABASE {DATABASE}")
    points = await demo_mirrored(server, url, tmp_path / "data", lambda: server.points(DATABASE))
    record_property("points", points)
