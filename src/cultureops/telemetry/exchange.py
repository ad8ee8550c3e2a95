"""Readings as CSV, out and back, and the check of a whole file."""

from __future__ import annotations

import asyncio
import csv
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, TextIO

from cultureops.clock import HOUR_MS, Instant, iso, parse_iso
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.errors import ConfigError, StorageError, Unreadable
from cultureops.telemetry import frame
from cultureops.telemetry.month import Pass
from cultureops.telemetry.points import Points, as_readings, is_shown
from cultureops.telemetry.reader import Reader
from cultureops.telemetry.store import ChannelInfo, TelemetryStore

__all__ = ["COLUMNS", "Checked", "check", "export_csv", "import_csv", "kept_readings"]


@dataclass(frozen=True, slots=True)
class Checked:
    """A folder that is whole: frames ever written, readings in them, chunks, readings in those, and passes."""

    frames: int
    readings: int
    chunks: int
    sealed_readings: int
    passes: tuple[Pass, ...]


COLUMNS: Final = (
    "time_utc", "channel", "value", "unit", "quality", "reason", "received_utc", "source", "standing"
)  # fmt: skip
READINGS_A_FRAME: Final = 2_000
STRETCH_H: Final = 24 * 7


def export_csv(folder: Path, out: TextIO, channels: Sequence[ChannelId] | None, start: Instant, end: Instant) -> int:
    """Write the readings with ``start <= source time < end`` by channel and time; return how many.

    Of several readings of one instant all are written, in order of arrival; ``shown`` tells the last of them. Works
    beside a writer. Raises StorageError for a channel nobody declared, Unreadable for damaged files.
    """
    kept = kept_readings(folder, channels, start, end)
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    count = 0
    for name, info, points in kept:
        shown = is_shown(points.source_ms).tolist()
        for reading, is_last in zip(as_readings([name] * points.size, points), shown, strict=True):
            writer.writerow(_row(reading, info, is_last))
            count += 1
    return count


