"""Send one lab's readings in one of several ways: python -m benchmarks.mirror_sender WAY FOLDER PORT SITE."""

from __future__ import annotations

import asyncio
import gc
import http.client
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import influxdb_client
import uvloop
from influxdb_client.client.write_api import WriteOptions

from benchmarks.workload import CHANNELS, Workload
from cultureops.clock import SystemClock
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.telemetry import ChannelInfo, EmbeddedStore
from cultureops.telemetry.line_protocol import Labels
from cultureops.telemetry.mirror import Mirror, mirroring
from cultureops.telemetry.mirror_settings import MirrorSettings

__all__ = ["WAYS"]

LINES_A_CALL: Final = 5_000
UNITS: Final = {channel.name: channel.unit for channel in CHANNELS}


def labels(site: str, work: Workload) -> Labels:
    """Return what tells one run's series from another's: the server keeps no bucket's name."""
    return Labels(site, {f"incubator_{number}": f"chamber_{number}" for number in range(work.devices)})


def frames(work: Workload) -> list[list[Reading]]:
    """Return what the lab reads, second by second."""
    values = [
        [work.values(device, number).tolist() for number in range(len(CHANNELS))] for device in range(work.devices)
    ]
    source_ms = work.source_ms.tolist()
    return [
        [
            Reading(f"incubator_{device}/{channel.name}", value[second], Quality.GOOD, Reason.NONE, at_ms, at_ms)
            for device in range(work.devices)
            for at_ms in (source_ms[device][second],)
            for channel, value in zip(CHANNELS, values[device], strict=True)
        ]
        for second in range(work.seconds)
    ]


def infos(frame: list[Reading]) -> dict[str, ChannelInfo]:
    """Return what is known of each channel of a frame."""
    return {reading.channel: ChannelInfo(UNITS[reading.channel.rpartition("/")[2]]) for reading in frame}


def fill(folder: Path, work: Workload, port: int, site: str) -> float:
    """Put the readings into the store that the mirror follows."""
    return asyncio.run(_fill(folder, frames(work)))


async def _fill(folder: Path, work: list[list[Reading]]) -> float:
    store = EmbeddedStore.open(folder / "telemetry")
    store.declare(infos(work[0]))
    began = time.perf_counter()
    for frame in work:
        await store.append(frame)
    took_s = time.perf_counter() - began
    await store.close()
    return took_s


def mirror(folder: Path, work: Workload, port: int, site: str) -> float:
    """Mirror the store from its first reading on, with a cursor of its own."""
    return uvloop.run(_mirror(folder, labels(site, work), port))


async def _mirror(folder: Path, known: Labels, port: int) -> float:
    store = EmbeddedStore.open(folder / "telemetry")
    own = folder / known.site
    own.mkdir()
    sender = Mirror(store, MirrorSettings(f"http://127.0.0.1:{port}", "-", "lab"), known, own, SystemClock())
    began = time.perf_counter()
    async with mirroring(sender):
        await sender.drain()
        took_s = time.perf_counter() - began
    await store.close()
    return took_s


def points(folder: Path, work: Workload, port: int, site: str) -> float:
    """Write one Point after the other through the batching interface, as its documentation shows."""
    readings, known = [reading for frame in frames(work) for reading in frame], labels(site, work)
    with influxdb_client.InfluxDBClient(f"http://127.0.0.1:{port}", "", org="-") as client:
        began = time.perf_counter()
        with client.write_api(write_options=WriteOptions(batch_size=LINES_A_CALL)) as api:
            for reading in readings:
                device, _, name = reading.channel.rpartition("/")
                point = (
                    influxdb_client.Point(name)
                    .tag("chamber", known.chambers[device])
                    .tag("device", device)
                    .tag("site", site)
                    .tag("unit", UNITS[name])
                    .field("value", reading.value)
                    .field("quality", int(reading.quality))
                    .field("reason_code", int(reading.reason))
                    .time(reading.source_time, influxdb_client.WritePrecision.MS)
                )
                api.write("lab", record=point, write_precision=influxdb_client.WritePrecision.MS)
        return time.perf_counter() - began


def raw(folder: Path, work: Workload, port: int, site: str) -> float:
    """Post ready bodies, one after the other."""
    known = labels(site, work)
    heads = {channel: known.head(channel, info) for channel, info in infos(frames(work)[0]).items()}
    lines = [
        f"{heads[reading.channel]} value={reading.value!r},quality=192i,reason_code=0i {reading.source_time}"
        for frame in frames(work)
        for reading in frame
    ]
    bodies = ["\n".join(lines[at : at + LINES_A_CALL]).encode() for at in range(0, len(lines), LINES_A_CALL)]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    began = time.perf_counter()
    for body in bodies:
        connection.request("POST", "/write?db=lab&precision=ms", body)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 204:
            raise RuntimeError(f"the server answered {answer.status}")
    took_s = time.perf_counter() - began
    connection.close()
    return took_s


WAYS: Final[dict[str, Callable[[Path, Workload, int, str], float]]] = {
    "fill": fill,
    "mirror": mirror,
    "points": points,
    "raw": raw,
}

if __name__ == "__main__":
    way, where, to, name = sys.argv[1:]
    load = Workload.read(Path(where) / "work")
    gc.collect()
    gc.freeze()
    print(json.dumps({"points": load.points, "seconds": WAYS[way](Path(where), load, int(to), name)}))
