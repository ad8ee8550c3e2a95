"""One frame: the readings of one commit, packed column by column, with a checksum. Pure.

Layout, little-endian: version u8, wide u8, count u16, base i64 [ms], the zstd frame of the columns, and the CRC-32 of
everything before. Columns: channel u32, source time minus base (u32, or i64 when wide), received minus source time
(i32, or i64 when wide), value f64 (NaN where BAD), quality u8, reason u8.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from typing import Final, NamedTuple

import numpy as np

from cultureops.clock import Instant
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.errors import Unreadable
from cultureops.telemetry.integers import compress, decompress
from cultureops.telemetry.points import Points
from cultureops.telemetry.store import Integers

__all__ = ["MAX_READINGS", "Columns", "Rows", "decode", "encode", "last_of_each", "take_apart", "together"]

MAX_READINGS: Final = 65_535
_VERSION: Final = 2
_HEAD: Final = struct.Struct("<BBHq")
_CRC: Final = struct.Struct("<I")
_NAN: Final = float("nan")
_DTYPES: Final = {
    False: ("<u4", "<u4", "<i4", "<f8", "u1", "u1"),
    True: ("<u4", "<i8", "<i8", "<f8", "u1", "u1"),
}
_ROW_BYTES: Final = {wide: sum(np.dtype(dtype).itemsize for dtype in dtypes) for wide, dtypes in _DTYPES.items()}


@dataclass(frozen=True, slots=True)
class Columns:
    """Readings of many channels in order of arrival; ``frame`` numbers the frame each came with. One length."""

    frame: np.ndarray
    channel: np.ndarray
    points: Points

    def at(self, rows: np.ndarray) -> Columns:
        """Return only these rows, given by number or by mask."""
        return Columns(self.frame[rows], self.channel[rows], self.points.at(rows))


class Rows(NamedTuple):
    """Readings taken apart, a sequence for each column, of one length; and the first and last source time [ms UTC]."""

    channel: Sequence[int]
    value: Sequence[float | None]
    quality: Sequence[Quality]
    reason: Sequence[Reason]
    source_ms: Integers
    received_ms: Integers
    from_ms: Instant
    to_ms: Instant


def take_apart(readings: Sequence[Reading], index: Mapping[ChannelId, int]) -> tuple[Sequence[ChannelId], Rows]:
    """Return names and columns of one or more readings; ``index`` numbers the channels, KeyError where it does not."""
    names, values, qualities, reasons, sources, receipts = zip(*readings, strict=True)
    channels = list(map(index.__getitem__, names))
    source_ms, received_ms = (np.fromiter(instants, np.int64, len(readings)) for instants in (sources, receipts))
    from_ms, to_ms = int(source_ms.min()), int(source_ms.max())
    return names, Rows(channels, values, qualities, reasons, source_ms, received_ms, from_ms, to_ms)


def together(parts: Sequence[Rows]) -> Rows:
    """Return one or more parts as one, in their order."""
    if len(parts) == 1:
        return parts[0]
    *columns, from_ms, to_ms = zip(*parts, strict=True)
    channel, value, quality, reason = (list(chain.from_iterable(column)) for column in columns[:4])
    source_ms, received_ms = map(np.concatenate, columns[4:])
    return Rows(channel, value, quality, reason, source_ms, received_ms, min(from_ms), max(to_ms))


def encode(rows: Rows) -> bytes:
    """Pack 1 to 65,535 readings."""
    count, base = len(rows.channel), rows.from_ms
    delay = rows.received_ms - rows.source_ms
    wide = rows.to_ms - base >= 1 << 32 or not -(1 << 31) <= int(delay.min()) <= int(delay.max()) < 1 << 31
    values, quality = rows.value, bytes(rows.quality)
    if Quality.BAD in quality:
        values = [_NAN if value is None else value for value in values]
    columns = (
        struct.pack(f"<{count}I", *rows.channel),
        (rows.source_ms - base).astype("<i8" if wide else "<u4").tobytes(),
        delay.astype("<i8" if wide else "<i4").tobytes(),
        struct.pack(f"<{count}d", *values),
        quality,
        bytes(rows.reason),
    )
    packed = _HEAD.pack(_VERSION, wide, count, base) + compress(b"".join(columns))
    return packed + _CRC.pack(zlib.crc32(packed))


def decode(frames: Sequence[tuple[int, bytes]]) -> Columns:
    """Unpack (number, payload) pairs; raise Unreadable, naming the frame, when bytes are not as they were written."""
    opened = [(number, *_opened(number, payload)) for number, payload in frames]
    parts = [
        _decode_alike(list(alike), wide, count)
        for (wide, count), alike in groupby(opened, key=lambda frame: frame[1:3])
    ]
    if len(parts) == 1:
        return parts[0]
    none = np.empty(0, np.int64)
    columns = zip(*([(none, none, *_NO_POINTS)] if not parts else [_all(part) for part in parts]), strict=True)
    frame, channel, *rest = (np.concatenate(column) for column in columns)
    return Columns(frame, channel, Points(*rest))


def last_of_each(columns: Columns) -> dict[int, Points]:
    """Return each channel's last reading by arrival."""
    if not columns.channel.size:
        return {}
    row = np.full(int(columns.channel.max()) + 1, -1)
    row[columns.channel] = np.arange(columns.channel.size)  # of several rows for one channel the last one stays
    numbers = np.flatnonzero(row >= 0)
    last = columns.points.at(row[numbers])
    return {number: last.at(slice(at, at + 1)) for at, number in enumerate(numbers.tolist())}


_NO_POINTS: Final = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), *[np.empty(0, np.uint8)] * 2)


def _all(part: Columns) -> tuple[np.ndarray, ...]:
    return part.frame, part.channel, *part.points.columns()


def _decode_alike(frames: Sequence[tuple[int, bool, int, int, bytes]], wide: bool, count: int) -> Columns:
    """Unpack frames of one width and count together."""
    number, base = (np.repeat(np.array([frame[at] for frame in frames], np.int64), count) for at in (0, 3))
    raw = np.frombuffer(b"".join(frame[4] for frame in frames), np.uint8).reshape(len(frames), -1)
    columns, at = [], 0
    for dtype in _DTYPES[wide]:
        width = np.dtype(dtype).itemsize * count
        columns.append(np.ascontiguousarray(raw[:, at : at + width]).view(dtype).reshape(-1))
        at += width
    channel, source, delay, value, quality, reason = columns
    source_ms = base + source
    return Columns(number, channel, Points(source_ms, source_ms + delay, value, quality, reason))


def _opened(number: int, payload: bytes) -> tuple[bool, int, Instant, bytes]:
    try:
        return _checked(payload)
    except Unreadable as error:
        raise Unreadable(f"frame {number}: {error}; restore the file from a backup") from None


def _checked(payload: bytes) -> tuple[bool, int, Instant, bytes]:
    if len(payload) < _HEAD.size + _CRC.size:
        raise Unreadable(f"a frame of {len(payload)} bytes is too short")
    version, wide, count, base = _HEAD.unpack_from(payload)
    if version != _VERSION:
        raise Unreadable(
            f"a frame of format {version}; this program knows format {_VERSION}: damaged, or written by a newer one"
        )
    if zlib.crc32(payload[: -_CRC.size]) != _CRC.unpack_from(payload, len(payload) - _CRC.size)[0]:
        raise Unreadable("a frame whose checksum does not match its bytes")
    if wide > 1 or not count:
        raise Unreadable("a frame whose head does not fit its columns")
    return bool(wide), count, base, decompress(payload[_HEAD.size : -_CRC.size], count * _ROW_BYTES[bool(wide)])