def kept_readings(
    folder: Path, channels: Sequence[ChannelId] | None, start: Instant, end: Instant
) -> Iterator[tuple[ChannelId, ChannelInfo, Points]]:
    """Return what is kept of each channel, some hours at a time, by source time and then arrival.

    Raises StorageError for a channel nobody declared, Unreadable for damaged files.
    """
    reader = Reader(folder)
    with reader.view() as view:
        described, hours = view.channels(), view.hours()
    if unknown := [name for name in channels or () if name not in described]:
        reader.close()
        known = ", ".join(described) or "none"
        raise StorageError(f"{folder}: there is no channel {unknown[0]!r}; known: {known}")
    wanted = described if channels is None else {name: described[name] for name in channels}
    span = range(max(start // HOUR_MS, hours.start), min(-(-end // HOUR_MS), hours.stop))
    return _stretches(reader, wanted, span, start, end)


def _stretches(
    reader: Reader, wanted: Mapping[ChannelId, tuple[int, ChannelInfo]], hours: range, start: Instant, end: Instant
) -> Iterator[tuple[ChannelId, ChannelInfo, Points]]:
    try:
        for name, (number, info) in wanted.items():
            for first in hours[::STRETCH_H]:
                from_ms, to_ms = max(start, first * HOUR_MS), min(end, (first + STRETCH_H) * HOUR_MS)
                with reader.view() as view:
                    points = view.points(number, from_ms, to_ms)
                if points.size:
                    yield name, info, points
    finally:
        reader.close()


def _row(reading: Reading, info: ChannelInfo, is_shown: bool) -> tuple[str, ...]:
    return (
        iso(reading.source_time),
        reading.channel,
        "" if reading.value is None else repr(reading.value),
        info.unit,
        reading.quality.name,
        reading.reason.name,
        iso(reading.received_time),
        "simulated" if info.simulated else "",
        "" if is_shown else "superseded",
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
        readings = (reading for reading, _, _ in _parsed(file, str(source)))
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


def _parsed(source: TextIO, file: str) -> Iterator[tuple[Reading, int, ChannelInfo]]:
    """Yield each reading with its line and what the line says of the channel."""
    rows = csv.reader(source, strict=True)
    try:
        if tuple(next(rows, ())) != COLUMNS:
            raise ConfigError(f"{file}:1: expected the columns {','.join(COLUMNS)}")
        for row in rows:
            try:
                reading, info = _reading(row)
            except (ValueError, OverflowError, ConfigError) as error:
                raise ConfigError(f"{file}:{rows.line_num}: {error}; nothing was imported") from None
            yield reading, rows.line_num, info
    except csv.Error as error:
        raise ConfigError(f"{file}:{rows.line_num}: not CSV: {error}; nothing was imported") from None


def _in_one_unit(
    rows: Iterable[tuple[Reading, int, ChannelInfo]], infos: dict[ChannelId, ChannelInfo], file: str
) -> Iterator[Reading]:
    """Pass readings on and add their channels to ``infos``; raise ConfigError when unit or source change."""
    for reading, line, info in rows:
        known = infos.setdefault(reading.channel, info)
        if known.unit != info.unit:
            raise ConfigError(
                f"{file}:{line}: {reading.channel} is in {info.unit!r} here and was in {known.unit!r} before; "
                "nothing was imported"
            )
        if known.simulated != info.simulated:
            raise ConfigError(
                f"{file}:{line}: {reading.channel} is simulated in one place and real in the other; "
                "nothing was imported"
            )
        yield reading


def _reading(row: Sequence[str]) -> tuple[Reading, ChannelInfo]:
    if len(row) != len(COLUMNS):
        raise ValueError(f"expected {len(COLUMNS)} fields, not {len(row)}")
    time_utc, channel, value, unit, quality, reason, received_utc, source, standing = row
    device, slash, name = channel.partition("/")
    if not (device and slash and name):
        raise ValueError(f"{channel!r} is no channel; write e.g. incubator_1/co2")
    if quality not in Quality.__members__ or reason not in Reason.__members__:
        raise ValueError(f"{quality!r} with reason {reason!r} is no quality and reason that are known here")
    if source not in ("", "simulated") or standing not in ("", "superseded"):
        raise ValueError(f"{source!r} and {standing!r}: the last columns are simulated or empty, superseded or empty")
    number = None if value == "" else float(value)
    if number is not None and not math.isfinite(number):
        raise ValueError(f"{value!r} is not a finite number")
    reading = Reading(channel, number, Quality[quality], Reason[reason], parse_iso(time_utc), parse_iso(received_utc))
    return reading, ChannelInfo(unit, simulated=source == "simulated")


def check(folder: Path) -> Checked:
    """Read every frame and chunk and compare it with its checksum.

    Raises Unreadable for what can't be read, StorageError for a frame that is missing; both name it.
    """
    reader = Reader(folder)
    try:
        with reader.view() as view:
            expected, total = view.journal.execute("SELECT seq, total FROM dropped").fetchone()
            for seq, noted, payload in view.journal.execute("SELECT seq, total, payload FROM frames ORDER BY seq"):
                expected += 1
                if seq != expected:
                    raise StorageError(f"{folder}: frame {expected} is missing, {seq} comes next; restore it")
                total += frame.decode([(seq, payload)]).frame.size
                if total != noted:
                    raise Unreadable(f"{folder}: frame {seq}: {total} readings up to it, {noted} noted; restore it")
            chunks = [month.opened(row).size for month in view.months for row in month.all_chunk_rows()]
            passes = tuple(one for month in view.months for one in month.passes(0))
            return Checked(expected, total, len(chunks), sum(chunks), passes)
    except Unreadable as error:
        raise Unreadable(f"{folder}: {error}") from None
    finally:
        reader.close()
