"""Mirroring into VictoriaMetrics and InfluxDB beside influxdb-client's own way and the least that HTTP costs.

Each contestant sends the same readings from a process of its own (mirror_sender.py) to one server, each time as series
that the server has not seen. Ours begins with the store on the disk; the peers have their readings, or even the ready
bytes, in memory. All have imported what they need before the time runs. A point is one field of one line, as
VictoriaMetrics counts them: each reading is three. InfluxDB 1.6 lacks the path of the second version, which an nginx
before it rewrites; the ready bytes go straight to InfluxDB.
"""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from benchmarks.contestants import influx, rewrite, victoria
from benchmarks.process import ROOT, BenchError, Server, rotated, scratch
from benchmarks.rows import Row, row
from benchmarks.workload import Workload

__all__ = ["measure"]

DEVICES, SECONDS, ROUNDS = 100, 600, 5
DEADLINE_S: Final = 600
TELL_DEADLINE_S: Final = 10
FIELDS_A_LINE: Final = 3
CONTESTANTS: Final = ("mirror", "points", "raw")
VICTORIA: Final = "mirror into VictoriaMetrics, 600 channels"
INFLUX: Final = "mirror into InfluxDB 1.6, 600 channels"


def measure(shrink: int = 1) -> list[Row]:
    """Return the claim's rows; ``shrink`` cuts the readings to be sent."""
    with scratch() as folder:
        Workload.make(folder / "work", DEVICES, max(10, SECONDS // shrink))
        _send("fill", folder, 0, "")
        return [*_into_victoria(folder), *_into_influx(folder)]


def _into_victoria(folder: Path) -> list[Row]:
    with victoria.serve(folder / "victoria") as server:
        found = _in_turn(folder, CONTESTANTS, lambda _: server.port, lambda: _victoria_has(server), "v")
    ours = found["mirror"]
    return [
        row(VICTORIA, ours, "readings/s", "influxdb-client: Point by Point, batching", found["points"], "ratio >= 5"),
        row(VICTORIA, ours, "readings/s", "http.client, ready bytes", found["raw"], "ratio >= 0.8"),
        row(VICTORIA, [FIELDS_A_LINE * readings for readings in ours], "points/s", target="value >= 500000"),
    ]


def _into_influx(folder: Path) -> list[Row]:
    with influx.serve(folder / "influx") as server, rewrite.serve(folder, server.port) as proxy:
        ports = {"mirror": proxy.port, "raw": server.port}
        found = _in_turn(folder, tuple(ports), ports.__getitem__, lambda: _influx_has(server), "i")
    ready = "http.client, ready bytes"
    return [row(INFLUX, found["mirror"], "readings/s", ready, found["raw"], "ratio >= 0.7")]


def _in_turn(
    folder: Path, names: Sequence[str], port_of: Callable[[str], int], taken: Callable[[], int], run: str
) -> dict[str, list[float]]:
    """Let everyone send once a round, begun with another one each time; return readings per second of each."""
    found: dict[str, list[float]] = {name: [] for name in names}
    sent = 0
    for turn in range(ROUNDS):
        for name in rotated(names, turn):
            points, took_s = _send(name, folder, port_of(name), f"{name}{run}{turn}")
            sent += points
            _check(taken, sent)
            found[name].append(points / took_s)
    return found


def _send(name: str, folder: Path, port: int, site: str) -> tuple[int, float]:
    command = [sys.executable, "-m", "benchmarks.mirror_sender", name, str(folder), str(port), site]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False, cwd=ROOT)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing said"])[-1]
        raise BenchError(f"mirror_sender {name} ended with {done.returncode}: {last}")
    answer = json.loads(done.stdout)
    return answer["points"], answer["seconds"]


def _check(taken: Callable[[], int], sent: int) -> None:
    """Return once the server tells of exactly so many readings, which it may do a second late; raises BenchError."""
    deadline = time.monotonic() + TELL_DEADLINE_S
    while (points := taken()) != sent * FIELDS_A_LINE:
        if time.monotonic() > deadline:
            raise BenchError(f"{sent} readings were sent in all, the server has taken {points / FIELDS_A_LINE:g}")
        time.sleep(0.1)


def _influx_has(server: Server) -> int:
    return influx.lines(server.port) * FIELDS_A_LINE


def _victoria_has(server: Server) -> int:
    """Return how many samples the server has taken as line protocol."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return sum(int(count) for count in re.findall(r'^vm_rows_inserted_total\{type="influx"\} (\d+)$', text, re.M))
