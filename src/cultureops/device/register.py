"""What stands in Modbus registers: points, the requests that fetch them, and their numbers. Pure."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["BIT_FUNCTIONS", "MAX_BITS", "MAX_REGISTERS", "TYPES", "Point", "Request", "StatusRule", "decode", "plan"]

MAX_REGISTERS: Final = 125
MAX_BITS: Final = 2000
"""Most registers and bits one request may ask for (Modbus Application Protocol V1.1b3, 6.1 to 6.4)."""

BIT_FUNCTIONS: Final = (1, 2)

TYPES: Final = {"int16": 1, "uint16": 1, "bit": 1, "int32": 2, "uint32": 2, "float32": 2}
"""How many registers (or bits) each type takes."""

_FLOAT32: Final = struct.Struct(">f")


@dataclass(frozen=True, slots=True)
class StatusRule:
    """A point has no value while any bit of ``bad_bits`` is set in the point called ``point``."""

    point: str
    bad_bits: int


@dataclass(frozen=True, slots=True)
class Point:
    """One number in a device's registers.

    ``address`` is 0-based, as on the wire; ``value = raw * scale + offset``; ``sentinels`` and ``expect`` are raw
    numbers; ``bitmask`` cuts a field out of one register, 0 takes it whole.
    """

    name: str
    function: int
    address: int
    type: str
    low_word_first: bool = False
    low_byte_first: bool = False
    bitmask: int = 0
    scale: float = 1.0
    offset: float = 0.0
    sentinels: tuple[float, ...] = ()
    expect: tuple[float, ...] = ()
    status: tuple[StatusRule, ...] = ()

    @property
    def count(self) -> int:
        """How many registers (or bits) it takes."""
        return TYPES[self.type]

    def scaled(self, raw: float) -> float:
        """Turn the raw number into the value in the channel's unit."""
        return raw * self.scale + self.offset


@dataclass(frozen=True, slots=True)
class Request:
    """One read of ``count`` registers (or bits) from ``address``, and the points that lie within."""

    function: int
    address: int
    count: int
    points: tuple[Point, ...]


def plan(points: Sequence[Point], max_gap: int = 0) -> tuple[Request, ...]:
    """Join points into as few requests as allowed.

    Points of one function are read together when at most ``max_gap`` registers that belong to no point lie between
    them, and the request stays within what Modbus allows. A point is never cut.
    """
    blocks: list[list[Point]] = []
    for point in sorted(points, key=lambda point: (point.function, point.address, point.count)):
        if blocks and _fits(blocks[-1], point, max_gap):
            blocks[-1].append(point)
        else:
            blocks.append([point])
    return tuple(
        Request(block[0].function, block[0].address, _end(block) - block[0].address, tuple(block)) for block in blocks
    )


def _end(block: Sequence[Point]) -> int:
    return max(point.address + point.count for point in block)


def _fits(block: Sequence[Point], point: Point, max_gap: int) -> bool:
    first, end = block[0], _end(block)
    most = MAX_BITS if point.function in BIT_FUNCTIONS else MAX_REGISTERS
    longest = max(end, point.address + point.count) - first.address
    return point.function == first.function and point.address - end <= max_gap and longest <= most


def decode(point: Point, start: int, values: Sequence[int]) -> float:
    """Return the raw number of a point out of the values read from address ``start`` (0-65535 each)."""
    at = point.address - start
    if point.function in BIT_FUNCTIONS:
        return float(values[at])
    words = values[at : at + point.count]
    if point.low_byte_first:
        words = [(word & 0xFF) << 8 | word >> 8 for word in words]
    if point.low_word_first:
        words = words[::-1]
    number = words[0] if len(words) == 1 else words[0] << 16 | words[1]
    return _number(point, number)


def _number(point: Point, number: int) -> float:
    match point.type:
        case "float32":
            value: float = _FLOAT32.unpack(number.to_bytes(4))[0]
            return value
        case "bit":
            return float(bool(number & point.bitmask))
        case "int16" | "int32":
            sign = 1 << 16 * point.count - 1
            return float((number ^ sign) - sign)
        case _:
            if point.bitmask:
                lowest = point.bitmask & -point.bitmask
                return float((number & point.bitmask) // lowest)
            return float(number)
