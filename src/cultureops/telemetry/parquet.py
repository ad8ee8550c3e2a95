"""Readings in Parquet: one layout for exports and archives, and the only module that knows pyarrow.

The layout is described in docs/reference/parquet.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple, Self
from zoneinfo import ZoneInfo

import numpy as np

from cultureops.clock import Instant
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Quality, Reason
from cultureops.errors import ConfigError, Unreadable
from cultureops.telemetry.local_time import utc_offsets_min
from cultureops.telemetry.points import Points, is_shown, join
from cultureops.telemetry.store import ChannelInfo

__all__ = ["FORMAT", "NOTES", "ParquetFile", "ParquetWriter", "Row", "RowGroup"]

FORMAT: Final = "1"
NOTES: Final = "cultureops."
"""What the file says of itself as a whole lies under keys that begin so."""
ROWS_A_GROUP: Final = 65_536
ROWS_A_BATCH: Final = 16_384
_COMPRESSION: Final = "zstd"
_POINTS: Final = ("time_utc", "received_utc", "value", "quality", "reason")
_LABELS: Final = ("unit", "simulated", "superseded")
_ENCODINGS: Final = {"time_utc": "DELTA_BINARY_PACKED", "received_utc": "DELTA_BINARY_PACKED"}
_REPEATED: Final = ("channel", "value", "unit", "quality", "reason", "utc_offset_min")


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Readings of one channel that lie together; ``last_ms`` is the last one's source time [ms UTC].

    ``received_ms`` is the latest time at which one was received, ``bad`` how many have no value.
    """

    number: int
    channel: ChannelId
    first_ms: Instant
    last_ms: Instant
    received_ms: Instant
    rows: int
    bad: int


class Row(NamedTuple):
    """One row as it lies in the file, with the columns' own types; ``None`` where there is nothing."""

    time_utc: Instant
    channel: str
    value: float | None
    unit: str
    quality: str
    reason: str
    received_utc: Instant
    simulated: bool
    superseded: bool
    utc_offset_min: int


@cache
def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ConfigError("Parquet files need pyarrow; pip install 'cultureops[parquet]'") from None
    return pyarrow


@cache
def _schema() -> Any:
    pa = _pyarrow()
    time, text = pa.timestamp("ms", tz="UTC"), pa.dictionary(pa.int32(), pa.string())
    types = {
        "time_utc": time,
        "channel": text,
        "value": pa.float64(),
        "unit": text,
        "quality": text,
        "reason": text,
        "received_utc": time,
        "simulated": pa.bool_(),
        "superseded": pa.bool_(),
        "utc_offset_min": pa.int16(),
    }
    return pa.schema([pa.field(name, kind, nullable=name == "value") for name, kind in types.items()])


class ParquetWriter:
    """Writes readings of one channel after the other; nothing but the row group that grows is kept in memory.

    Raises ConfigError when pyarrow is missing.
    """

    def __init__(self, out: BinaryIO, zone: ZoneInfo) -> None:
        pa = _pyarrow()
        self._zone = zone
        self._writer = pa.parquet.ParquetWriter(
            out, _schema(), compression=_COMPRESSION, use_dictionary=list(_REPEATED), column_encoding=_ENCODINGS,
            write_page_index=True, write_page_checksum=True,
            sorting_columns=pa.parquet.SortingColumn.from_ordering(
                _schema(), [("channel", "ascending"), ("time_utc", "ascending")]
            ),
        )  # fmt: skip
        self._channel: ChannelId = ""
        self._info = ChannelInfo("")
        self._waiting: list[Points] = []
        self._rows = 0

    def write(self, channel: ChannelId, info: ChannelInfo, points: Points) -> None:
        """Write readings, sorted by source time and then arrival, that follow on those written of the channel."""
        if channel != self._channel:
            self._flush(everything=True)
            self._channel, self._info = channel, info
        self._waiting.append(points)
        self._rows += points.size
        if self._rows > ROWS_A_GROUP:
            self._flush(everything=False)

    def close(self, notes: Mapping[str, str]) -> None:
        """Write what is left, what the file says of itself, and the footer."""
        self._flush(everything=True)
        self._writer.add_key_value_metadata({NOTES + key: value for key, value in notes.items()})
        self._writer.close()

    def _flush(self, *, everything: bool) -> None:
        points, begin = join(self._waiting), 0
        while (left := points.size - begin) and (everything or left > ROWS_A_GROUP):
            end = _end_of_group(points.source_ms[begin:]) + begin
            if end == points.size and not everything:
                break
            self._write_group(points.at(slice(begin, end)))
            begin = end
        self._waiting = [points.at(slice(begin, None))]
        self._rows = points.size - begin

    def _write_group(self, points: Points) -> None:
        pa = _pyarrow()
        columns = [
            _times(points.source_ms),
            _same(self._channel, points.size),
            pa.array(points.value, mask=points.bad),
            _same(self._info.unit, points.size),
            _names(points.quality, Quality),
            _names(points.reason, Reason),
            _times(points.received_ms),
            pa.array(np.full(points.size, self._info.simulated)),
            pa.array(~is_shown(points.source_ms)),
            pa.array(utc_offsets_min(self._zone, points.source_ms)),
        ]
        self._writer.write_table(pa.Table.from_arrays(columns, schema=_schema()), row_group_size=points.size)


