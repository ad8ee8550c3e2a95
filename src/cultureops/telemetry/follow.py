"""Following the store from its first reading to its last: one cursor over frames and chunks.

A follower that keeps up reads frames. One that has fallen behind what the journal still holds reads the chunks of the
passes that it missed, by pass and number, and then frames again. Some readings may come twice that way; none is left
out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from cultureops.device.channel import ChannelId
from cultureops.errors import ConfigError
from cultureops.telemetry.frame import Columns, decode
from cultureops.telemetry.month import Key
from cultureops.telemetry.points import Points, join
from cultureops.telemetry.reader import View

__all__ = ["Cursor", "Extract", "follow"]

FRAMES_A_LOOK: Final = 256
_END: Final = 1 << 63


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a follower has come: every reading up to ``frame``; of pass ``sealing``, if any, up to ``chunk``."""

    frame: int = 0
    sealing: int = 0
    chunk: int = -1

    def to_text(self) -> str:
        """Write the cursor down."""
        return f"{self.frame}:{self.sealing}:{self.chunk}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what ``to_text`` wrote; raises ConfigError."""
        try:
            frame, sealing, chunk = map(int, text.strip().split(":"))
            if not (0 <= frame < _END and 0 <= sealing < _END and -1 <= chunk < _END):
                raise ValueError(text)
        except ValueError:
            raise ConfigError(f"{text!r} is no cursor; remove the file to begin from the first reading") from None
        return cls(frame, sealing, chunk)


@dataclass(frozen=True, slots=True)
class Extract:
    """Readings, where to go on after them, and about how many are left then.

    ``rows.channel`` are numbers, which ``names`` knows; ``rows.frame`` is 0 for readings that come from a chunk.
    """

    names: Mapping[int, ChannelId]
    rows: Columns
    next: Cursor
    remaining: int


def follow(view: View, cursor: Cursor, most_readings: int) -> Extract:
    """Return what comes after the cursor, at least one frame or chunk where there is any; raises Unreadable.

    A cursor beyond the last frame is one of another store, or of this one before a backup was restored: begin anew.
    """
    names = {number: name for name, (number, _) in view.channels().items()}
    dropped = view.journal.execute("SELECT seq FROM dropped").fetchone()[0]
    last = view.journal.execute("SELECT max(seq) FROM frames").fetchone()[0] or dropped
    if cursor.frame > max(last, view.extent.floor):
        cursor = Cursor()
    if cursor.sealing or cursor.frame < dropped:
        rows, after, left = _chunks(view, cursor, most_readings)
    else:
        rows, after, left = _frames(view, cursor, most_readings)
    return Extract(names, rows, after, left)


def _frames(view: View, cursor: Cursor, most_readings: int) -> tuple[Columns, Cursor, int]:
    found = view.journal.execute(
        "SELECT seq, payload, total FROM frames WHERE seq > ? ORDER BY seq LIMIT ?", (cursor.frame, FRAMES_A_LOOK)
    ).fetchall()
    before = _total_up_to(view, cursor.frame)
    taken = max(1, sum(total - before <= most_readings for _, _, total in found))
    rows = decode([(seq, payload) for seq, payload, _ in found[:taken]])
    if not found:
        return rows, cursor, 0
    seq, _, total = found[:taken][-1]
    return rows, Cursor(seq), _total(view) - total


def _chunks(view: View, cursor: Cursor, most_readings: int) -> tuple[Columns, Cursor, int]:
    parts: list[tuple[Key, Points]] = []
    size = 0
    at, chunk = cursor.sealing, cursor.chunk
    for month in view.months:
        for number, seq in month.pass_numbers(after=at - 1):
            if seq <= cursor.frame:
                continue
            if number != at:
                at, chunk = number, -1
            for row in month.chunk_rows_of_pass(number, chunk):
                parts.append((Key.of(row.number), month.opened(row)))
                size += row.readings
                chunk = row.number
                if size >= most_readings:
                    return _gathered(parts), Cursor(cursor.frame, at, chunk), _left_after(view, at)
    return (
        _gathered(parts),
        Cursor(max(cursor.frame, view.extent.floor)),
        _total(view) - _total_up_to(view, view.extent.floor),
    )


def _gathered(parts: list[tuple[Key, Points]]) -> Columns:
    points = join([part for _, part in parts])
    sizes = [part.size for _, part in parts]
    return Columns(
        np.zeros(points.size, np.int64), np.repeat(np.array([key.channel for key, _ in parts], np.int64), sizes), points
    )


def _total(view: View) -> int:
    last = view.journal.execute("SELECT total FROM frames ORDER BY seq DESC LIMIT 1").fetchone()
    return int((last or view.journal.execute("SELECT total FROM dropped").fetchone())[0])


def _total_up_to(view: View, seq: int) -> int:
    row = view.journal.execute("SELECT total FROM frames WHERE seq = ?", (seq,)).fetchone()
    return int((row or view.journal.execute("SELECT total FROM dropped").fetchone())[0])


def _left_after(view: View, sealing: int) -> int:
    """Count the readings of later passes and of the frames that they leave."""
    sealed = sum(month.readings_after_pass(sealing) for month in view.months)
    return sealed + _total(view) - _total_up_to(view, view.extent.floor)
