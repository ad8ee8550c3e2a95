"""Readings as CSV, out and back, and the check of a whole file."""

from __future__ import annotations

import asyncio
import csv
import math
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Final, TextIO

import numpy as np

from cultureops.clock import Instant, iso, parse_iso
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.errors import ConfigError, StorageError, Unreadable
from cultureops.telemetry import frame
from cultureops.telemetry.file import open_reader, read_channels
from cultureops.telemetry.points import read_frames
from cultureops.telemetry.store import ChannelInfo, TelemetryStore

__all__ = ["COLUMNS", "check", "export_csv", "import_csv"]

COLUMNS: Final = ("time_utc", "channel", "value", "unit", "quality", "reason", "received_utc")
READINGS_A_FRAME: Final = 2_000


def export_csv(path: Path, out: TextIO, channels: Sequence[ChannelId] | None, start: Instant, end: Instant) -> int:
    """Write the readings with ``start <= source time < end`` in order of arrival; return how many.

    Works beside a writer. Raises StorageError for a channel nobody declared, Unreadable for a damaged file.
    """
    db = open_reader(path)
    try:
        described = read_channels(db)
        if unknown := [name for name in channels or () if name not in described]:
            raise StorageError(f"{path}: there is no channel {unknown[0]!r}; known: {', '.join(described) or 'none'}")
        wanted = [described[name][0] for name in channels] if channels is not None else None
        names = {number: name for name, (number, _) in described.items()}
        units = {name: info.unit for name, (_, info) in described.items()}
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        count = 0
        for columns in read_frames(db, start, end):
            is_wanted = (columns.source_ms >= start) & (columns.source_ms < end)
            if wanted is not None:
                is_wanted &= np.isin(columns.channel, wanted)
            for reading in columns.at(is_wanted).readings(names):
                writer.writerow(_row(reading, units[reading.channel]))
                count += 1
        return count
    except Unreadable as error:
        raise Unreadable(f"{path}: {error}") from None
    except sqlite3.Error as error:
        raise Unreadable(f"{path}: can't be read: {error}") from None
    finally:
        db.close()


def _row(reading: Reading, unit: str) -> tuple[str, ...]:
    return (
        iso(reading.source_time),
        reading.channel,
        "" if reading.value is None else repr(reading.value),
        unit,
        reading.quality.name,
        reading.reason.name,
        iso(reading.received_time),
    )


async def import_csv(store: TelemetryStore, source: Path) -> int:
    """Append what ``export_csv`` wrote and return how many readings that were, all of them durable.

    The whole file is read before the first reading is kept, so a bad row keeps all out. Raises ConfigError naming the
    first line that is not as it should be, StorageError when the store could not keep them all.
    """
    known = store.channels()
    infos = await asyncio.to_thread(_survey, source, known)
    store.declare({name: info for name, info in infos.items() if name not in known})
    count = 0
    with _opened(source) as file:
        readings = (reading for reading, _ in _parsed(file, str(source)))
        while part := await asyncio.to_thread(lambda: list(islice(readings, READINGS_A_FRAME))):
            await store.append(part)
            count += len(part)
    return count


def _survey(source: Path, known: Mapping[ChannelId, ChannelInfo]) -> dict[ChannelId, ChannelInfo]:
    infos = dict(known)
    with _opened(source) as file:
        for _ in _in_one_unit(_parsed(file, str(source)), infos, str(source)):
            pass
    return infos


@contextmanager
def _opened(source: Path) -> Iterator[TextIO]:
    try:
        with source.open(encoding="utf-8", newline="") as file:
            yield file
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{source}: can't be read: {error}") from None


def _parsed(source: TextIO, file: str) -> Iterator[tuple[Reading, tuple[int, str]]]:
    """Yield each reading with its line and unit."""
    rows = csv.reader(source, strict=True)
    try:
        if tuple(next(rows, ())) != COLUMNS:
            raise ConfigError(f"{file}:1: expected the columns {','.join(COLUMNS)}")
        for row in rows:
            try:
                reading, unit = _reading(row)
            except (ValueError, OverflowError, ConfigError) as error:
                raise ConfigError(f"{file}:{rows.line_num}: {error}; nothing was imported") from None
            yield reading, (rows.line_num, unit)
    except csv.Error as error:
        raise ConfigError(f"{file}:{rows.line_num}: not CSV: {error}; nothing was imported") from None


def _in_one_unit(
    rows: Iterable[tuple[Reading, tuple[int, str]]], infos: dict[ChannelId, ChannelInfo], file: str
) -> Iterator[Reading]:
    """Pass readings on and add their channels to ``infos``; raise ConfigError when a channel's unit changes."""
    for reading, (line, unit) in rows:
        if (known := infos.setdefault(reading.channel, ChannelInfo(unit))).unit != unit:
            raise ConfigError(
                f"{file}:{line}: {reading.channel} is in {unit!r} here and was in {known.unit!r} before; "
                "nothing was imported"
            )
        yield reading


def _reading(row: Sequence[str]) -> tuple[Reading, str]:
    if len(row) != len(COLUMNS):
        raise ValueError(f"expected {len(COLUMNS)} fields, not {len(row)}")
    time_utc, channel, value, unit, quality, reason, received_utc = row
    device, slash, name = channel.partition("/")
    if not (device and slash and name):
        raise ValueError(f"{channel!r} is no channel; write e.g. incubator_1/co2")
    if quality not in Quality.__members__ or reason not in Reason.__members__:
        raise ValueError(f"{quality!r} with reason {reason!r} is no quality and reason that are known here")
    number = None if value == "" else float(value)
    if number is not None and not math.isfinite(number):
        raise ValueError(f"{value!r} is not a finite number")
    reading = Reading(channel, number, Quality[quality], Reason[reason], parse_iso(time_utc), parse_iso(received_utc))
    return reading, unit


def check(path: Path) -> tuple[int, int]:
    """Follow every frame by number and checksum; return how many frames and readings there are.

    Raises Unreadable for what can't be read, StorageError for a frame that is missing; both name the frame.
    """
    db = open_reader(path)
    try:
        expected, readings = 1, 0
        for seq, count, payload in db.execute("SELECT seq, readings, payload FROM frames ORDER BY seq"):
            if seq != expected:
                raise StorageError(f"{path}: frame {expected} is missing, {seq} comes next; restore from a backup")
            try:
                found = frame.decode(payload).channel.size
            except Unreadable as error:
                raise Unreadable(f"{path}: frame {seq}: {error}; restore from a backup") from None
            if found != count:
                raise Unreadable(
                    f"{path}: frame {seq} holds {found} readings, {count} are noted; restore from a backup"
                )
            expected, readings = seq + 1, readings + count
        return expected - 1, readings
    except sqlite3.Error as error:
        raise Unreadable(f"{path}: can't be read: {error}; restore from a backup") from None
    finally:
        db.close()
