"""What stands in Modbus registers: points, the requests that fetch them, and their numbers. Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = [
    "BIT_FUNCTIONS",
    "MAX_BITS",
    "MAX_REGISTERS",
    "TYPES",
    "Block",
    "Point",
    "Request",
    "StatusRule",
    "decode",
    "plan",
]

MAX_REGISTERS: Final = 125
MAX_BITS: Final = 2000
"""Most registers and bits one request may ask for (Modbus Application Protocol V1.1b3, 6.1 to 6.4)."""

BIT_FUNCTIONS: Final = (1, 2)

TYPES: Final = {"int16": 1, "uint16": 1, "bit": 1, "int32": 2, "uint32": 2, "float32": 2}
"""How many registers (or bits) each type takes."""

_FLOAT32: Final = struct.Struct(">f")


@dataclass(frozen=True, slots=True)
class StatusRule:
    """What the point called ``point`` must say, or another point has no value.

    One of three: no bit of ``bad_bits`` may be set (the device distrusts itself), every bit of ``good_bits`` must be
    (the device has such a sensor), or the number must be one of ``expect`` (the device is set as is agreed).
    """

    point: str
    bad_bits: int = 0
    good_bits: int = 0
    expect: tuple[float, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether nothing is agreed yet, and the site file must say what the number has to be."""
        return not (self.bad_bits or self.good_bits or self.expect)


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
class Block:
    """Registers that the device wants read whole: ``count`` of them from the 0-based ``address``."""

    function: int
    address: int
    count: int

    def holds(self, point: Point) -> bool:
        """Whether the point lies within."""
        end = self.address + self.count
        return self.function == point.function and self.address <= point.address <= end - point.count

    def cuts(self, point: Point) -> bool:
        """Whether the point lies partly within."""
        overlaps = self.address < point.address + point.count and point.address < self.address + self.count
        return self.function == point.function and overlaps and not self.holds(point)


@dataclass(frozen=True, slots=True)
class Request:
    """One read of ``count`` registers (or bits) from ``address``, and the points that lie within."""

    function: int
    address: int
    count: int
    points: tuple[Point, ...]


def plan(points: Sequence[Point], max_gap: int = 0, blocks: Sequence[Block] = ()) -> tuple[Request, ...]:
    """Join points into as few requests as allowed.

    A block that holds any of the points is read whole. Other points of one function are read together when at most
    ``max_gap`` registers that belong to no point lie between them, and the request stays within what Modbus allows. A
    point is never cut.
    """
    runs: list[list[Point]] = []
    for point in sorted(points, key=lambda point: (point.function, point.address, point.count)):
        if any(block.holds(point) for block in blocks):
            continue
        if runs and _fits(runs[-1], point, max_gap):
            runs[-1].append(point)
        else:
            runs.append([point])
    return (*_whole(points, blocks), *(_request(run) for run in runs))


def _whole(points: Sequence[Point], blocks: Sequence[Block]) -> Iterator[Request]:
    for block in blocks:
        if held := tuple(point for point in points if block.holds(point)):
            yield Request(block.function, block.address, block.count, held)


def _request(run: Sequence[Point]) -> Request:
    return Request(run[0].function, run[0].address, _end(run) - run[0].address, tuple(run))


def _end(run: Sequence[Point]) -> int:
    return max(point.address + point.count for point in run)


def _fits(run: Sequence[Point], point: Point, max_gap: int) -> bool:
    first, end = run[0], _end(run)
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
