"""DuckDB: every commit an insert of a ready Arrow table; for queries a table sorted by channel, its best layout."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from benchmarks.contestants.timing import each_timed
from benchmarks.workload import CHANNELS, START_MS, Workload

__all__ = ["Duck"]

_TABLE = "CREATE TABLE IF NOT EXISTS readings (channel USMALLINT, at_ms BIGINT, value DOUBLE)"


class Duck:
    """One database file, opened in this process."""

    def __init__(self, at: str) -> None:
        self._db = duckdb.connect(at)
        self._db.execute(_TABLE)
        self._batches: list[pa.Table] = []

    def prepare(self, work: str, first: int, last: int) -> dict[str, Any]:
        """Build one Arrow table per second from ``first`` to before ``last``."""
        load = Workload.read(Path(work))
        values = np.stack(
            [
                load.values(device, number, first, last)
                for device in range(load.devices)
                for number in range(len(CHANNELS))
            ]
        )
        channel = np.arange(len(values), dtype=np.uint16)
        at_ms = np.repeat(load.source_ms[:, first:last], len(CHANNELS), axis=0)
        self._batches = [
            pa.table({"channel": channel, "at_ms": at_ms[:, second].copy(), "value": values[:, second].copy()})
            for second in range(last - first)
        ]
        return {}

    def commit(self) -> dict[str, Any]:
        """Write what was prepared, each second durable before the next."""
        return each_timed(self._insert, self._batches)

    def load(self, work: str) -> dict[str, Any]:
        """Fill the table channel by channel, then write everything to its place."""
        data = Workload.read(Path(work))
        for device in range(data.devices):
            for number in range(len(CHANNELS)):
                channel = np.full(data.seconds, device * len(CHANNELS) + number, np.uint16)
                at_ms, value = np.asarray(data.source_ms[device]), data.values(device, number)
                self._insert(pa.table({"channel": channel, "at_ms": at_ms, "value": value}))
        self._db.execute("CHECKPOINT")
        return {"points": self._db.execute("SELECT count(*) FROM readings").fetchall()[0][0]}

    def load_arrivals(self, work: str) -> dict[str, Any]:
        """Fill the table with what arrives minute by minute, 1 % of it late; then write everything to its place."""
        data = Workload.read(Path(work))
        for some in data.arrivals():
            polls = list(data.polls(some))
            channel = [device * len(CHANNELS) + number for device, _, _ in polls for number in range(len(CHANNELS))]
            at_ms = [at for _, _, at in polls for _ in CHANNELS]
            self._insert(
                pa.table({"channel": channel, "at_ms": at_ms, "value": [v for _, values, _ in polls for v in values]})
            )
        self._db.execute("CHECKPOINT")
        return {"points": self._db.execute("SELECT count(*) FROM readings").fetchall()[0][0]}

    def buckets(self, device: int, number: int, seconds: int, width_s: int) -> dict[str, Any]:
        """Return minimum and maximum of one channel per ``width_s``."""
        began = time.perf_counter()
        rows = self._db.execute(
            "SELECT (at_ms - ?) // ? AS bucket, min(value), max(value) FROM readings "
            "WHERE channel = ? AND at_ms >= ? AND at_ms < ? GROUP BY bucket ORDER BY bucket",
            (START_MS, width_s * 1000, device * len(CHANNELS) + number, START_MS, START_MS + seconds * 1000),
        ).fetchnumpy()
        took = time.perf_counter() - began
        low, high = [column.tolist() for name, column in rows.items() if name != "bucket"]
        return {"seconds": took, "low": low, "high": high}

    def latest(self, seconds: int) -> dict[str, Any]:
        """Return how many channels have a last value."""
        began = time.perf_counter()
        rows = self._db.execute(
            "SELECT channel, max(at_ms), arg_max(value, at_ms) FROM readings GROUP BY channel"
        ).fetchall()
        return {"seconds": time.perf_counter() - began, "channels": len(rows)}

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _insert(self, batch: pa.Table) -> None:
        self._db.execute("INSERT INTO readings SELECT * FROM batch")
