"""Durable ingest: commits of 600 readings, one after the other, sealing and roll-ups included.

A round is one hour of 100 devices at 1 Hz that begins at half past: our store seals the hour that closes in the middle
of the round, all 600 channels of it, while the commits go on, and its clock stops when both are done.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Final

from benchmarks.contestants import influx, victoria
from benchmarks.process import BenchError, Worker, rotated, scratch
from benchmarks.rows import Row, row
from benchmarks.workload import CHANNELS, HOUR_S, Workload

__all__ = ["measure"]

DEVICES, ROUNDS = 100, 5
PEERS: Final = {
    "influxdb": "InfluxDB 1.6, ready lines",
    "victoriametrics": "VictoriaMetrics, ready lines, acknowledged but not durable",
    "duckdb": "DuckDB, ready Arrow tables",
    "flat": "flat append + fdatasync log, ready bytes",
}
CLAIM: Final = "durable ingest, commits of 600, sealed and rolled up"


def measure(shrink: int = 1, rounds: int = ROUNDS) -> list[Row]:
    """Return the claim's rows; ``shrink`` cuts the length of a round."""
    with scratch() as folder, ExitStack() as stack:
        workers = _workers(stack, folder)
        work = Workload.make(folder / "work", DEVICES, (rounds + 1) * HOUR_S)
        length = max(10, HOUR_S // shrink)
        speed: dict[str, list[float]] = {name: [] for name in workers}
        longest_ms: dict[str, list[float]] = {name: [] for name in workers}
        for hour in range(1, rounds + 1):
            first = hour * HOUR_S - length // 2
            for name in rotated(list(workers), hour):
                worker = workers[name]
                worker.call("prepare", work=str(folder / "work"), first=first, last=first + length)
                found = worker.call("commit")
                if not found.get("sealed", True):
                    raise BenchError(f"{name} sealed nothing in hour {hour}; the claim says it does")
                speed[name].append(length * work.devices * len(CHANNELS) / found["seconds"])
                longest_ms[name].append(found["longest_s"] * 1000)
    return _rows(speed, longest_ms)


def _workers(stack: ExitStack, folder: Path) -> dict[str, Worker]:
    """Start one worker for each contestant, and the servers that some of them talk to."""
    at = {
        "cultureops": str(folder / "telemetry"),
        "flat": str(folder / "flat.log"),
        "duckdb": str(folder / "duck.db"),
        "influxdb": str(stack.enter_context(influx.serve(folder / "influx")).port),
        "victoriametrics": str(stack.enter_context(victoria.serve(folder / "victoria")).port),
    }
    return {name: stack.enter_context(Worker(name, where, folder / f"{name}.log")) for name, where in at.items()}


def _rows(speed: dict[str, list[float]], longest_ms: dict[str, list[float]]) -> list[Row]:
    targets = {"influxdb": "ratio >= 2", "flat": "ratio >= 0.9"}
    ours, floor = longest_ms["cultureops"], longest_ms["flat"]
    return [
        *(
            row(CLAIM, speed["cultureops"], "readings/s", title, speed[name], targets.get(name))
            for name, title in PEERS.items()
        ),
        row("longest stall in an hour of commits", ours, "ms", PEERS["flat"], floor, "value < 10"),
        row("longest stall in all hours", [max(ours)], "ms", PEERS["flat"], [max(floor)]),
    ]
