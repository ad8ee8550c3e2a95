"""Bytes per point on the disk, everything included, when 1 % of all polls come late.

Two devices of six channels at 1 Hz for a week; a late poll comes 1 to 120 minutes after its time, three in four of
them into hours that are sealed already. Everyone gets the polls in the same order and then time to merge what it can.
"""

from __future__ import annotations

from typing import Final

from benchmarks.holding import disk, fill_with_late, journal_bytes
from benchmarks.process import scratch
from benchmarks.rows import Row, row
from benchmarks.workload import HOUR_S, Workload

__all__ = ["measure"]

DEVICES, SECONDS = 2, 7 * 24 * HOUR_S
PEERS: Final = {
    "victoriametrics": ("VictoriaMetrics, merged", "ratio <= 0.75"),
    "influxdb": ("InfluxDB 1.6, fully compacted", None),
    "duckdb": ("DuckDB, in order of arrival", None),
}
CLAIM: Final = "bytes/point sealed, 1 % late, roll-ups included"


def measure(shrink: int = 1) -> list[Row]:
    """Return the claim's rows; ``shrink`` cuts the week."""
    with scratch() as folder:
        work = Workload.make(folder / "work", DEVICES, max(2 * HOUR_S, SECONDS // shrink))
        fill_with_late(folder, work)
        found = disk(folder, work)
        journal = journal_bytes(folder)
        floor = work.floor_bytes() / work.points
    ours = [found["cultureops"]]
    return [
        *(row(CLAIM, ours, "B/point", title, [found[name]], target) for name, (title, target) in PEERS.items()),
        row(CLAIM, ours, "B/point", "entropy of steps, times shared by six", [floor], "value <= 0.5"),
        row("journal beside the sealed months", [journal / 1e6], "MB"),
    ]
