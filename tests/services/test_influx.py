"""InfluxDB 1.x behind an nginx holds exactly what the store holds; what it refuses is put aside."""

import asyncio
import json
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tests.services.conftest import CHANNELS, START, Influx, fill, stored
from tests.services.test_victoria import running, until

from cultureops.clock import HOUR_MS
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.telemetry import ChannelInfo, EmbeddedStore
from cultureops.telemetry.mirror import Mirror

MirrorTo = Callable[..., Mirror]


async def test_a_server_killed_in_the_middle_holds_exactly_the_points(
    influx: tuple[Influx, str], store: EmbeddedStore, mirror_to: MirrorTo
) -> None:
    server, url = influx
    async with running(mirror_to(url)) as mirror:
        await fill(store, 0, 240)
        await mirror.drain()
        server.kill()
        await fill(store, 240, 400)
        await store.seal(START + HOUR_MS)
        await until(lambda: mirror.status().last_error is not None)
        assert "answered 502" in str(mirror.status().last_error)
        server.start()
        await fill(store, 400, 420)
        async with asyncio.timeout(20):
            await mirror.drain()
    assert server.points() == await stored(store)


async def test_text_is_in_tags_and_numbers_are_in_fields(
    influx: tuple[Influx, str], store: EmbeddedStore, mirror_to: MirrorTo
) -> None:
    server, url = influx
    async with running(mirror_to(url)) as mirror:
        await fill(store, 0, 30)
        await mirror.drain()
    keys = {line[0] for row in server.query("SHOW SERIES") for line in row["values"]}
    assert keys == {
        r"temperature,chamber=left\,\ top,device=incubator_1,site=Test\ lab\,\ second\ floor,unit=Cel",
        r"co2,chamber=left\,\ top,device=incubator_1,site=Test\ lab\,\ second\ floor,unit=%",
        r"door,chamber=left\,\ top,device=incubator_1,site=Test\ lab\,\ second\ floor,unit=1",
        r"temperature,device=incubator_2,simulated=true,site=Test\ lab\,\ second\ floor,unit=Cel",
        r"o2,device=incubator_2,simulated=true,site=Test\ lab\,\ second\ floor,unit=%",
        r"batch_confluence,batch=B-2026-001,site=Test\ lab\,\ second\ floor,unit=%",
        r"batch_passage,batch=B-2026-001,site=Test\ lab\,\ second\ floor,unit=1",
    }
    types = {row["name"]: dict(row["values"]) for row in server.query("SHOW FIELD KEYS")}
    assert types["temperature"] == {"value": "float", "quality": "integer", "reason_code": "integer"}


async def test_lines_that_the_server_refuses_are_put_aside_and_the_others_arrive(
    influx: tuple[Influx, str], store: EmbeddedStore, mirror_to: MirrorTo, tmp_path: Path
) -> None:
    server, url = influx
    write(server, f"o2 value=true {START - HOUR_MS}")  # from now on o2's value can be no number in that week
    async with running(mirror_to(url)) as mirror:
        await fill(store, 0, 60)
        async with asyncio.timeout(20):
            await mirror.drain()
        status = mirror.status()
    server.query("DROP SERIES FROM o2 WHERE device = ''")
    everything = await stored(store)
    refused = {at for at, point in everything["o2", "incubator_2"].items() if point[0] is not None}
    found = server.points()
    assert found.pop(("o2", "incubator_2"), {}).keys() == everything.pop(("o2", "incubator_2")).keys() - refused
    assert found == everything
    entries = [json.loads(line) for line in (tmp_path / "mirror-quarantine.jsonl").read_text().splitlines()]
    assert {int(entry["line"].rsplit(" ", 1)[1]) for entry in entries} == refused
    assert all("field type conflict" in entry["answer"] for entry in entries)
    assert status.quarantined == len(entries) == len(refused) and status.last_error is None


async def test_points_older_than_the_server_keeps_are_counted(
    influx: tuple[Influx, str], store: EmbeddedStore, mirror_to: MirrorTo, tmp_path: Path
) -> None:
    server, url = influx
    server.query("ALTER RETENTION POLICY autogen ON lab DURATION 1h SHARD DURATION 1h DEFAULT")
    async with running(mirror_to(url)) as mirror:
        await fill(store, 0, 60)
        async with asyncio.timeout(20):
            await mirror.drain()
    assert mirror.status().outlived == mirror.status().sent == store.count()
    assert not (tmp_path / "mirror-quarantine.jsonl").exists()


async def test_a_missing_database_is_waited_for(
    influx: tuple[Influx, str], store: EmbeddedStore, mirror_to: MirrorTo, tmp_path: Path
) -> None:
    server, url = influx
    server.query("DROP DATABASE lab")
    async with running(mirror_to(url)) as mirror:
        await fill(store, 0, 10)
        await until(lambda: mirror.status().last_error is not None)
        assert "answered 404: " in str(mirror.status().last_error)
        server.query("CREATE DATABASE lab")
        async with asyncio.timeout(20):
            await mirror.drain()
    assert server.points() == await stored(store)
    assert not (tmp_path / "mirror-quarantine.jsonl").exists()


async def test_the_later_of_two_readings_of_an_instant_stands(
    influx: tuple[Influx, str], store: EmbeddedStore, mirror_to: MirrorTo
) -> None:
    server, url = influx
    store.declare(CHANNELS | {"a/t": ChannelInfo("Cel")})
    async with running(mirror_to(url)) as mirror:
        for value in (1.0, 2.0):
            store.append([Reading("incubator_1/co2", value, Quality.GOOD, Reason.NONE, START, START)])
            await store.flush()
            await mirror.drain()
    assert server.points() == {("co2", "incubator_1"): {START: (2.0, 192, 0)}} == await stored(store)


def write(server: Influx, line: str, database: str = "lab") -> None:
    request = urllib.request.Request(f"{server.url}/write?db={database}&precision=ms", line.encode(), method="POST")
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert answer.status == 204