def _end_of_group(source_ms: np.ndarray) -> int:
    """Return how many readings make the next row group: readings of one instant are never parted."""
    if source_ms.size <= ROWS_A_GROUP:
        return source_ms.size
    cut = int(np.searchsorted(source_ms, source_ms[ROWS_A_GROUP], side="left"))
    return cut or int(np.searchsorted(source_ms, source_ms[0], side="right"))


def _times(times_ms: np.ndarray) -> Any:
    return _pyarrow().array(times_ms, _schema().field("time_utc").type)


def _same(text: str, count: int) -> Any:
    return _pyarrow().DictionaryArray.from_arrays(np.zeros(count, np.int32), [text])


def _names(codes: np.ndarray, kind: type[Quality] | type[Reason]) -> Any:
    known = np.array(sorted(kind), np.uint8)
    places = np.minimum(np.searchsorted(known, codes), known.size - 1)
    if not np.array_equal(known[places], codes):
        unknown = next(code for code in codes.tolist() if code not in known)
        raise Unreadable(f"{kind.__name__.lower()} {unknown} was stored by a newer cultureops; update this one first")
    return _pyarrow().DictionaryArray.from_arrays(places.astype(np.int32), [one.name for one in sorted(kind)])


class ParquetFile:
    """A file of this layout, open for reading; ``notes`` are what it says of itself, without their prefix.

    Raises ConfigError when pyarrow is missing or the columns are others, Unreadable for what is no Parquet file or is
    damaged.
    """

    def __init__(self, source: Path | BinaryIO, name: str) -> None:
        self.name = name
        pa = _pyarrow()
        with self._readable():
            self._file = pa.parquet.ParquetFile(source, page_checksum_verification=True)
            metadata = self._file.metadata
        self._check_schema(self._file.schema_arrow)
        self.rows: int = metadata.num_rows
        self.notes: dict[str, str] = {
            key.decode(errors="replace").removeprefix(NOTES): value.decode(errors="replace")
            for key, value in (metadata.metadata or {}).items()
            if key.startswith(NOTES.encode())
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file, unless it was handed over open."""
        self._file.close()

    def _check_schema(self, found: Any) -> None:
        expected = _schema()
        if found.names != expected.names:
            raise ConfigError(
                f"{self.name}: expected the columns {','.join(expected.names)}, not {','.join(found.names)}; "
                "give a file that cultureops wrote"
            )
        for field in expected:
            kind = found.field(field.name).type
            if kind != field.type and not (_is_text(field.type) and _is_text(kind)):
                said = "text" if _is_text(field.type) else field.type
                raise ConfigError(f"{self.name}: the column {field.name} is {kind}, expected {said}")

    @contextmanager
    def _readable(self) -> Iterator[None]:
        pa = _pyarrow()
        try:
            yield
        except FileNotFoundError:
            raise Unreadable(f"{self.name}: no such file") from None
        except (pa.ArrowException, OSError) as error:
            said = " ".join(str(error).split()).rstrip(".")
            raise Unreadable(f"{self.name}: is no Parquet file, or was cut short or damaged: {said}") from None

    def row_groups(self) -> tuple[RowGroup, ...]:
        """Return what the footer says of the row groups; raise Unreadable where one is not of one channel, in order."""
        found: list[RowGroup] = []
        names = _schema().names
        time, channel, value, received = (names.index(n) for n in ("time_utc", "channel", "value", "received_utc"))
        for number in range(self._file.metadata.num_row_groups):
            group = self._file.metadata.row_group(number)
            stats = [group.column(at).statistics for at in (time, channel, value, received)]
            times, channels, values, receipts = stats
            if any(one is None or not one.has_min_max for one in (times, channels, receipts)) or values is None:
                raise self._damaged(number, "has no statistics")
            if channels.min_raw != channels.max_raw:
                raise self._damaged(number, "holds more than one channel")
            found.append(
                RowGroup(
                    number, channels.min_raw.decode(), times.min_raw, times.max_raw, receipts.max_raw, group.num_rows,
                    values.null_count,
                )
            )  # fmt: skip
        for before, after in pairwise(found):
            if after.channel == before.channel and after.first_ms <= before.last_ms:
                raise self._damaged(after.number, "is not later than the one before")
        return tuple(found)

    def points(self, group: RowGroup) -> Points:
        """Return a row group's readings; raise Unreadable for what is damaged or can't be."""
        with self._readable():
            table = self._file.read_row_group(group.number, columns=list(_POINTS))
            columns = {name: table.column(name).combine_chunks() for name in _POINTS}
        if any(columns[name].null_count for name in _POINTS if name != "value"):
            raise self._damaged(group.number, "has empty fields")
        value = columns["value"].to_numpy(zero_copy_only=False)
        points = Points(
            self._times(columns["time_utc"]), self._times(columns["received_utc"]), value,
            self._codes(columns["quality"], Quality, group), self._codes(columns["reason"], Reason, group),
        )  # fmt: skip
        if (points.source_ms[1:] < points.source_ms[:-1]).any():
            raise self._damaged(group.number, "is not in order of time")
        is_null = np.asarray(columns["value"].is_null())
        if (is_null != points.bad).any() or not np.isfinite(value[~is_null]).all():
            raise self._damaged(group.number, "has values that do not fit their quality")
        if (points.bad & (points.reason == Reason.NONE)).any():
            raise self._damaged(group.number, "has BAD readings without a reason")
        return points

    def is_labelled(self, group: RowGroup, info: ChannelInfo, points: Points) -> bool:
        """Say whether a row group's unit, simulated and superseded columns are those of its channel and readings."""
        with self._readable():
            table = self._file.read_row_group(group.number, columns=list(_LABELS))
            units, simulated, superseded = (table.column(name).combine_chunks() for name in _LABELS)
        return (
            units.unique().to_pylist() == [info.unit]
            and simulated.unique().to_pylist() == [info.simulated]
            and np.array_equal(superseded.to_numpy(zero_copy_only=False), ~is_shown(points.source_ms))
        )

    def each_row(self) -> Iterator[Row]:
        """Yield every row; raise Unreadable when the file is damaged, ConfigError for an empty field."""
        pa, at = _pyarrow(), 0
        with self._readable():
            batches = self._file.iter_batches(batch_size=ROWS_A_BATCH)
        while True:
            with self._readable():
                batch = next(batches, None)
            if batch is None:
                return
            for field, column in zip(_schema(), batch.columns, strict=True):
                if not field.nullable and column.null_count:
                    row = at + np.asarray(column.is_null()).argmax() + 1
                    raise ConfigError(f"{self.name}: row {row}: the field {field.name} is empty")
            columns = [c.cast(pa.int64()) if pa.types.is_timestamp(c.type) else c for c in batch.columns]
            yield from map(Row._make, zip(*(column.to_pylist() for column in columns), strict=True))
            at += batch.num_rows

    def _times(self, column: Any) -> np.ndarray:
        return np.asarray(column.cast(_pyarrow().int64()).to_numpy(zero_copy_only=False), np.int64)

    def _codes(self, column: Any, kind: type[Quality] | type[Reason], group: RowGroup) -> np.ndarray:
        if not _pyarrow().types.is_dictionary(column.type):
            column = column.dictionary_encode()
        names = column.dictionary.to_pylist()
        used = {names[at] for at in np.unique(column.indices.to_numpy()).tolist()}
        if unknown := sorted(str(name) for name in used if name not in kind.__members__):
            raise self._damaged(group.number, f"has the {kind.__name__.lower()} {unknown[0]!r}, which is unknown here")
        codes = np.array([kind[name] if name in used else 0 for name in names], np.uint8)
        return np.asarray(codes[column.indices.to_numpy()])

    def _damaged(self, number: int, what: str) -> Unreadable:
        return Unreadable(f"{self.name}: row group {number} {what}; take the file from a backup or write it again")


def _is_text(kind: Any) -> bool:
    types = _pyarrow().types
    if types.is_dictionary(kind):
        kind = kind.value_type
    return bool(types.is_string(kind) or types.is_large_string(kind))
