"""Rot in the log beside a SQLite file, which SQLite itself takes for the end of the log and passes over in silence.

A frame whose checksum does not match ends the log (sqlite.org/fileformat2.html, "WAL Format"): rightly so where the
power was cut while it was written, but a bit that falls over later takes every commit behind it along. A commit is made
durable before the next one is begun, so a bad frame with two commits in it or behind it was whole once.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["LogDamage", "log_damage"]

_HEAD: Final = struct.Struct(">IIII8sII")
_FRAME: Final = struct.Struct(">II8sII")
_MAGIC: Final = (0x377F0682, 0x377F0683)


class LogDamage(NamedTuple):
    """What is wrong with a log; ``is_certain`` is False where the power may have been cut while the end was written."""

    detail: str
    is_certain: bool


def log_damage(database: Path) -> LogDamage | None:
    """Say what is wrong with the log of a SQLite file, None where nothing is or there is none; raises OSError."""
    log = database.with_name(f"{database.name}-wal")
    try:
        content = log.read_bytes()
    except FileNotFoundError:
        return None
    if len(content) <= _HEAD.size or not any(content[: _HEAD.size]):
        return None
    magic, _, page, _, salt, *noted = _HEAD.unpack_from(content)
    order = ">" if magic & 1 else "<"
    sums = _summed(content[: _HEAD.size - 8], (0, 0), order)
    if magic not in _MAGIC or sums != tuple(noted):
        return LogDamage(f"{log}: the checksum of its head does not match; all commits in it are lost", True)
    at, commits_lost, is_bad, is_whole = _HEAD.size, 0, False, False
    while at + _FRAME.size + page <= len(content):
        _, size_after, frame_salt, *noted = _FRAME.unpack_from(content, at)
        if not is_bad:
            sums = _summed(content[at : at + 8], sums, order)
            sums = _summed(content[at + _FRAME.size : at + _FRAME.size + page], sums, order)
            # Checksums go on from frame to frame: one that fits was written here, whatever its salt says now.
            is_whole = sums == tuple(noted)
            if frame_salt != salt and not is_whole and not _has_salt(content, at, page, salt):
                return None  # what is left of the log before
            if frame_salt != salt or not is_whole:
                is_bad, bad_at = True, at
                commits_lost = int((frame_salt == salt or is_whole) and size_after > 0)
        elif frame_salt == salt and size_after:
            commits_lost += 1
        at += _FRAME.size + page
    if not is_bad:
        return None
    bad = f"{log}: the frame at byte {bad_at} does not match its checksum or its log"
    return LogDamage(f"{bad}; {commits_lost} commits in it or behind it are lost", is_whole or commits_lost > 1)


def _has_salt(content: bytes, at: int, page: int, salt: bytes) -> bool:
    """Whether any later frame is of this log."""
    step = _FRAME.size + page
    return any(
        content[later + 8 : later + 16] == salt
        for later in range(at + step, len(content) - _FRAME.size - page + 1, step)
    )


def _summed(data: bytes, sums: tuple[int, int], order: str) -> tuple[int, int]:
    """Return SQLite's checksum over whole pairs of 32-bit words."""
    first, second = sums
    words = memoryview(data).cast("I") if (order == "<") == (sys.byteorder == "little") else None
    values = words if words is not None else struct.unpack(f"{order}{len(data) // 4}I", data)
    for index in range(0, len(values), 2):
        first = (first + values[index] + second) & 0xFFFFFFFF
        second = (second + values[index + 1] + first) & 0xFFFFFFFF
    return first, second
