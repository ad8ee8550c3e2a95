"""`telemetry compare` and `backfill` against real servers: what lacks is named by the hour, and sent again."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode

import pytest
from tests.command_line import cultureops
from tests.packing import BATCH_ID, data_folder
from tests.services.conftest import SITE, START, Influx, Victoria, ask, fill
from tests.services.test_influx import write
from tests.services.test_influxql import HOSTILE
from tests.services.test_victoria import running
from tests.unit.batch.conftest import START as LAB_START

from cultureops.clock import DAY_MS, HOUR_MS, SystemClock, iso
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.errors import ConfigError
from cultureops.keeping.batches import open_records
from cultureops.keeping.mirrored import Wanted, backfilled, compared
from cultureops.outlets import mirror_of
from cultureops.site import read_site
from cultureops.telemetry import ChannelInfo, EmbeddedStore, backfill
from cultureops.telemetry.influx import InfluxWriter, Unavailable
from cultureops.telemetry.influxql_answer import QueryRefused
from cultureops.telemetry.mirror import Mirror
from cultureops.telemetry.read_settings import Language, ReadSettings
from cultureops.telemetry.victoria import VictoriaReader

SITE_FILE = """
[site]
name = "{site}"
[[chamber]]
id = "incubator_1"
class = "incubator"
[[chamber]]
id = "incubator_2"
class = "incubator"
[[device]]
id = "incubator_1"
chamber = "incubator_1"
driver = "modbus"
link = "modbus+tcp://127.0.0.1:1"
options = {{ profile = "cultureops_virtual_incubator" }}
[[device]]
id = "incubator_2"
chamber = "incubator_2"
driver = "modbus"
link = "modbus+tcp://127.0.0.1:2"
options = {{ profile = "cultureops_virtual_incubator" }}
[influxdb]
url = "{url}"
bucket = "lab"
{more}
"""

FIRST = 110
"""Ten seconds before a full hour."""


async def mirrored(folder: Path, url: str, more: str = "", seconds: int = 25) -> int:
    """A data folder of which everything is on a server; returns how many readings that is."""
    (folder / "site.toml").write_text(SITE_FILE.format(site=SITE, url=url, more=more))
    store = EmbeddedStore.open(folder / "telemetry")
    mirror = mirror_of(read_site(folder / "site.toml"), folder, SystemClock(), store)
    assert mirror is not None
    async with running(mirror):
        await fill(store, FIRST, FIRST + seconds)
        await store.seal(START + HOUR_MS)
        await mirror.drain()
    count = store.count()
    await store.close()
    return count


async def compare(folder: Path, *channels: str, end: str | None = None) -> dict[str, Any]:
    wanted = Wanted(channels=list(channels) or None, end=end)
    return await compared(folder, read_site(folder / "site.toml"), wanted)


async def send(folder: Path, *channels: str) -> dict[str, Any]:
    wanted = Wanted(channels=list(channels) or None)
    return await backfilled(folder, read_site(folder / "site.toml"), wanted, 1e6)


async def keep_on(store: EmbeddedStore) -> None:
    """Keep readings of now, which nobody has asked for yet, until cancelled."""
    while True:
        now = SystemClock().now()
        await store.append([Reading("incubator_1/co2", 5.0, Quality.GOOD, Reason.NONE, now, now)])
        await asyncio.sleep(0.02)


def differing(found: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    return {row["channel"]: row["hours"] for row in found["channels"] if row["hours"]}


async def test_what_lacks_is_named_by_channel_and_hour_and_sent_again(
    influx: tuple[Influx, str], tmp_path: Path
) -> None:
    server, url = influx
    count = await mirrored(tmp_path, url)
    found = await compare(tmp_path)
    assert found["holds"] and found["readings_here"] == found["readings_there"] == count
    assert all(day["sha256_here"] == day["sha256_there"] for row in found["channels"] for day in row["days"])
    first = START // HOUR_MS * HOUR_MS
    cut = first + HOUR_MS  # some of the readings lie before it
    server.query(f"DELETE FROM co2 WHERE device = 'incubator_1' AND time >= {cut}ms AND time < {cut + 10_000}ms")
    at = max(at for at in server.points()["o2", "incubator_2"] if at < cut)
    head = r"o2,chamber=incubator_2,device=incubator_2,simulated=true,site=Test\ lab\,\ second\ floor,unit=%"
    write(server, f"{head} value=1,quality=192i,reason_code=0i {at}")
    found = await compare(tmp_path)
    assert differing(found) == {
        "incubator_1/co2": [{"from": iso(cut), "missing": 10, "surplus": 0, "changed": 0, "doubled": 0}],
        "incubator_2/o2": [{"from": iso(first), "missing": 0, "surplus": 0, "changed": 1, "doubled": 0}],
    }
    assert found["readings_there"] == count - 10
    assert (await compare(tmp_path, "incubator_1/temperature"))["holds"]
    assert (await compare(tmp_path, "incubator_1/co2", end=iso(cut)))["holds"]
    store = EmbeddedStore.open(tmp_path / "telemetry")  # a lab at work writes to it meanwhile
    keeping = asyncio.create_task(keep_on(store))
    found = await send(tmp_path)
    keeping.cancel()
    await asyncio.wait({keeping})
    await store.close()
    assert found["holds"] and found["sent"] == {"readings": count, "outlived": 0, "refused": 0, "answers": []}
    assert not (tmp_path / "mirror-backfill.json").exists()
    write(server, f"{head} value=1,quality=192i,reason_code=0i {at + 1}")
    write(server, f"{head.replace('incubator_2', 'cold_1')} value=1,quality=192i,reason_code=0i {at + 1}")
    found = await send(tmp_path, "incubator_2/o2")
    assert [hour["surplus"] for hour in differing(found)["incubator_2/o2"]] == [1]  # nothing is deleted there
    done = await asyncio.to_thread(cultureops, "telemetry", "compare", "--data-dir", str(tmp_path))
    assert done.returncode == 1
    assert f"incubator_2/o2 from {iso(first)}: 1 surplus" in done.stdout
    assert "cold_1/o2: only the server knows it" in done.stdout
    assert "does not hold" in done.stdout


async def test_a_moved_device_stands_there_twice_and_that_is_said(influx: tuple[Influx, str], tmp_path: Path) -> None:
    server, url = influx
    count = await mirrored(tmp_path, url, seconds=5)
    head = r"temperature,chamber=elsewhere,device=incubator_2,simulated=true,site=Test\ lab\,\ second\ floor,unit=Cel"
    times = sorted(server.points()["temperature", "incubator_2"])
    write(server, f"{head} value=1,quality=192i,reason_code=0i {times[3]}")
    found = await compare(tmp_path)
    (hour,) = differing(found)["incubator_2/temperature"]
    assert hour["doubled"] == 1 and found["readings_here"] == count and found["readings_there"] == count + 1


async def test_victoriametrics_is_read_by_its_export(victoria: Victoria, tmp_path: Path) -> None:
    more = 'resend_window_s = 30\n[influxdb.read]\nlanguage = "victoriametrics"'
    count = await mirrored(tmp_path, victoria.url, more)
    found = await compare(tmp_path)
    assert found["holds"] and found["readings_here"] == found["readings_there"] == count
    which = urlencode({"match[]": '{__name__=~"co2_.*",device="incubator_1"}'})
    await asyncio.to_thread(ask, f"{victoria.url}/api/v1/admin/tsdb/delete_series?{which}&")
    found = await compare(tmp_path)
    assert set(differing(found)) == {"incubator_1/co2"} and not found["unknown_channels_there"]
    assert sum(hour["missing"] for hour in differing(found)["incubator_1/co2"]) == 25
    found = await send(tmp_path, "incubator_1/co2")
    assert found["holds"] and found["readings_there"] == 25
    assert (await compare(tmp_path))["holds"]


async def test_it_says_what_is_wrong_in_one_line(influx: tuple[Influx, str], tmp_path: Path) -> None:
    server, url = influx
    await mirrored(tmp_path, url, seconds=2)
    server.query("DROP DATABASE lab")
    with pytest.raises(QueryRefused, match="database not found: lab"):
        await compare(tmp_path)
    with pytest.raises(ConfigError, match="there is no channel 'x/y' in the store"):
        await compare(tmp_path, "x/y")
    with pytest.raises(ConfigError, match="nothing is kept of that from 2999"):  # and never "holds exactly 0 readings"
        await compared(
            tmp_path, read_site(tmp_path / "site.toml"), Wanted(start="2999-01-01T00Z", end="2999-01-02T00Z")
        )
    with pytest.raises(ConfigError, match="is no stretch"):
        await compare(tmp_path, end="1970-01-01T00:00:00Z")
    site = tmp_path / "site.toml"
    site.write_text(site.read_text().replace(url, "http://127.0.0.1:9"))
    done = await asyncio.to_thread(cultureops, "telemetry", "backfill", "--data-dir", str(tmp_path / "none"))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1) and "no such file" in done.stderr
    with pytest.raises(Unavailable, match="gave no whole answer"):
        await compare(tmp_path)
    site.write_text(site.read_text().partition("[influxdb]")[0])
    with pytest.raises(ConfigError, match="there is nothing to read back from"):
        await compare(tmp_path)


async def test_a_batch_is_read_back_over_its_stays(influx: tuple[Influx, str], tmp_path: Path) -> None:
    """Its own channels over all its life, and what looked into its chambers while it stood there; nothing else."""
    server, url = influx
    shutil.copytree(await asyncio.to_thread(data_folder), tmp_path, dirs_exist_ok=True)
    site_file = tmp_path / "site.toml"
    site_file.write_text(site_file.read_text() + f'\n[influxdb]\nurl = "{url}"\nbucket = "lab"\n')
    site = read_site(site_file)
    own = {f"batch:{BATCH_ID}/confluence": ChannelInfo("%"), "batch:B-other/confluence": ChannelInfo("%")}
    store = EmbeddedStore.open(tmp_path / "telemetry")
    store.declare(own)
    at = LAB_START + HOUR_MS
    await store.append([Reading(name, 80.0, Quality.GOOD, Reason.NONE, at, at) for name in own])
    everything = {name: (await store.series(name, 0, 2**48)).source_ms for name in store.channels()}
    mirror = mirror_of(site, tmp_path, SystemClock(), store)
    assert mirror is not None
    async with running(mirror):
        await mirror.drain()
    await store.close()
    found = await compared(tmp_path, site, Wanted(batch=BATCH_ID))
    assert found["holds"] and found["batch"] == BATCH_ID
    batch = (await open_records(tmp_path)).batch(BATCH_ID)
    stays = [stay for stay in batch.occupancies if stay.chamber == "incubator_1"]
    within = {
        name: sum(any(s.placed <= at < (s.taken or 2**48) for s in stays) for at in times.tolist())
        for name, times in everything.items()
        if name.startswith("incubator_1/")
    }
    assert 0 < within["incubator_1/co2"] < everything["incubator_1/co2"].size
    assert {row["channel"]: row["here"] for row in found["channels"]} == within | {f"batch:{BATCH_ID}/confluence": 1}
    server.query("DROP SERIES FROM batch_confluence")
    found = await compared(tmp_path, site, Wanted(batch=BATCH_ID))
    assert not found["holds"] and found["readings_here"] - found["readings_there"] == 1
    found = await backfilled(tmp_path, site, Wanted(batch=BATCH_ID), 1e6)
    assert found["holds"] and server.points().get(("batch_confluence", "B-other")) is None
    with pytest.raises(ConfigError, match="no batch 'B-none'"):
        await compared(tmp_path, site, Wanted(batch="B-none"))
    with pytest.raises(ConfigError, match="there is no channel 'incubator_1/co22' in the store"):
        await compared(tmp_path, site, Wanted(batch=BATCH_ID, channels=["incubator_1/co22"]))


async def test_an_interrupted_backfill_goes_on_where_it_was(influx: tuple[Influx, str], tmp_path: Path) -> None:
    """Five days; the server is gone on the fourth, and the same command sends that day and the last one."""
    server, url = influx
    (tmp_path / "site.toml").write_text(SITE_FILE.format(site=SITE, url=url, more=""))
    store = EmbeddedStore.open(tmp_path / "telemetry")
    store.declare({"incubator_1/co2": ChannelInfo("%")})
    for day in range(5):
        at = START + day * DAY_MS
        await store.append([Reading("incubator_1/co2", 5.0, Quality.GOOD, Reason.NONE, at, at)])
    await store.close()
    site, wanted = read_site(tmp_path / "site.toml"), Wanted()
    note = tmp_path / "mirror-backfill.json"
    with patch.object(backfill, "MOST_TRIES", 1):
        written = InfluxWriter.write

        async def fails(writer: InfluxWriter, body: bytes) -> None:
            if f" {START + 3 * DAY_MS}".encode() in body:
                server.kill()
            await written(writer, body)

        with patch.object(InfluxWriter, "write", fails), pytest.raises(Unavailable):
            await backfilled(tmp_path, site, wanted, 1e6)
    assert json.loads(note.read_text())["next_day"] == (START + 3 * DAY_MS) // DAY_MS
    server.start()
    found = await backfilled(tmp_path, site, wanted, 1e6)
    assert found["sent"]["readings"] == 2 and found["holds"] and found["readings_there"] == 5
    assert not note.exists()


async def test_no_name_means_more_than_a_name_to_victoriametrics(
    victoria: Victoria, store: EmbeddedStore, mirror_to: Callable[..., Mirror]
) -> None:
    names = [f"{owner}{name}/{name}" for owner in ("", "batch:") for name in HOSTILE if "/" not in name]
    store.declare({name: ChannelInfo("1") for name in names})
    for number, name in enumerate(names):
        store.append([Reading(name, float(number), Quality.GOOD, Reason.NONE, START + number, START)])
    await store.flush()
    async with running(mirror_to(victoria.url, resend_window_s=30)) as mirror:
        await mirror.drain()
    reader = VictoriaReader(ReadSettings(victoria.url, "", Language.VICTORIAMETRICS), SITE)
    try:
        await reader.settle()
        assert set(reader.channels()) == set(names)
        for number, name in enumerate(names):
            points = await reader.every_point(name, START, START + HOUR_MS)
            assert (points.source_ms.tolist(), points.value.tolist()) == ([START + number], [float(number)])
            assert (await reader.every_point(f"{name}x", START, START + HOUR_MS)).size == 0
    finally:
        await reader.close()
