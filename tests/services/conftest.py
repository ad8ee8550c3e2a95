"""Real time-series servers on free loopback ports, and what a mirror should have put into them."""

import contextlib
import json
import math
import os
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import require_program
from tests.ports import free_port

from cultureops.clock import SECOND_MS, SystemClock, parse_iso
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.telemetry import ChannelInfo, Cursor, EmbeddedStore
from cultureops.telemetry.line_protocol import Labels
from cultureops.telemetry.mirror import Mirror
from cultureops.telemetry.mirror_settings import MirrorSettings

START = parse_iso("2026-01-05T07:58:00Z")
SITE = "Test lab, second floor"
LABELS = Labels(SITE, {"incubator_1": "left, top", "incubator_2": None})
CHANNELS = {
    "incubator_1/temperature": ChannelInfo("Cel", 2),
    "incubator_1/co2": ChannelInfo("%", 2),
    "incubator_1/door": ChannelInfo("1", 0),
    "incubator_2/temperature": ChannelInfo("Cel", 2, simulated=True),
    "incubator_2/o2": ChannelInfo("%", 1, simulated=True),
    "batch:B-2026-001/confluence": ChannelInfo("%", 1),
    "batch:B-2026-001/passage": ChannelInfo("1", 0),
}
Point = tuple[float | None, int, int]
"""Value, quality and reason."""
Points = dict[tuple[str, str], dict[int, Point]]
"""By measurement and owner (device or batch), then by instant."""


def readings(second: int) -> list[Reading]:
    """What the lab reads in a second; every kind of trouble comes along."""
    at = START + second * SECOND_MS
    frame = []
    for number, channel in enumerate(CHANNELS):
        if channel.startswith("batch") and second % 300:
            continue
        value: float | None = round(37 + math.sin(second / 50 + number), 2)
        quality, reason = Quality.GOOD, Reason.NONE
        if (second + 40 * number) % 100 < 7:
            value, quality, reason = None, Quality.BAD, Reason(1 + second % 8)
        elif second % 37 == number:
            quality, reason = Quality.UNCERTAIN, Reason.UNVERIFIED
        late_ms = 5_500 if second % 53 == 0 else 0
        frame.append(Reading(channel, value, quality, reason, at - late_ms + number, at + 20))
    return frame


async def fill(store: EmbeddedStore, first: int, last: int) -> None:
    store.declare(CHANNELS)
    for second in range(first, last):
        store.append(readings(second))
    await store.flush()


def series_of(channel: str) -> tuple[str, str]:
    """Measurement and owner of a channel."""
    owner, _, name = channel.rpartition("/")
    return (f"batch_{name}", owner.removeprefix("batch:")) if owner.startswith("batch:") else (name, owner)


async def stored(store: EmbeddedStore) -> Points:
    """All that the store holds."""
    found: Points = {}
    for channel in store.channels():
        series = await store.series(channel, 0, 2**48)
        columns = (series.source_ms, series.value, series.quality, series.reason)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        found[series_of(channel)] = {at: (None if v != v else v, q, r) for at, v, q, r in rows}
    return {series: points for series, points in found.items() if points}


async def followed(store: EmbeddedStore) -> dict[tuple[str, str], dict[int, list[Point]]]:
    """All that was ever kept, also what a later reading of the same instant hides."""
    found: dict[tuple[str, str], dict[int, list[Point]]] = {}
    cursor = Cursor()
    while (extract := await store.follow(cursor, 100_000)).next != cursor:
        cursor, points = extract.next, extract.rows.points
        columns = (extract.rows.channel, points.source_ms, points.value, points.quality, points.reason)
        for channel, at, v, quality, reason in zip(*(column.tolist() for column in columns), strict=True):
            instants = found.setdefault(series_of(extract.names[channel]), {})
            instants.setdefault(at, []).append((None if v != v else v, quality, reason))
    return found


def one_of(found: Points, kept: dict[tuple[str, str], dict[int, list[Point]]]) -> bool:
    """Whether each instant has one of its readings, with a value to the twelve digits that VictoriaMetrics keeps."""
    return found.keys() == kept.keys() and all(
        found[series].keys() == own.keys()
        and all(any(_same(found[series][at], point) for point in points) for at, points in own.items())
        for series, own in kept.items()
    )


def _same(found: Point, point: Point) -> bool:
    if found[0] is None or point[0] is None:
        return found == point
    return found[1:] == point[1:] and math.isclose(found[0], point[0], rel_tol=1e-11, abs_tol=1e-12)


def ask(url: str, deadline_s: float = 10.0, **query: str) -> bytes:
    with urllib.request.urlopen(f"{url}?{urllib.parse.urlencode(query)}", timeout=deadline_s) as answer:
        return bytes(answer.read())


class Server:
    """One program with its data folder; started, killed and started again on the same port."""

    def __init__(self, command: list[str], port: int, ready: str, log: Path, env: dict[str, str] | None = None) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._command = command
        self._ready = ready
        self._log = log
        self._env = os.environ | (env or {})
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, env=self._env)
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError):
                ask(self.url + self._ready, 1)
                return
            assert self._process.poll() is None and time.monotonic() < deadline, self._log.read_text()[-2000:]
            time.sleep(0.02)

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None


