"""Readings as CSV or Parquet, out and back, and the check of a whole folder."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final, TextIO, TypeAlias
from zoneinfo import ZoneInfo

from cultureops.clock import HOUR_MS, Instant, iso, parse_iso
from cultureops.csv_text import CsvWriter, read_csv
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.errors import ConfigError, StorageError, Unreadable
from cultureops.telemetry import frame
from cultureops.telemetry.local_time import is_offset, offset_text, utc_offsets_min
from cultureops.telemetry.month import END_MS, FIRST_MS, Pass
from cultureops.telemetry.parquet import FORMAT, ParquetFile, ParquetWriter, Row
from cultureops.telemetry.points import Points, as_readings, is_shown
from cultureops.telemetry.reader import Reader
from cultureops.telemetry.store import ChannelInfo, TelemetryStore

__all__ = [
    "COLUMNS", "PARQUET", "UTC", "Checked", "Stretch", "check", "export_csv", "import_readings", "kept_readings",
    "write_csv", "write_parquet",
]  # fmt: skip

Stretch: TypeAlias = tuple[ChannelId, ChannelInfo, Points]
"""Readings of one channel, by source time and then arrival."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A folder that is whole: frames ever written, readings in them, chunks, readings in those, and passes."""

    frames: int
    readings: int
    chunks: int
    sealed_readings: int
    passes: tuple[Pass, ...]


COLUMNS: Final = (
    "time_utc", "channel", "value", "unit", "quality", "reason", "received_utc", "source", "standing", "utc_offset"
)  # fmt: skip
FIRST_COLUMNS: Final = COLUMNS[:-1]
"""What exports had before the offset was added; they are still read."""
PARQUET: Final = ".parquet"
UTC: Final = ZoneInfo("UTC")
READINGS_A_FRAME: Final = 2_000
STRETCH_H: Final = 24 * 7


def export_csv(
    folder: Path,
    out: TextIO,
    channels: Sequence[ChannelId] | None,
    start: Instant,
    end: Instant,
    zone: ZoneInfo = UTC,
) -> int:
    """Write the readings with ``start <= source time < end`` by channel and time; return how many.

    Works beside a writer. Raises StorageError for a channel nobody declared, Unreadable for damaged files.
    """
    return write_csv(kept_readings(folder, channels, start, end), out, zone)


def write_csv(readings: Iterable[Stretch], out: TextIO, zone: ZoneInfo) -> int:
    """Write readings with the UTC offset in force in a zone; return how many.

    Of several readings of one instant all are written, in order of arrival; ``standing`` tells the last of them.
    """
    writer = CsvWriter(out, COLUMNS)
    count = 0
    for name, info, points in readings:
        shown, offsets = is_shown(points.source_ms).tolist(), utc_offsets_min(zone, points.source_ms).tolist()
        for reading, is_last, offset_min in zip(as_readings([name] * points.size, points), shown, offsets, strict=True):
            writer.write((*_row(reading, info, is_last), offset_text(offset_min)))
            count += 1
    return count


def write_parquet(readings: Iterable[Stretch], out: BinaryIO, zone: ZoneInfo) -> int:
    """Do as ``write_csv``, in Parquet; raises ConfigError when pyarrow is missing."""
    writer = ParquetWriter(out, zone)
    count = 0
    for name, info, points in readings:
        writer.write(name, info, points)
        count += points.size
    writer.close({"format": FORMAT, "readings": str(count), "zone": zone.key})
    return count


def kept_readings(
    folder: Path, channels: Sequence[ChannelId] | None, start: Instant, end: Instant
) -> Iterator[Stretch]:
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
) -> Iterator[Stretch]:
    try:
        for name, (number, info) in wanted.items():
            first = hours.start
            while first < hours.stop:
                after = min(first + STRETCH_H, hours.stop)
                with reader.view() as view:
                    points = view.points(number, max(start, first * HOUR_MS), min(end, after * HOUR_MS))
                    first = after if points.size else view.next_hour(number, range(after, hours.stop))
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


async def import_readings(
    store: TelemetryStore, source: Path, begin: Callable[[], Awaitable[object]] | None = None
) -> int:
    """Append what was exported or archived and return how many readings that were, all of them durable.

    The whole file is read before the first reading is kept, so a bad row keeps all out; ``begin`` is awaited in
    between. Raises ConfigError naming the
    first row that is not as it should be, StorageError when the store could not keep them all.
    """
    known = store.channels()
    infos = await asyncio.to_thread(_survey, source, known)
    if begin is not None:
        await begin()
    store.declare({name: info for name, info in infos.items() if name not in known})
    count = 0
    readings = (reading for reading, _, _ in _parsed(source))
    while part := await asyncio.to_thread(lambda: list(islice(readings, READINGS_A_FRAME))):
        await store.append(part)
        count += len(part)
    return count


def _survey(source: Path, known: Mapping[ChannelId, ChannelInfo]) -> dict[ChannelId, ChannelInfo]:
    infos = dict(known)
    for _ in _in_one_unit(_parsed(source), infos):
        pass
    return infos


