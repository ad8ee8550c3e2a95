"""The floor of any durable store: one append and one fdatasync per commit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.contestants.timing import each_timed
from benchmarks.workload import Workload

__all__ = ["FlatLog"]

_ROW: Final = np.dtype(
    [("channel", "<u2"), ("value", "<f8"), ("quality", "u1"), ("reason", "u1"), ("at_ms", "<i8"), ("late_ms", "<i4")]
)


class FlatLog:
    """A file that only grows, 24 bytes a reading, encoded before the clock starts."""

    def __init__(self, at: str) -> None:
        self._file = os.open(Path(at), os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        self._frames: list[bytes] = []

    def prepare(self, work: str, first: int, last: int) -> dict[str, Any]:
        """Encode the seconds from ``first`` to before ``last``."""
        load = Workload.read(Path(work))
        rows = np.zeros((last - first, load.devices, load.scaled.shape[1]), _ROW)
        rows["channel"] = np.arange(rows[0].size).reshape(rows[0].shape)
        for device in range(load.devices):
            rows["at_ms"][:, device] = load.source_ms[device, first:last, None]
            for number in range(rows.shape[2]):
                rows["value"][:, device, number] = load.values(device, number, first, last)
        self._frames = [frame.tobytes() for frame in rows]
        return {}

    def commit(self) -> dict[str, Any]:
        """Write what was prepared, each second durable before the next."""
        return each_timed(self._append, self._frames)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _append(self, frame: bytes) -> None:
        os.write(self._file, frame)
        os.fdatasync(self._file)
