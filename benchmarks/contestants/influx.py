"""InfluxDB 1.6 from Debian's package; every acknowledged write is in its fsynced log."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks import line_protocol
from benchmarks.contestants.timing import each_timed
from benchmarks.process import BenchError, Server, free_port, program
from benchmarks.workload import CHANNELS, START_MS, Workload

__all__ = ["WRITE", "Influx", "count", "lines", "serve", "settle"]

WRITE = "/write?db=bench&precision=ms"
COLD_S = 3
QUIET_S = 2.0 * COLD_S + 2
SETTLE_DEADLINE_S = 300.0


@contextmanager
def serve(folder: Path) -> Iterator[Server]:
    """Run a server on a folder; it compacts a shard fully when it was left alone for a few seconds."""
    port, rpc_port = free_port(), free_port()
    folder.mkdir(exist_ok=True)
    (folder / "influxdb.conf").write_text("")
    environment = {
        "INFLUXDB_REPORTING_DISABLED": "true",
        "INFLUXDB_BIND_ADDRESS": f"127.0.0.1:{rpc_port}",
        "INFLUXDB_META_DIR": str(folder / "meta"),
        "INFLUXDB_DATA_DIR": str(folder / "data"),
        "INFLUXDB_DATA_WAL_DIR": str(folder / "wal"),
        "INFLUXDB_DATA_CACHE_SNAPSHOT_WRITE_COLD_DURATION": f"{COLD_S}s",
        "INFLUXDB_DATA_COMPACT_FULL_WRITE_COLD_DURATION": f"{COLD_S}s",
        "INFLUXDB_DATA_QUERY_LOG_ENABLED": "false",
        "INFLUXDB_HTTP_BIND_ADDRESS": f"127.0.0.1:{port}",
        "INFLUXDB_HTTP_LOG_ENABLED": "false",
        "INFLUXDB_MONITOR_STORE_ENABLED": "false",
        "INFLUXDB_LOGGING_LEVEL": "error",
    }
    command = [program("influxd"), "-config", str(folder / "influxdb.conf")]
    with Server(command, port, folder / "log", environment) as server:
        server.wait_ready("/ping")
        with closing(line_protocol.Http(port)) as http:
            for database in ("bench", "lab"):
                http.ask("POST", f"/query?q={quote(f'CREATE DATABASE {database}')}")
        yield server


def settle(at: Path) -> None:
    """Return once the log is empty and each shard's files no longer change; raise BenchError when that takes too long.

    An engine looks once a second whether a shard was left alone long enough to be compacted fully.
    """
    deadline = time.monotonic() + SETTLE_DEADLINE_S
    before, since = None, time.monotonic()
    while time.monotonic() < deadline:
        files = _sizes(at / "data" / "bench")
        is_busy = any(_sizes(at / "wal" / "bench").values()) or any(name.endswith(".tmp") for name in files)
        if is_busy or files != before:
            before, since = files, time.monotonic()
        elif time.monotonic() - since > QUIET_S:
            return
        time.sleep(0.1)
    raise BenchError(f"influxd still compacts after {SETTLE_DEADLINE_S:.0f} s; run again on a quieter machine")


def count(port: int) -> int:
    """Return how many points the server finds."""
    with closing(line_protocol.Http(port)) as http:
        answer = http.ask("GET", f"/query?db=bench&q={quote('SELECT count(*) FROM readings')}")
    return sum(json.loads(answer)["results"][0]["series"][0]["values"][0][1:])


def lines(port: int) -> int:
    """Return how many lines the server has taken in all, however many points of them are left."""
    with closing(line_protocol.Http(port)) as http:
        return int(json.loads(http.ask("GET", "/debug/vars"))["write"]["values"]["pointReq"])


def _sizes(folder: Path) -> dict[str, int]:
    found = {}
    for file in folder.rglob("*"):
        with suppress(FileNotFoundError):  # the server replaces files meanwhile
            if file.is_file():
                found[str(file)] = file.stat().st_size
    return found


class Influx:
    """A client of a server on this machine."""

    def __init__(self, at: str) -> None:
        self._http = line_protocol.Http(int(at))
        self._bodies: list[bytes] = []

    def prepare(self, work: str, first: int, last: int) -> dict[str, Any]:
        """Format one body per second from ``first`` to before ``last``."""
        self._bodies = line_protocol.seconds(Workload.read(Path(work)), first, last)
        return {}

    def commit(self) -> dict[str, Any]:
        """Write what was prepared, each second acknowledged before the next."""
        return each_timed(lambda body: self._http.ask("POST", WRITE, body), self._bodies)

    def buckets(self, device: int, number: int, seconds: int, width_s: int) -> dict[str, Any]:
        """Return minimum and maximum of one channel per ``width_s``."""
        name, width_ms = CHANNELS[number].name, width_s * 1000
        seconds_ms, rows = self._ask(
            f"SELECT min({name}), max({name}) FROM readings WHERE device = 'd{device}' AND time >= {START_MS}ms "
            f"AND time < {START_MS + seconds * 1000}ms GROUP BY time({width_ms}ms, {START_MS % width_ms}ms)"
        )
        values = rows[0]["values"]
        return {"seconds": seconds_ms, "low": [row[1] for row in values], "high": [row[2] for row in values]}

    def latest(self, seconds: int) -> dict[str, Any]:
        """Return how many channels have a last value."""
        took, rows = self._ask("SELECT last(*) FROM readings GROUP BY device")
        return {"seconds": took, "channels": sum(len(row["columns"]) - 1 for row in rows)}

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def _ask(self, query: str) -> tuple[float, list[dict[str, Any]]]:
        began = time.perf_counter()
        answer = self._http.ask("GET", f"/query?db=bench&epoch=ms&q={quote(query)}")
        took = time.perf_counter() - began
        return took, json.loads(answer)["results"][0]["series"]
