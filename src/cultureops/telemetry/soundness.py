"""What a folder of readings holds beside frames and chunks, compared with what they say: nothing there is believed.

Frames and chunks carry checksums of their own; roll-ups, descriptions and how far sealing has come carry none, and can
be told from what does.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from cultureops.clock import HOUR_MS, MINUTE_MS
from cultureops.errors import Unreadable
from cultureops.telemetry import frame, rollup
from cultureops.telemetry.journal import open_journal, read_channels
from cultureops.telemetry.month import DAY_HOURS, Key, Month, month_files
from cultureops.telemetry.points import Points, is_shown, join, settle

__all__ = ["DAMAGED", "Unsound", "unsound"]

DAMAGED = (sqlite3.Error, ValueError, TypeError, AttributeError, OverflowError)
"""What reading raises where a column holds what it never held when it was written."""

_HOUR_MINUTES = HOUR_MS // MINUTE_MS


class Unsound(NamedTuple):
    """Where something is wrong, what, and whether it can be read and says something else."""

    where: str
    detail: str
    is_readable: bool


def unsound(folder: Path) -> Iterator[Unsound]:
    """Yield what is wrong, nothing for a folder that is sound; raises Unreadable for a file that can't be opened."""
    journal = open_journal(folder)
    months: list[Month] = []
    try:
        for path in month_files(folder):
            months.append(Month.open(path, is_closed=False))
        structures = [*_structure(folder / "journal.sqlite", journal)]
        structures += [found for month in months for found in _structure(month.path, month.db)]
        if structures:
            yield from structures
            return
        yield from _frames(journal)
        if months:
            yield from _extent(journal, months[-1])
            yield from _channels(journal, months[-1])
            yield from _roll_ups(months)
    except DAMAGED as error:
        yield Unsound(folder.name, f"can't be read: {' '.join(str(error).split())}", False)
    finally:
        for month in months:
            month.close()
        journal.close()


def _structure(path: Path, db: sqlite3.Connection) -> Iterator[Unsound]:
    (found,) = db.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        yield Unsound(path.name, f"the structure of the file is damaged: {' '.join(str(found).split())}", False)


def _frames(journal: sqlite3.Connection) -> Iterator[Unsound]:
    """Compare what frames are found by with what is in them."""
    before, noted = journal.execute("SELECT seq, total FROM dropped").fetchone()
    for seq, first, last, total, payload in journal.execute(
        "SELECT seq, from_ms, to_ms, total, payload FROM frames ORDER BY seq"
    ):
        times = frame.decode([(seq, payload)]).points.source_ms
        if (first, last) != (times.min(), times.max()):
            yield Unsound(f"frame {seq}", "its times are not those of its readings", True)
        if seq != before + 1 and total == noted + times.size:
            yield Unsound(f"frame {before + 1}", f"its number was changed to {seq} where it stands", True)
            return
        before, noted = seq, total


def _extent(journal: sqlite3.Connection, month: Month) -> Iterator[Unsound]:
    """Compare how far sealing is said to have come with the last pass and with what is left in the journal."""
    extent = month.read_extent()
    passes = month.db.execute("SELECT number, seq, before_hour FROM passes ORDER BY number DESC LIMIT 1").fetchone()
    if extent.has_pass:
        return
    if passes is not None and passes != (extent.passes, extent.seq, extent.before_hour):
        yield Unsound(month.path.name, "how far it is sealed is not what its last pass says", True)
        return
    (first,) = journal.execute(
        "SELECT min(seq) FROM frames WHERE seq <= ? AND to_ms >= ?", (extent.seq, extent.before_hour * HOUR_MS)
    ).fetchone()
    if extent.floor != (extent.seq if first is None else first - 1):
        yield Unsound(month.path.name, "the frame up to which all is sealed is not what the journal says", True)


def _channels(journal: sqlite3.Connection, month: Month) -> Iterator[Unsound]:
    """Compare what is known of the channels here and there; a unit never changes."""
    known = read_channels(journal)
    for name, (number, info) in read_channels(month.db).items():
        found = known.get(name)
        if found is None or (found[0], found[1].unit, found[1].simulated) != (number, info.unit, info.simulated):
            yield Unsound(f"{month.path.name}, channel {name!r}", "is described otherwise in the journal", True)


def _roll_ups(months: list[Month]) -> Iterator[Unsound]:
    """Roll up every day anew from the chunks known when it was written, and compare."""
    chunks: dict[tuple[int, int], dict[int, list[Points]]] = {}
    for month in months:
        touched: set[tuple[int, int]] = set()
        for row in month.all_chunk_rows():
            key = Key.of(row.number)
            day = key.channel, key.hour // DAY_HOURS
            touched.add(day)
            with suppress(Unreadable):  # named by the check of chunks
                chunks.setdefault(day, {}).setdefault(key.hour, []).append(month.opened(row))
        stored = dict(month.all_days())
        for one in sorted(touched | stored.keys()):
            if one not in touched or stored.get(one) != rollup.pack(_day(chunks.get(one, {}))):
                channel, number = one
                detail = f"the roll-up of channel {channel}, day {number} is not of its readings"
                yield Unsound(month.path.name, detail, True)


def _day(hours: dict[int, list[Points]]) -> rollup.Minutes:
    minutes = rollup.no_minutes()
    for hour, parts in hours.items():
        points = join(parts)
        kept = points.at(settle(points))
        shown = kept.at(is_shown(kept.source_ms))
        first = hour % DAY_HOURS * _HOUR_MINUTES
        rolled = rollup.roll_up(shown, shown.source_ms % HOUR_MS // MINUTE_MS, _HOUR_MINUTES)
        for column, new in zip(minutes.columns(), rolled.columns(), strict=True):
            column[first : first + _HOUR_MINUTES] = new
    return minutes
