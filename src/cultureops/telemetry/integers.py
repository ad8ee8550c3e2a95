"""Integers packed small: a predictor, what it missed, bytes sorted by weight, zstd. Pure.

Layout, little-endian: predictor u8, width u8 [bytes a residual], base i64, step i64, then the zstd frame of the zigzag
residuals with their bytes shuffled: first the lowest byte of all, then the next. Arithmetic wraps modulo 2^64 on both
sides, so any 64-bit integers come back as they were.
"""

from __future__ import annotations

import struct
import threading
from typing import Final

import numpy as np
import zstandard

from cultureops.errors import Unreadable
from cultureops.telemetry.store import Integers

__all__ = ["compress", "decompress", "pack", "shuffled", "unpack", "unshuffled"]

_HEAD: Final = struct.Struct("<BBqq")
_LEVEL, _DELTA, _LINE = range(3)
_SAMPLE: Final = 4096
# Short matches in noise cost more than they save: what is left is Huffman coding, within 3 % of the entropy.
_PARAMETERS: Final = zstandard.ZstdCompressionParameters.from_level(
    1, min_match=7, format=zstandard.FORMAT_ZSTD1_MAGICLESS, write_content_size=True, write_checksum=False
)


class _Zstd(threading.local):
    """A thread's own: neither side may be used by two at once, and making one takes as long as a frame."""

    def __init__(self) -> None:
        self.compress = zstandard.ZstdCompressor(compression_params=_PARAMETERS).compress
        self.decompress = zstandard.ZstdDecompressor(format=zstandard.FORMAT_ZSTD1_MAGICLESS).decompress


_zstd: Final = _Zstd()


def compress(raw: bytes) -> bytes:
    """Return the bytes as one zstd frame without its magic number."""
    return _zstd.compress(raw)


def decompress(packed: bytes, size: int) -> bytes:
    """Return the ``size`` bytes that ``compress`` was given; raise Unreadable when they are not there."""
    try:
        raw = _zstd.decompress(packed, max_output_size=size)
    except (zstandard.ZstdError, MemoryError) as error:
        raise Unreadable(f"bytes that can't be unpacked: {error}") from None
    if len(raw) != size:
        raise Unreadable(f"{len(raw)} bytes where {size} were packed")
    return raw


def shuffled(numbers: np.ndarray) -> bytes:
    """Return the bytes of fixed-width numbers, those of equal weight side by side."""
    return numbers.view(np.uint8).reshape(-1, numbers.itemsize).T.tobytes()


def unshuffled(raw: bytes, dtype: np.dtype) -> np.ndarray:
    """Undo ``shuffled``."""
    weights = np.frombuffer(raw, np.uint8).reshape(dtype.itemsize, -1)
    return np.ascontiguousarray(weights.T).view(dtype).reshape(-1)


def pack(numbers: Integers) -> bytes:
    """Return the integers packed small, with the predictor that misses them least."""
    if not numbers.size:
        return b""
    predictor, base, step = _best(numbers)
    if predictor == _DELTA:
        residual: Integers = np.diff(numbers, prepend=np.int64(base))
    else:
        residual = numbers - _predicted(predictor, base, step, numbers.size)
    zigzag = ((residual << 1) ^ (residual >> 63)).view(np.uint64)
    width = next(width for width in (1, 2, 4, 8) if width == 8 or int(zigzag.max()) < 1 << 8 * width)
    return _HEAD.pack(predictor, width, base, step) + compress(shuffled(zigzag.astype(f"<u{width}")))


def unpack(packed: bytes, count: int) -> Integers:
    """Return the ``count`` integers that were packed; raise Unreadable when they are not there."""
    if not count:
        return np.empty(0, np.int64)
    if len(packed) < _HEAD.size:
        raise Unreadable("packed integers without their head")
    predictor, width, base, step = _HEAD.unpack_from(packed)
    if predictor > _LINE or width not in (1, 2, 4, 8):
        raise Unreadable(f"integers packed in a way unknown here (predictor {predictor}, width {width})")
    zigzag = unshuffled(decompress(packed[_HEAD.size :], count * width), np.dtype(f"<u{width}")).astype(np.uint64)
    residual = (zigzag >> np.uint64(1)).view(np.int64) ^ -((zigzag & np.uint64(1)).view(np.int64))
    if predictor == _DELTA:
        residual[:1] += np.int64(base)  # as an array: it may wrap
        return np.cumsum(residual, out=residual)
    return residual + _predicted(predictor, base, step, count)


def _best(numbers: Integers) -> tuple[int, int, int]:
    """Return predictor, base and step that leave the smallest residuals in a sample of the numbers."""
    sample = numbers[:_SAMPLE]
    level = int(np.partition(sample, sample.size // 2)[sample.size // 2])
    with np.errstate(over="ignore"):
        deltas = np.diff(sample)
        step = int(np.partition(deltas, deltas.size // 2)[deltas.size // 2]) if deltas.size else 0
        off_line = sample - _predicted(_LINE, int(sample[0]), step, sample.size)
        middle = int(np.partition(off_line, off_line.size // 2)[off_line.size // 2])
        costs = (
            np.abs((sample - np.int64(level)).astype(float)).sum(),
            np.abs(deltas.astype(float)).sum(),
            np.abs((off_line - np.int64(middle)).astype(float)).sum(),
        )
        predictor = int(np.argmin(costs))
    start = (int(sample[0]) + middle + (1 << 63)) % (1 << 64) - (1 << 63)
    return predictor, (level, int(numbers[0]), start)[predictor], step if predictor == _LINE else 0


def _predicted(predictor: int, base: int, step: int, count: int) -> Integers:
    if predictor == _LEVEL:
        return np.full(count, base, np.int64)
    return np.int64(base) + np.arange(count, dtype=np.int64) * np.int64(step)
