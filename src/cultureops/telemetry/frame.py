"""One frame: the readings of one append, packed column by column, with a checksum. Pure.

Layout, little-endian: version u8, wide u8, count u16, base i64 [ms], then columns: channel u32, source time minus base
(u32, or i64 when wide), received minus source time (i32, or i64 when wide), value f64 (NaN where BAD), quality u8,
reason u8; at the end the CRC-32 of everything before.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from cultureops.clock import Instant
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.errors import Unreadable

__all__ = ["MAX_READINGS", "Columns", "column_offsets", "decode", "decode_one", "encode", "join"]

MAX_READINGS: Final = 65_535
_VERSION: Final = 1
_HEAD: Final = struct.Struct("<BBHq")
_CRC: Final = struct.Struct("<I")
_NAN: Final = float("nan")


@dataclass(frozen=True, slots=True)
class Columns:
    """A decoded frame; all arrays have one length."""

    channel: np.ndarray
    source_ms: np.ndarray
    received_ms: np.ndarray
    value: np.ndarray
    quality: np.ndarray
    reason: np.ndarray

    def at(self, rows: np.ndarray) -> Columns:
        """Return only these rows, given by number or by mask."""
        return Columns(*(column[rows] for column in self._columns()))

    def readings(self, names: Mapping[int, ChannelId]) -> Iterator[Reading]:
        """Yield the rows as readings."""
        for channel, source, received, value, quality, reason in zip(
            *(column.tolist() for column in self._columns()), strict=True
        ):
            yield Reading(
                names[channel], None if value != value else value, Quality(quality), Reason(reason), source, received
            )

    def _columns(self) -> tuple[np.ndarray, ...]:
        return self.channel, self.source_ms, self.received_ms, self.value, self.quality, self.reason


@lru_cache(maxsize=256)
def _columns(count: int, wide: bool) -> struct.Struct:
    source, received = ("q", "q") if wide else ("I", "i")
    return struct.Struct(f"<{count}I{count}{source}{count}{received}{count}d{count}B{count}B")


def encode(readings: Sequence[Reading], index: Mapping[ChannelId, int]) -> bytes:
    """Pack 1 to 65,535 readings; ``index`` numbers the channels."""
    sources = [reading.source_time for reading in readings]
    base = min(sources)
    delays = [reading.received_time - reading.source_time for reading in readings]
    wide = max(sources) - base >= 1 << 32 or not -(1 << 31) <= min(delays) <= max(delays) < 1 << 31
    count = len(readings)
    packed = _HEAD.pack(_VERSION, wide, count, base) + _columns(count, wide).pack(
        *[index[reading.channel] for reading in readings],
        *[source - base for source in sources],
        *delays,
        *[_NAN if reading.value is None else reading.value for reading in readings],
        *[reading.quality for reading in readings],
        *[reading.reason for reading in readings],
    )
    return packed + _CRC.pack(zlib.crc32(packed))


def decode(payload: bytes) -> Columns:
    """Unpack a frame; raise Unreadable when its bytes are not as they were written."""
    wide, count, base = _checked_head(payload)
    at = column_offsets(count, wide)
    source_type, received_type = ("<i8", "<i8") if wide else ("<u4", "<i4")
    source_ms = np.frombuffer(payload, source_type, count, at[1]).astype(np.int64) + base
    return Columns(
        channel=np.frombuffer(payload, "<u4", count, at[0]),
        source_ms=source_ms,
        received_ms=np.frombuffer(payload, received_type, count, at[2]).astype(np.int64) + source_ms,
        value=np.frombuffer(payload, "<f8", count, at[3]),
        quality=np.frombuffer(payload, "u1", count, at[4]),
        reason=np.frombuffer(payload, "u1", count, at[5]),
    )


def join(frames: Sequence[Columns]) -> Columns:
    """Return one or more frames as one, in their order."""
    return Columns(*(np.concatenate(columns) for columns in zip(*(part._columns() for part in frames), strict=True)))


def decode_one(payload: bytes, channel: int, places: dict[bytes, tuple[int, ...]]) -> list[tuple[int, float, int, int]]:
    """Return (source ms, value, quality, reason) of one channel only.

    ``places`` remembers where the channel stands in frames of the same make-up, which most frames share.
    """
    wide, count, base = _checked_head(payload)
    at = column_offsets(count, wide)
    makeup = payload[at[0] : at[1]]
    rows = places.get(makeup)
    if rows is None:
        rows = places[makeup] = tuple(np.flatnonzero(np.frombuffer(makeup, "<u4") == channel).tolist())
    width, source = (8, "<q") if wide else (4, "<I")
    return [
        (
            base + struct.unpack_from(source, payload, at[1] + row * width)[0],
            struct.unpack_from("<d", payload, at[3] + row * 8)[0],
            payload[at[4] + row],
            payload[at[5] + row],
        )
        for row in rows
    ]


@lru_cache(maxsize=256)
def column_offsets(count: int, wide: bool) -> tuple[int, ...]:
    """Return where each column begins, and where the last one ends."""
    offsets = [_HEAD.size]
    for width in (4, 8 if wide else 4, 8 if wide else 4, 8, 1, 1):
        offsets.append(offsets[-1] + width * count)
    return tuple(offsets)


def _checked_head(payload: bytes) -> tuple[bool, int, Instant]:
    if len(payload) < _HEAD.size + _CRC.size:
        raise Unreadable(f"a frame of {len(payload)} bytes is too short")
    version, wide, count, base = _HEAD.unpack_from(payload)
    if version != _VERSION:
        raise Unreadable(
            f"a frame of format {version}; this program knows format {_VERSION}: damaged, or written by a newer one"
        )
    if wide > 1 or len(payload) != column_offsets(count, bool(wide))[-1] + _CRC.size:
        raise Unreadable("a frame whose length does not fit its count of readings")
    if zlib.crc32(payload[: -_CRC.size]) != _CRC.unpack_from(payload, len(payload) - _CRC.size)[0]:
        raise Unreadable("a frame whose checksum does not match its bytes")
    return bool(wide), count, base
