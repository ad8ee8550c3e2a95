"""One channel to at most 2,000 min/max buckets, warm and cold, and the latest value of every channel.

Everyone holds the same 62.2 million points: once as 12 channels for 60 days, once as 600 channels for 28.8 hours.
Before anything is timed each answer is compared with the extremes of the workload itself.

*Warm*: the query was asked before. *Cold*: the first query of a program that has just opened its files, after the
kernel dropped what it held of them.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.holding import CONTESTANTS, disk, fill, serving
from benchmarks.process import BenchError, Worker, forget_pages, rotated, scratch
from benchmarks.rows import Row, row
from benchmarks.workload import CHANNELS, HOUR_S, Workload

__all__ = ["Case", "cases", "compare", "measure", "measure_case"]

ROUNDS, REPEATS = 5, 3
PEERS: Final = {
    "victoriametrics": "VictoriaMetrics, from points",
    "influxdb": "InfluxDB 1.6, from points",
    "duckdb": "DuckDB sorted by channel, from points",
}
WAYS: Final = [(name, "buckets") for name in CONTESTANTS] + [("cultureops", "decoded")]
Times = dict[tuple[str, str], list[float]]


@dataclass(frozen=True, slots=True)
class Case:
    """How the points are spread, and how wide a bucket is: whole minutes, so that all answer the same question."""

    devices: int
    seconds: int
    width_s: int

    @property
    def spread(self) -> str:
        """How many channels for how long."""
        hours = self.seconds / HOUR_S
        return f"{self.devices * len(CHANNELS)} channels x " + (
            f"{hours / 24:.3g} days" if hours >= 48 else f"{hours:.3g} h"
        )

    @property
    def text(self) -> str:
        """What the rows of queries call it."""
        return f"{self.spread}, one to {self.seconds // self.width_s:,} buckets"

    @property
    def question(self) -> dict[str, int]:
        """Which channel is asked for: a temperature in the middle."""
        return {"device": self.devices // 2, "number": 0, "seconds": self.seconds, "width_s": self.width_s}


def cases(shrink: int) -> tuple[Case, Case]:
    """Return few channels for a long time and many for a short one; buckets end where the readings do."""
    width = -(-60 * 24 * 60 // (2000 * shrink))
    buckets = 60 * 24 * 60 // shrink // width
    return Case(2, buckets * width * 60, width * 60), Case(100, max(2, int(28.8 * 60) // shrink) * 60, 60)


def measure(shrink: int = 1, rounds: int = ROUNDS) -> list[Row]:
    """Return the claim's rows; ``shrink`` cuts the number of points."""
    few, many = cases(shrink)
    return measure_case(few, rounds) + measure_case(many, rounds, with_latest=True)


def measure_case(case: Case, rounds: int, *, with_latest: bool = False) -> list[Row]:
    """Return the rows of one spread of the points."""
    with scratch() as folder:
        work = Workload.make(folder / "work", case.devices, case.seconds)
        fill(folder, work)
        with ExitStack() as stack:
            workers = {name: stack.enter_context(serving(name, folder)) for name in CONTESTANTS}
            compare(workers, work, case)
            warm = _warm(workers, case, rounds)
            latest = _latest(stack, workers, folder, case, rounds) if with_latest else {}
        cold = _cold(folder, case, rounds)
        found = disk(folder, work)
    return _rows(case, warm, cold) + _latest_rows(case, latest) + _size_rows(case, found)


def compare(workers: dict[str, Worker], work: Workload, case: Case, ways: Sequence[tuple[str, str]] = WAYS) -> None:
    """Raise BenchError unless every contestant answers with the extremes of the workload itself."""
    values = work.values(case.question["device"], case.question["number"]).reshape(-1, case.width_s)
    for name, way in ways:
        found = workers[name].call(way, **case.question)
        for key, expected in (("low", values.min(axis=1)), ("high", values.max(axis=1))):
            if not np.array_equal(np.array(found[key]), expected):
                raise BenchError(f"{name}, {way}: {key} values differ from the workload's; nothing can be compared")


def _warm(workers: dict[str, Worker], case: Case, rounds: int) -> Times:
    times: Times = {way: [] for way in WAYS}
    for number in range(rounds):
        for name, way in rotated(WAYS, number):
            times[name, way].append(_median(workers[name], way, case.question))
    return times


def _cold(folder: Path, case: Case, rounds: int) -> Times:
    times: Times = {way: [] for way in WAYS}
    for number in range(rounds):
        for name, way in rotated(WAYS, number):
            with serving(name, folder) as worker:
                forget_pages(folder / name)
                times[name, way].append(worker.call(way, **case.question)["seconds"])
    return times


def _latest(stack: ExitStack, workers: dict[str, Worker], folder: Path, case: Case, rounds: int) -> dict[str, Any]:
    """Return seconds by contestant; a further process reads our store's folder while its writer has it open."""
    reader = Worker("cultureops-reader", str(folder / "cultureops" / "telemetry"), folder / "reader.log")
    asked = {**workers, "cultureops-reader": stack.enter_context(reader)}
    times: dict[str, list[float]] = {name: [] for name in asked}
    for number in range(rounds):
        for name in rotated(list(asked), number):
            found = asked[name].call("latest", seconds=case.seconds)
            if found["channels"] != case.devices * len(CHANNELS):
                raise BenchError(f"{name}: the latest of {found['channels']} channels; nothing can be compared")
            times[name].append(_median(asked[name], "latest", {"seconds": case.seconds}))
    return times


def _median(worker: Worker, way: str, question: dict[str, int]) -> float:
    return statistics.median(float(worker.call(way, **question)["seconds"]) for _ in range(REPEATS))


def _rows(case: Case, warm: Times, cold: Times) -> list[Row]:
    found = []
    for way, how in (("buckets", "by roll-up"), ("decoded", "by full decode")):
        for state, times in (("warm", warm), ("cold", cold)):
            for peer, title in PEERS.items():
                is_claim = way == "buckets" and state == "warm" and peer == "victoriametrics"
                found.append(
                    row(
                        f"{case.text}, {how}, {state}", _ms(times["cultureops", way]), "ms", title,
                        _ms(times[peer, "buckets"]), "ratio <= 0.1" if is_claim else None,
                    )
                )  # fmt: skip
    return found


def _latest_rows(case: Case, times: dict[str, list[float]]) -> list[Row]:
    channels = case.devices * len(CHANNELS)
    return [
        row(f"latest of {channels} channels, {where}", _ms(times[ours]), "ms", title.split(",")[0], _ms(times[peer]),
            "value < 5")
        for ours, where in (("cultureops", "same process"), ("cultureops-reader", "another process"))
        if times
        for peer, title in PEERS.items()
    ]  # fmt: skip


def _size_rows(case: Case, found: dict[str, float]) -> list[Row]:
    return [
        row(f"bytes/point sealed, {case.spread}, none late", [found["cultureops"]], "B/point", title.split(",")[0],
            [found[peer]])
        for peer, title in PEERS.items()
    ]  # fmt: skip


def _ms(seconds: list[float]) -> list[float]:
    return [1000 * some for some in seconds]
