"""One sealed chunk: the readings of one channel in one hour, as few bytes as will give every one back. Pure.

Two parts. The *stamps* hold source times and how much later each reading was received; channels that are read together
share them. The *values* hold format version u8, decimals u8 (255: raw), count of quality runs u32, bytes of runs u32,
the runs (start u32, quality u8, reason u8, column by column), and the values of the readings that are not BAD: integers
scaled by a power of ten where that gives every value back bit by bit, else float64 with shuffled bytes.
"""

from __future__ import annotations

import hashlib
import struct
from typing import Final

import numpy as np

from cultureops.device.reading import Quality
from cultureops.errors import Unreadable
from cultureops.telemetry.integers import compress, decompress, pack, shuffled, unpack, unshuffled
from cultureops.telemetry.points import Points
from cultureops.telemetry.store import Floats, Integers

__all__ = [
    "EXACT", "FORMAT", "MOST_DECIMALS", "RAW", "decode", "decode_numbers", "digest", "encode_stamps", "encode_values",
    "only_quality", "scaled", "source_times", "unscaled",
]  # fmt: skip

FORMAT: Final = 2
RAW: Final = 255
MOST_DECIMALS: Final = 9
_SAMPLE: Final = 16
EXACT: Final = float(1 << 53)
_HEAD: Final = struct.Struct("<BBII")
_PART: Final = struct.Struct("<I")
_RUN_BYTES: Final = 6
_FLOAT: Final = np.dtype("<f8")
_QUALITIES: Final = np.isin(np.arange(256), list(Quality))


def encode_stamps(source_ms: Integers, received_ms: Integers) -> bytes:
    """Pack source and received times."""
    source = pack(source_ms)
    return _PART.pack(len(source)) + source + pack(received_ms - source_ms)


def encode_values(points: Points) -> bytes:
    """Pack quality, reason and value of readings in order."""
    is_good = ~points.bad
    values = points.value if is_good.all() else points.value[is_good]
    found = scaled(values)
    places, body = (RAW, compress(shuffled(values))) if found is None else (found[0], pack(found[1]))
    count, runs = _pack_runs(points.quality, points.reason)
    return _HEAD.pack(FORMAT, places, count, len(runs)) + runs + body


def decode(stamps: bytes, values: bytes, count: int) -> Points:
    """Give back the ``count`` readings; raise Unreadable when the bytes are not as they were written."""
    try:
        source_ms, received_ms = _decode_stamps(stamps, count)
    except struct.error:
        raise _too_short() from None
    _, runs, size = _head(values)
    quality, reason = _unpack_runs(values[_HEAD.size : _HEAD.size + size], runs, count)
    is_good = quality != Quality.BAD
    good = int(np.count_nonzero(is_good))
    numbers = decode_numbers(values, good)
    if good == count:
        return Points(source_ms, received_ms, numbers, quality, reason)
    value = np.full(count, np.nan)
    value[is_good] = numbers
    return Points(source_ms, received_ms, value, quality, reason)


def decode_numbers(values: bytes, good: int) -> Floats:
    """Give back the values of the ``good`` readings that are not BAD; raise Unreadable as ``decode`` does."""
    places, _, size = _head(values)
    body = values[_HEAD.size + size :]
    if places == RAW:
        numbers = unshuffled(decompress(body, good * 8), _FLOAT) if good else np.empty(0)
        if not np.isfinite(numbers).all():
            raise Unreadable("a chunk with a value that is no number")
        return numbers
    if places > MOST_DECIMALS:
        raise Unreadable(f"a chunk of values with {places} decimals; at most {MOST_DECIMALS} are written")
    return unscaled(unpack(body, good), places)


def source_times(stamps: bytes, count: int) -> Integers:
    """Give back the source times of the ``count`` readings alone; raise Unreadable as ``decode`` does."""
    try:
        (size,) = _PART.unpack_from(stamps)
    except struct.error:
        raise _too_short() from None
    return unpack(stamps[_PART.size : _PART.size + size], count)


