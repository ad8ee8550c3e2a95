"""What every telemetry store keeps to, kept to by the mirror and a real InfluxDB 1.x behind nginx, read by InfluxQL."""

from __future__ import annotations

import asyncio
import inspect
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.services.conftest import Influx, Nginx
from tests.services.mirrored import MirroredStore
from tests.unit.telemetry import test_conformance as conformance

from cultureops.device.reading import Reason
from cultureops.telemetry import ChannelInfo, TelemetryStore

NOT_MIRRORED = {
    "test_latest_is_the_last_to_arrive": "the mirror does not tell when a reading arrived",
    "test_everything_is_there_after_a_restart": "a server has no frames, and knows no decimals of a channel",
    "test_late_readings_are_late_after_a_restart_too": "the mirror does not tell when a reading arrived",
    "test_any_order_of_arrival_gives_the_sums_of_a_brute_force": "its many examples belong to the soak run",
}
"""Promises of the protocol that a copy can't keep or that are shown elsewhere, and why."""
PROMISES = [
    pytest.param(test, id=name, marks=[pytest.mark.skip(reason=NOT_MIRRORED[name])] if name in NOT_MIRRORED else [])
    for name, test in inspect.getmembers(conformance, inspect.isfunction)
    if name.startswith("test_")
]
_numbers = itertools.count()


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Influx, str]]:
    """One InfluxDB for all tests here, and where it is reached; each test has a database of its own."""
    folder = tmp_path_factory.mktemp("influx")
    server = Influx(folder)
    nginx = Nginx(folder, server.url)
    try:
        server.start()
        nginx.start()
        yield server, nginx.url
    finally:
        nginx.kill()
        server.kill()


@pytest.fixture
def database(servers: tuple[Influx, str]) -> str:
    return new_database(servers[0])


def new_database(server: Influx) -> str:
    name = f"lab_{next(_numbers)}"
    server.query(f"CREATE DATABASE {name}")
    return name


@pytest.fixture
async def mirrored(servers: tuple[Influx, str], database: str, tmp_path: Path) -> AsyncIterator[MirroredStore]:
    opened = MirroredStore.open(tmp_path, servers[1], database)
    yield opened
    await opened.close()


@pytest.mark.parametrize("promise", PROMISES)
async def test_it_keeps_to_the_protocol(
    promise: Callable[[TelemetryStore], Awaitable[None]], mirrored: MirroredStore
) -> None:
    mirrored.declare({"a/t": ChannelInfo("Cel"), "a/c": ChannelInfo("%")})
    await promise(mirrored)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_any_order_of_arrival_gives_the_sums_of_a_brute_force(
    servers: tuple[Influx, str],
    tmp_path_factory: pytest.TempPathFactory,
    record_property: Callable[[str, object], None],
) -> None:
    examples = 0

    @settings(max_examples=150, deadline=None)
    @given(points=conformance.POINTS, cuts=st.lists(st.integers(0, 40), max_size=5), seal=st.booleans())
    def check(points: list[tuple[int, float | None, Reason]], cuts: list[int], seal: bool) -> None:
        nonlocal examples
        examples += 1
        folder, database = tmp_path_factory.mktemp("any"), new_database(servers[0])
        asyncio.run(compared(points, cuts, folder, database, seal))

    async def compared(
        points: list[tuple[int, float | None, Reason]], cuts: list[int], folder: Path, database: str, seal: bool
    ) -> None:
        def opened() -> MirroredStore:
            return MirroredStore.open(folder, servers[1], database)

        await conformance.check_any_order(points, cuts, opened, restart=False, seal=seal)

    check()
    record_property("examples", examples)