class Victoria(Server):
    """VictoriaMetrics, told to keep one sample per instant."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        command = [
            require_program("victoria-metrics"),
            "-retentionPeriod=100y",
            f"-storageDataPath={folder / 'victoria'}",
            f"-httpListenAddr=127.0.0.1:{port}",
            "-dedup.minScrapeInterval=1ms",
            "-search.latencyOffset=0",
            "-memory.allowedBytes=256MB",
        ]
        super().__init__(command, port, "/health", folder / "victoria.log")

    def series(self) -> list[tuple[dict[str, str], dict[int, float]]]:
        """Every series with its samples."""
        ask(self.url + "/internal/force_flush")
        query = {"match[]": '{__name__!=""}', "start": "0", "end": "4000000000", "reduce_mem_usage": "0"}
        rows = [json.loads(line) for line in ask(self.url + "/api/v1/export", 60, **query).splitlines()]
        assert all(len(set(row["timestamps"])) == len(row["timestamps"]) for row in rows), "an instant is shown twice"
        return [(row["metric"], dict(zip(row["timestamps"], row["values"], strict=True))) for row in rows]

    def points(self) -> Points:
        """Everything that was ever written, as what it was made from."""
        fields: dict[tuple[str, str], dict[str, dict[int, float]]] = {}
        for metric, samples in self.series():
            name, owner = metric["__name__"], metric.get("device") or metric["batch"]
            field = next(field for field in ("value", "quality", "reason_code") if name.endswith(f"_{field}"))
            fields.setdefault((name.removesuffix(f"_{field}"), owner), {})[field] = samples
        return together(fields)


class Influx(Server):
    """InfluxDB 1.x behind an nginx that knows the path of the second version."""

    def __init__(self, folder: Path, env: dict[str, str] | None = None) -> None:
        self.folder, port = folder, free_port()
        data = folder / "influx"
        config = f"""
reporting-disabled = true
bind-address = "127.0.0.1:{free_port()}"
[meta]
dir = "{data}/meta"
[data]
dir = "{data}/data"
wal-dir = "{data}/wal"
[http]
bind-address = "127.0.0.1:{port}"
log-enabled = false
[monitor]
store-enabled = false
"""
        (folder / "influxdb.conf").write_text(config)
        command = [require_program("influxd"), "run", "-config", str(folder / "influxdb.conf")]
        super().__init__(command, port, "/ping", folder / "influx.log", env)

    def query(self, q: str, database: str = "lab") -> list[dict[str, Any]]:
        body = urllib.parse.urlencode({"q": q, "db": database, "epoch": "ms"}).encode()
        with urllib.request.urlopen(f"{self.url}/query", body, timeout=30) as answer:
            result: dict[str, Any] = json.loads(answer.read())["results"][0]
        assert "error" not in result, result
        return list(result.get("series", []))

    def points(self, database: str = "lab") -> Points:
        fields: dict[tuple[str, str], dict[str, dict[int, float]]] = {}
        for row in self.query('SELECT value, quality, reason_code FROM /.*/ GROUP BY "device", "batch"', database):
            own = fields[row["name"], row["tags"]["device"] or row["tags"]["batch"]] = {}
            for number, field in enumerate(("value", "quality", "reason_code"), 1):
                own[field] = {line[0]: line[number] for line in row["values"] if line[number] is not None}
        return together(fields)


class Nginx(Server):
    """Takes writes for a bucket to a database of InfluxDB 1.x."""

    def __init__(self, folder: Path, behind: str) -> None:
        port = free_port()
        logs = " ".join(f"{kind}_temp_path {folder}/nginx;" for kind in ("proxy", "fastcgi", "uwsgi", "scgi"))
        config = f"""
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/nginx;
  {logs}
  client_max_body_size 16m;
  client_body_buffer_size 16m;
  server {{
    listen 127.0.0.1:{port};
    location = /ready {{ return 204; }}
    location = /api/v2/write {{
      rewrite ^ /write?db=$arg_bucket&precision=$arg_precision? break;
      proxy_pass {behind};
    }}
    location = /query {{ proxy_pass {behind}; proxy_buffering off; }}
  }}
}}
"""
        (folder / "nginx.conf").write_text(config)
        command = [require_program("nginx"), "-e", str(folder / "nginx.log"), "-c", str(folder / "nginx.conf")]
        super().__init__(command, port, "/ready", folder / "nginx.log")

    def kill(self) -> None:
        """End it in order: a worker outlives a killed master."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None


def together(fields: dict[tuple[str, str], dict[str, dict[int, float]]]) -> Points:
    """Put fields that a server keeps apart together again; nothing may lack, and no value without a quality."""
    points: Points = {}
    for series, own in fields.items():
        value, quality, reason = own.get("value", {}), own["quality"], own["reason_code"]
        assert value.keys() <= quality.keys() == reason.keys()
        points[series] = {at: (value.get(at), int(quality[at]), int(reason[at])) for at in quality}
    return points


@pytest.fixture
def victoria(tmp_path: Path) -> Iterator[Victoria]:
    server = Victoria(tmp_path)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture
def influx(tmp_path: Path) -> Iterator[tuple[Influx, str]]:
    """InfluxDB with a database, and where to write to it."""
    server = Influx(tmp_path)
    nginx = Nginx(tmp_path, server.url)
    try:
        server.start()
        nginx.start()
        server.query("CREATE DATABASE lab")
        yield server, nginx.url
    finally:
        nginx.kill()
        server.kill()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[EmbeddedStore]:
    opened = EmbeddedStore.open(tmp_path / "telemetry")
    yield opened
    await opened.close()


@pytest.fixture
def mirror_to(tmp_path: Path, store: EmbeddedStore) -> Callable[..., Mirror]:
    def make(url: str, **settings: Any) -> Mirror:
        chosen = MirrorSettings(url, "-", "lab", **({"period_s": 0.05, "timeout_s": 5.0} | settings))
        return Mirror(store, chosen, LABELS, tmp_path, SystemClock())

    return make
