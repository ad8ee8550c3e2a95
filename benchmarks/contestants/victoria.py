"""VictoriaMetrics from Debian's package. It answers a write before the data is on the disk: its acknowledgement is not
durable, and there is no setting that makes it so.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks import line_protocol
from benchmarks.contestants.timing import each_timed
from benchmarks.process import BenchError, Server, free_port, program
from benchmarks.workload import CHANNELS, START_MS, Workload

__all__ = ["WRITE", "Victoria", "count", "serve", "settle"]

WRITE = "/write?precision=ms"
SETTLE_DEADLINE_S = 300.0
QUIET_S = 2.0
WORK = ("vm_active_merges", "vm_active_force_merges", "vm_pending_rows", "vm_data_size_bytes")


@contextmanager
def serve(folder: Path) -> Iterator[Server]:
    """Run a server on a folder."""
    port = free_port()
    folder.mkdir(exist_ok=True)
    command = [
        program("victoria-metrics"), f"-storageDataPath={folder / 'data'}", f"-httpListenAddr=127.0.0.1:{port}",
        "-retentionPeriod=100y", "-search.latencyOffset=0", "-dedup.minScrapeInterval=1ms", "-loggerLevel=ERROR",
    ]  # fmt: skip
    with Server(command, port, folder / "log", {}) as server:
        server.wait_ready("/health")
        yield server


def settle(port: int) -> None:
    """Return once everything is visible and merged as far as the server offers.

    Raises BenchError when that takes too long.
    """
    with closing(line_protocol.Http(port)) as http:
        http.ask("GET", "/internal/force_flush")
        http.ask("GET", "/internal/force_merge")
        began = since = time.monotonic()
        before = None
        while time.monotonic() - began < SETTLE_DEADLINE_S:
            now = [metric for metric in _metrics(http) if metric[0].startswith(WORK)]
            if now != before or any(value for name, value in now if "active" in name or "pending" in name):
                before, since = now, time.monotonic()
            elif time.monotonic() - since > QUIET_S:
                return
            time.sleep(0.1)
    raise BenchError(f"victoria-metrics still merges after {SETTLE_DEADLINE_S:.0f} s; run again on a quieter machine")


def count(port: int, seconds: int) -> int:
    """Return how many points the server finds."""
    with closing(line_protocol.Http(port)) as http:
        query = quote(f'sum(count_over_time({{__name__=~"readings_.*"}}[{seconds}s]))')
        answer = http.ask("GET", f"/api/v1/query?query={query}&time={START_MS // 1000 + seconds}&nocache=1")
    return int(json.loads(answer)["data"]["result"][0]["value"][1])


def _metrics(http: line_protocol.Http) -> list[tuple[str, float]]:
    lines = http.ask("GET", "/metrics").decode().splitlines()
    return [(name, float(value)) for name, _, value in (line.rpartition(" ") for line in lines) if name]


class Victoria:
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
        """Return minimum and maximum of one channel per ``width_s``, by ``rollup``: one pass over the points."""
        name, start = f'readings_{CHANNELS[number].name}{{device="d{device}"}}', START_MS // 1000
        query = quote(f"rollup({name}[{width_s}s])")
        span = f"start={start + width_s}&end={start + seconds}&step={width_s}"
        began = time.perf_counter()
        answer = self._http.ask("GET", f"/api/v1/query_range?query={query}&{span}&nocache=1")
        took = time.perf_counter() - began
        by = {
            found["metric"]["rollup"]: [float(value) for _, value in found["values"]]
            for found in json.loads(answer)["data"]["result"]
        }
        return {"seconds": took, "low": by["min"], "high": by["max"]}

    def latest(self, seconds: int) -> dict[str, Any]:
        """Return how many channels have a last value."""
        query = quote('{__name__=~"readings_.*"}')
        began = time.perf_counter()
        answer = self._http.ask("GET", f"/api/v1/query?query={query}&time={START_MS // 1000 + seconds}&nocache=1")
        return {"seconds": time.perf_counter() - began, "channels": len(json.loads(answer)["data"]["result"])}

    def close(self) -> None:
        """Close the connection."""
        self._http.close()