def only_quality(values: bytes) -> int | None:
    """Return the quality that all readings of a chunk share for one reason, or None where that is not so plain."""
    if len(values) < _HEAD.size + _RUN_BYTES:
        return None
    version, _, runs, size = _HEAD.unpack_from(values)
    return values[_HEAD.size + 4] if (version, runs, size) == (FORMAT, 1, _RUN_BYTES) else None


def digest(key: int, stamps: bytes, values: bytes) -> bytes:
    """Return the SHA-256 of a chunk under its key: 8 bytes big-endian, length of the stamps, stamps, values."""
    return hashlib.sha256(b"".join((key.to_bytes(8, "big"), _PART.pack(len(stamps)), stamps, values))).digest()


def scaled(values: Floats) -> tuple[int, Integers] | None:
    """Return the fewest decimals and the values as whole numbers of these, or None where that would change one."""
    if values.size and not np.abs(values).max() < EXACT:
        return None
    for places in range(MOST_DECIMALS + 1):
        if _exactly(values[:_SAMPLE], places) is not None and (numbers := _exactly(values, places)) is not None:
            return places, numbers
    return None


def _exactly(values: Floats, places: int) -> Integers | None:
    rounded = np.rint(values * 10.0**places)
    if rounded.size and not np.abs(rounded).max() < EXACT:
        return None
    numbers = rounded.astype(np.int64)
    is_same = unscaled(numbers, places).view(np.int64) == values.view(np.int64)  # bits: there is a negative zero
    return numbers if is_same.all() else None


def unscaled(numbers: Integers, decimals: int) -> Floats:
    """Undo ``scaled``."""
    return np.asarray(numbers / 10.0**decimals)


def _head(values: bytes) -> tuple[int, int, int]:
    """Return decimals, count of quality runs and their bytes."""
    try:
        version, places, runs, size = _HEAD.unpack_from(values)
    except struct.error:
        raise _too_short() from None
    if version != FORMAT:
        raise Unreadable(
            f"a chunk of format {version}; this program knows format {FORMAT}: damaged, or written by a newer one"
        )
    return places, runs, size


def _too_short() -> Unreadable:
    return Unreadable("a chunk that is too short")


def _decode_stamps(stamps: bytes, count: int) -> tuple[Integers, Integers]:
    (size,) = _PART.unpack_from(stamps)
    source_ms = unpack(stamps[_PART.size : _PART.size + size], count)
    return source_ms, source_ms + unpack(stamps[_PART.size + size :], count)


def _pack_runs(quality: np.ndarray, reason: np.ndarray) -> tuple[int, bytes]:
    changes = (quality[1:] != quality[:-1]) | (reason[1:] != reason[:-1])
    starts = np.flatnonzero(np.append(True, changes))
    columns = starts.astype("<u4").tobytes() + quality[starts].tobytes() + reason[starts].tobytes()
    return starts.size, columns if starts.size == 1 else compress(columns)


def _unpack_runs(packed: bytes, runs: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    columns = packed if runs == 1 else decompress(packed, runs * _RUN_BYTES)
    if len(columns) != runs * _RUN_BYTES or not runs:
        raise Unreadable("a chunk whose quality runs are cut short")
    starts = np.frombuffer(columns, "<u4", runs).astype(np.int64)
    lengths = np.diff(starts, append=count)
    if starts[0] != 0 or (lengths <= 0).any():
        raise Unreadable("a chunk whose quality runs are out of order")
    quality = np.frombuffer(columns, np.uint8, runs, runs * 4)
    if not _QUALITIES[quality].all():
        raise Unreadable("a chunk with a quality that is unknown")
    reason = np.frombuffer(columns, np.uint8, runs, runs * 5)
    return np.repeat(quality, lengths), np.repeat(reason, lengths)
