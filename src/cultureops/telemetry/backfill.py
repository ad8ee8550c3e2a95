"""Sending any range again: a point sent twice is one point, so it is always safe, also beside a running mirror.

It has a connection of its own and one call under way at a time. How far it has come is in a file, so that the same
command goes on where it was interrupted.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from cultureops.durable_file import replace_file
from cultureops.errors import StorageError
from cultureops.telemetry.comparing import Kept
from cultureops.telemetry.frame import Columns
from cultureops.telemetry.influx import Unavailable
from cultureops.telemetry.line_protocol import Encoder
from cultureops.telemetry.mirror_handover import Writer, hand_over
from cultureops.telemetry.points import is_shown
from cultureops.telemetry.selection import Piece, Selection

__all__ = ["BackfillFile", "Sent", "backfill"]

BACKFILL_FILE: Final = "mirror-backfill.json"
LINES_A_CALL: Final = 5_000
MOST_TRIES: Final = 6
"""How often one call is tried before the command ends; it goes on from there when it is given again."""
_BACK_OFF_S: Final = 1.0
_LONGEST_BACK_OFF_S: Final = 30.0


@dataclass(slots=True)
class Sent:
    """What became of what was sent; ``refused`` are the server's words on the lines that it won't take."""

    readings: int = 0
    resumed_on_day: int | None = None
    outlived: int = 0
    refused: list[str] = field(default_factory=list)


class BackfillFile:
    """From which day on one plan is still to be sent, durable; of another plan it knows nothing."""

    def __init__(self, folder: Path, plan: str) -> None:
        self._path = folder / BACKFILL_FILE
        self._plan = plan

    def load(self) -> int | None:
        """Return the day to go on with, counted from 1970; None, all of them, where nothing usable is noted."""
        try:
            noted = json.loads(self._path.read_text(encoding="utf-8"))
            return int(noted["next_day"]) if noted["plan"] == self._plan else None
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def save(self, next_day: int) -> None:
        """Note it; raises StorageError."""
        try:
            replace_file(self._path, json.dumps({"plan": self._plan, "next_day": next_day}) + "\n")
        except OSError as error:
            raise StorageError(f"{self._path}: can't be written: {error}") from None

    def forget(self) -> None:
        """Remove the note: everything is done."""
        self._path.unlink(missing_ok=True)


async def backfill(
    kept: Kept,
    writer: Writer,
    encoder: Encoder,
    selection: Selection,
    file: BackfillFile,
    show: Callable[[int, int], None],
    *,
    most_per_s: float,
) -> Sent:
    """Send a selection, day by day, and return what became of it; at most ``most_per_s`` [readings/s, real time, > 0].

    Raises Unavailable when the server stays away for all tries, StorageError when progress can't be noted.
    """
    first_day, loop = await asyncio.to_thread(file.load), asyncio.get_running_loop()
    sent, pieces = Sent(resumed_on_day=first_day), list(selection.pieces())
    for number, piece in enumerate(pieces):
        show(number, len(pieces))
        if first_day is not None and piece.day < first_day:
            continue
        if number and piece.day != pieces[number - 1].day:
            await asyncio.to_thread(file.save, piece.day)
        for body in await _bodies(kept, encoder, piece):
            next_at_s = loop.time() + (body.count(b"\n") + 1) / most_per_s
            await _delivered(writer, body, sent)
            await asyncio.sleep(max(0.0, next_at_s - loop.time()))
    show(len(pieces), len(pieces))
    return sent


async def _bodies(kept: Kept, encoder: Encoder, piece: Piece) -> Iterable[bytes]:
    points = await kept.points(piece)
    shown = points.at(is_shown(points.source_ms))
    if not shown.size:
        return ()
    rows = Columns(np.zeros(shown.size, np.int64), np.zeros(shown.size, np.int64), shown)
    names = {0: piece.channel}
    return await asyncio.to_thread(lambda: tuple(encoder.bodies(rows, names, kept.infos, LINES_A_CALL)))


async def _delivered(writer: Writer, body: bytes, sent: Sent) -> None:
    for tried in range(1, MOST_TRIES + 1):
        try:
            outcome = await hand_over(writer, body)
        except Unavailable as error:
            if tried == MOST_TRIES:
                raise
            await asyncio.sleep(min(max(_BACK_OFF_S * 2 ** (tried - 1), error.retry_after_s or 0), _LONGEST_BACK_OFF_S))
            continue
        sent.readings += body.count(b"\n") + 1 - len(outcome.refused)
        sent.outlived += outcome.outlived
        sent.refused += [answer for _, answer in outcome.refused]
        return
