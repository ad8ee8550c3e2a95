"""Readings as CSV, out and back, and the check of a whole file."""

from __future__ import annotations

import csv
import math
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, TextIO

from cultureops.clock import Instant, iso, parse_iso
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.errors import ConfigError, StorageError, Unreadable
from cultureops.telemetry import frame
from cultureops.telemetry.file import open_reader, read_channels
from cultureops.telemetry.points import FRAMES_BETWEEN
from cultureops.telemetry.store import ChannelInfo

__all__ = ["COLUMNS", "check", "export_csv", "read_csv"]

COLUMNS: Final = ("time_utc", "channel", "value", "unit", "quality", "reason", "received_utc")


def export_csv(path: Path, out: TextIO, channels: Sequence[ChannelId] | None, start: Instant, end: Instant) -> int:
    """Write the readings with ``start <= source time < end`` in order of arrival; return how many.

    Works beside a writer. Raises StorageError for a channel nobody declared, Unreadable for a damaged file.
    """
    db = open_reader(path)
    try:
        described = read_channels(db)
        if unknown := [name for name in channels or () if name not in described]:
            raise StorageError(f"{path}: there is no channel {unknown[0]!r}; known: {', '.join(described) or 'none'}")
        wanted = {described[name][0] for name in channels} if channels is not None else None
        names = {number: (name, info.unit) for name, (number, info) in described.items()}
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        count = 0
        for row in _rows(db, wanted, start, end, names):
            writer.writerow(row)
            count += 1
        return count
    except sqlite3.Error as error:
        raise Unreadable(f"{path}: can't be read: {error}") from None
    finally:
        db.close()


def _rows(
    db: sqlite3.Connection,
    wanted: set[int] | None,
    start: Instant,
    end: Instant,
    names: Mapping[int, tuple[ChannelId, str]],
) -> Iterator[tuple[object, ...]]:
    stored = db.execute(FRAMES_BETWEEN, (start, end))
    for (payload,) in stored:
        columns = frame.decode(payload)
        for number, source, received, value, quality, reason in zip(
            columns.channel.tolist(),
            columns.source_ms.tolist(),
            columns.received_ms.tolist(),
            columns.value.tolist(),
            columns.quality.tolist(),
            columns.reason.tolist(),
            strict=True,
        ):
            if start <= source < end and (wanted is None or number in wanted):
                name, unit = names[number]
                shown = "" if value != value else repr(value)
                yield iso(source), name, shown, unit, Quality(quality).name, Reason(reason).name, iso(received)


def read_csv(source: TextIO, file: str) -> tuple[dict[ChannelId, ChannelInfo], list[Reading]]:
    """Read what ``export_csv`` wrote; raise ConfigError naming the first line that is not as it should be."""
    infos: dict[ChannelId, ChannelInfo] = {}
    readings: list[Reading] = []
    rows = csv.reader(source)
    try:
        if tuple(next(rows, ())) != COLUMNS:
            raise ConfigError(f"{file}:1: expected the columns {','.join(COLUMNS)}")
        for row in rows:
            try:
                reading, unit = _reading(row)
            except (ValueError, KeyError, ConfigError) as error:
                raise ConfigError(f"{file}:{rows.line_num}: {error}; nothing was imported") from None
            if (known := infos.setdefault(reading.channel, ChannelInfo(unit))).unit != unit:
                raise ConfigError(
                    f"{file}:{rows.line_num}: {reading.channel} is in {unit!r} here and in {known.unit!r} above; "
                    "nothing was imported"
                )
            readings.append(reading)
    except csv.Error as error:
        raise ConfigError(f"{file}:{rows.line_num}: not CSV: {error}; nothing was imported") from None
    return infos, readings


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
