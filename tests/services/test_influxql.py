"""What every telemetry store keeps to, kept to by the mirror and a real InfluxDB 1.x behind nginx, read by InfluxQL."""

from __future__ import annotations

import asyncio
import inspect
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.services.conftest import Influx, Nginx
from tests.services.mirrored import MirroredStore
from tests.services.test_influx import write
from tests.unit.telemetry import test_conformance as conformance

from cultureops.clock import SECOND_MS
from cultureops.device.reading import Reason
from cultureops.telemetry import ChannelInfo, TelemetryStore
from cultureops.telemetry.influxql import InfluxQlStore
from cultureops.telemetry.influxql_answer import QueryRefused
from cultureops.telemetry.influxql_sight import InfluxQlSight
from cultureops.telemetry.read_settings import ReadSettings

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
START = conformance.START
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


HOSTILE = (
    '"; DROP DATABASE lab; --', "' OR 1=1 --", "a'b", 'a"b', "a\\", "\\'", '\\"', "a\nb", "#a", "%41", "%", "50%",
    "a,b=c d", "\u202ea", "\U0001f9ea", "time", "*", "/.*/", "$x", "a.b", ";", "--", "value", "Zelle 1\t",
)  # fmt: skip
"""Names that would be more than names to somebody who wrote them as they are."""


async def read_back(servers: tuple[Influx, str], database: str, folder: Path, names: Sequence[str], site: str) -> None:
    """Mirror a reading of each channel; each comes back under its name, by itself, and nothing else has changed."""
    channels = [f"{name}/{name}" for name in names] + [f"batch:{name}/{name}" for name in names]
    store = MirroredStore.open(folder, servers[1], database, site)
    try:
        store.declare({name: ChannelInfo("1", simulated=number % 2 == 0) for number, name in enumerate(channels)})
        row = [conformance.reading(name, START + number, float(number)) for number, name in enumerate(channels)]
        await store.append(row)
        assert {name: reading.value for name, reading in store.latest().items()} == {
            name: float(number) for number, name in enumerate(channels)
        }
        assert store.count() == len(channels)
        for number, name in enumerate(channels):
            assert (await store.series(name, 0, 2**48)).value.tolist() == [float(number)]
            assert (await store.series(f"{name}x", 0, 2**48)).value.size == 0
        assert servers[0].query("SHOW DATABASES")[0]["values"].count([database]) == 1
    finally:
        await store.close()


async def test_no_name_means_more_than_a_name(servers: tuple[Influx, str], database: str, tmp_path: Path) -> None:
    names = [name for name in HOSTILE if "/" not in name]
    await read_back(servers, database, tmp_path, names, "' OR \"site\" != '")


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_no_name_at_all_means_more_than_a_name(
    servers: tuple[Influx, str],
    tmp_path_factory: pytest.TempPathFactory,
    record_property: Callable[[str, object], None],
) -> None:
    tried = 0
    letters = st.characters(exclude_categories=["Cs"], exclude_characters="/")
    name = st.one_of(st.text(letters, min_size=1, max_size=12), st.text("\"'\\%#,= ;\n-*a1", min_size=1, max_size=12))

    @settings(max_examples=60, deadline=None)
    @given(names=st.lists(name, min_size=1, max_size=12, unique=True), site=name)
    def check(names: list[str], site: str) -> None:
        nonlocal tried
        tried += len(names)
        usable = [one for one in names if not one.startswith("batch:")]
        folder, database = tmp_path_factory.mktemp("names"), new_database(servers[0])
        asyncio.run(read_back(servers, database, folder, usable, site))

    check()
    record_property("names", tried)


async def test_the_server_adds_up_where_its_sums_are_those_of_the_readings(
    servers: tuple[Influx, str], database: str, mirrored: MirroredStore
) -> None:
    """One series and no value beside BAD: no reading is fetched. Otherwise all are, and the sums stay right."""
    mirrored.declare({"a/t": ChannelInfo("Cel")})
    await mirrored.append([conformance.reading("a/t", START + second * SECOND_MS, second / 7) for second in range(600)])

    with patch.object(InfluxQlSight, "every_point", side_effect=AssertionError("readings were fetched")):
        summed = await mirrored.buckets("a/t", START - 30_000, START + 600_000, 7)
        assert summed.count.sum() == 600 and summed.bad.sum() == 0
        fine = await mirrored.buckets("a/t", START, START + 60_000, 9)
        assert (fine.count.sum(), fine.width_ms) == (60, 6667)
    await mirrored.append([conformance.reading("a/t", START, None), conformance.reading("a/t", START + 1, 5.0)])
    lost = await mirrored.buckets("a/t", START - 30_000, START + 600_000, 7)
    assert (lost.count.sum(), lost.bad.sum(), lost.minimum[0]) == (600, 1, 1 / 7)
    write_line = f"t,device=a,site=Lab,chamber=moved value=1,quality=192i,reason_code=0i {START + SECOND_MS}"
    write(servers[0], write_line, database)
    moved = await mirrored.buckets("a/t", START - 30_000, START + 600_000, 7)
    assert (moved.count.sum(), moved.bad.sum()) == (600, 1)


async def test_a_server_that_asks_who_reads(tmp_path: Path) -> None:
    server = Influx(tmp_path, {"INFLUXDB_HTTP_AUTH_ENABLED": "true"})
    try:
        server.start()
        server.query("CREATE USER admin WITH PASSWORD 'a b''c' WITH ALL PRIVILEGES".replace("''", r"\'"))
        refused = ReadSettings(server.url, "lab")
        for settings in (refused, ReadSettings(server.url, "lab", user="admin", password="wrong")):
            with pytest.raises(QueryRefused, match=r"answered 401 .*check token, user and password"):
                await InfluxQlStore.open(settings, "Lab")
        with pytest.raises(QueryRefused, match="database not found"):  # known, and there is none
            await InfluxQlStore.open(ReadSettings(server.url, "lab", user="admin", password="a b'c"), "Lab")
    finally:
        server.kill()