def _parsed(source: Path) -> Iterator[tuple[Reading, str, ChannelInfo]]:
    """Yield each reading with its place in the file and what is said there of the channel."""
    return _from_parquet(source) if source.suffix.lower() == PARQUET else _from_csv(source)


def _from_parquet(source: Path) -> Iterator[tuple[Reading, str, ChannelInfo]]:
    try:
        with ParquetFile(source, str(source)) as file:
            for number, row in enumerate(file.each_row(), 1):
                place = f"{source}: row {number}"
                try:
                    reading, info = _checked(row)
                except ValueError as error:
                    raise ConfigError(f"{place}: {error}") from None
                yield reading, place, info
    except (ConfigError, Unreadable) as error:
        raise ConfigError(f"{error}; nothing was imported") from None


@contextmanager
def _opened(source: Path) -> Iterator[TextIO]:
    try:
        with source.open(encoding="utf-8", newline="") as file:
            yield file
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{source}: can't be read: {error}") from None


def _from_csv(source: Path) -> Iterator[tuple[Reading, str, ChannelInfo]]:
    with _opened(source) as file:
        rows = _unless_broken(read_csv(file, str(source)))
        head = tuple(next(rows, (1, []))[1])
        if head not in (COLUMNS, FIRST_COLUMNS):
            raise ConfigError(f"{source}:1: expected the columns {','.join(COLUMNS)}")
        for line, fields in rows:
            place = f"{source}:{line}"
            try:
                reading, info = _checked(_typed(fields, len(head)))
            except (ValueError, OverflowError, ConfigError) as error:
                raise ConfigError(f"{place}: {error}; nothing was imported") from None
            yield reading, place, info


def _unless_broken(rows: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
    try:
        yield from rows
    except ConfigError as error:
        raise ConfigError(f"{error}; nothing was imported") from None


def _typed(fields: Sequence[str], expected: int) -> Row:
    if len(fields) != expected:
        raise ValueError(f"expected {expected} fields, not {len(fields)}")
    time_utc, channel, value, unit, quality, reason, received_utc, source, standing = fields[: len(FIRST_COLUMNS)]
    if source not in ("", "simulated") or standing not in ("", "superseded"):
        raise ValueError(f"{source!r} and {standing!r}: these columns are simulated or empty, superseded or empty")
    for offset in fields[len(FIRST_COLUMNS) :]:
        if not is_offset(offset):
            raise ValueError(f"{offset!r} is no UTC offset; write e.g. +01:00")
    return Row(
        parse_iso(time_utc), channel, None if value == "" else float(value), unit, quality, reason,
        parse_iso(received_utc), source == "simulated", standing == "superseded", 0,
    )  # fmt: skip


def _checked(row: Row) -> tuple[Reading, ChannelInfo]:
    """Make a reading of a row; the row's standing and offset follow from other facts and are not kept."""
    device, slash, name = row.channel.partition("/")
    if not (device and slash and name):
        raise ValueError(f"{row.channel!r} is no channel; write e.g. incubator_1/co2")
    if row.quality not in Quality.__members__ or row.reason not in Reason.__members__:
        raise ValueError(f"{row.quality!r} with reason {row.reason!r} is no quality and reason that are known here")
    if row.value is not None and not math.isfinite(row.value):
        raise ValueError(f"{str(row.value)!r} is not a finite number")
    for at in (row.time_utc, row.received_utc):
        if not FIRST_MS <= at < END_MS:
            raise ValueError(f"{at} ms is no time of the years 1 to 9999")
    reading = Reading(
        row.channel, row.value, Quality[row.quality], Reason[row.reason], row.time_utc, row.received_utc
    )  # fmt: skip
    return reading, ChannelInfo(row.unit, simulated=row.simulated)


def _in_one_unit(
    rows: Iterable[tuple[Reading, str, ChannelInfo]], infos: dict[ChannelId, ChannelInfo]
) -> Iterator[Reading]:
    """Pass readings on and add their channels to ``infos``; raise ConfigError when unit or source change."""
    for reading, place, info in rows:
        known = infos.setdefault(reading.channel, info)
        if known.unit != info.unit:
            raise ConfigError(
                f"{place}: {reading.channel} is in {info.unit!r} here and was in {known.unit!r} before; "
                "nothing was imported"
            )
        if known.simulated != info.simulated:
            raise ConfigError(
                f"{place}: {reading.channel} is simulated in one place and real in the other; nothing was imported"
            )
        yield reading


def check(folder: Path, months: Collection[str] | None = None) -> Checked:
    """Read every frame and chunk and compare it with its checksum; ``months`` names the only files to read chunks of;
    which chunks each pass wrote is told of all.

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
            wanted = [month for month in view.months if months is None or month.path.name in months]
            chunks = [month.opened(row).size for month in wanted for row in month.all_chunk_rows()]
            passes = tuple(one for month in view.months for one in month.passes(0))
            return Checked(expected, total, len(chunks), sum(chunks), passes)
    except Unreadable as error:
        raise Unreadable(f"{folder}: {error}") from None
    finally:
        reader.close()
