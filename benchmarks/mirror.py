"""Mirroring into VictoriaMetrics beside influxdb-client's own way and the least that HTTP costs.

Each contestant sends the same readings from a process of its own (mirror_sender.py) to one server, each time as series
that the server has not seen. Ours begins with the store on the disk; the peers have their readings, or even the ready
bytes, in memory. All have imported what they need before the time runs.
"""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from benchmarks.contestants.victoria import serve
from benchmarks.process import ROOT, BenchError, Server, scratch
from benchmarks.rows import Row, row
from benchmarks.workload import Workload

__all__ = ["measure"]

DEVICES, SECONDS, ROUNDS = 100, 600, 5
DEADLINE_S: Final = 600
TELL_DEADLINE_S: Final = 10
FIELDS_A_LINE: Final = 3
CONTESTANTS: Final = ("mirror", "points", "raw")
CLAIM: Final = "mirror into VictoriaMetrics, 600 channels"


def measure(shrink: int = 1) -> list[Row]:
    """Return the claim's rows; ``shrink`` cuts the readings to be sent."""
    seconds = max(10, SECONDS // shrink)
    found: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
    with scratch() as folder, serve(folder / "victoria") as server:
        Workload.make(folder / "work", DEVICES, seconds)
        _send("fill", folder, server, "")
        sent = 0
        for turn in range(ROUNDS):
            for name in (*CONTESTANTS[turn % 3 :], *CONTESTANTS[: turn % 3]):
                points, took_s = _send(name, folder, server, f"{name}{turn}")
                sent += points
                _check(server, sent)
                found[name].append(points / took_s)
    ours = found["mirror"]
    return [
        row(CLAIM, ours, "readings/s", "influxdb-client: Point by Point, batching", found["points"], "ratio >= 5"),
        row(CLAIM, ours, "readings/s", "http.client, ready bytes", found["raw"], "ratio >= 0.8"),
    ]


def _send(name: str, folder: Path, server: Server, site: str) -> tuple[int, float]:
    command = [sys.executable, "-m", "benchmarks.mirror_sender", name, str(folder), str(server.port), site]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False, cwd=ROOT)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing said"])[-1]
        raise BenchError(f"mirror_sender {name} ended with {done.returncode}: {last}")
    answer = json.loads(done.stdout)
    return answer["points"], answer["seconds"]


def _check(server: Server, sent: int) -> None:
    """Return once the server tells of exactly so many readings, which it does a second late; raises BenchError."""
    deadline = time.monotonic() + TELL_DEADLINE_S
    while (taken := _samples(server)) != sent * FIELDS_A_LINE:
        if time.monotonic() > deadline:
            raise BenchError(f"{sent} readings were sent in all, the server has taken {taken / FIELDS_A_LINE:g}")
        time.sleep(0.1)


def _samples(server: Server) -> int:
    """Return how many samples the server has taken as line protocol."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return sum(int(count) for count in re.findall(r'^vm_rows_inserted_total\{type="influx"\} (\d+)$', text, re.M))
