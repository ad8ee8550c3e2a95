"""The register maps of our own virtual devices, read as data from the profile their driver reads too."""

from __future__ import annotations

import struct
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cultureops_simulators.instrument import Options, SimulatorError

__all__ = ["Point", "RegisterBlock", "block_option", "read_points"]

_PACKERS: Final = {
    "float32": struct.Struct(">f"),
    "uint16": struct.Struct(">H"),
    "int16": struct.Struct(">h"),
    "uint32": struct.Struct(">I"),
    "int32": struct.Struct(">i"),
}


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a map: where its registers start (0-based), how it is encoded."""

    name: str
    address: int
    type: str
    low_word_first: bool
    scale: float


def read_points(path: Path, known: frozenset[str]) -> tuple[Point, ...]:
    """Read the points of a profile; raises SimulatorError if it cannot be read or names a value not ``known``."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SimulatorError(f"profile {path}: cannot be read: {error}") from error
    rows = table.get("point")
    if not isinstance(rows, list) or not rows:
        raise SimulatorError(f"profile {path}: expected [[point]] tables, found none")
    points = tuple(_point(path, row) for row in rows)
    for point in points:
        if point.name not in known:
            expected = ", ".join(sorted(known))
            raise SimulatorError(f"profile {path}: point {point.name!r} is no value of this device ({expected})")
    return points


def _point(path: Path, row: object) -> Point:
    if not isinstance(row, dict) or not isinstance(row.get("name"), str):
        raise SimulatorError(f"profile {path}: a point without a name")
    name, address, kind = row["name"], row.get("address"), row.get("type")
    order, scale = row.get("word_order", "high_first"), row.get("scale", 1.0)
    if not isinstance(address, int) or not 0 <= address <= 0xFFFF:
        raise SimulatorError(f"profile {path}: point {name!r}: address must be 0..65535, got {address!r}")
    if kind not in _PACKERS:
        raise SimulatorError(f"profile {path}: point {name!r}: type must be one of {', '.join(_PACKERS)}, got {kind!r}")
    if order not in ("high_first", "low_first"):
        raise SimulatorError(
            f"profile {path}: point {name!r}: word_order {order!r} is neither high_first nor low_first"
        )
    if not isinstance(scale, int | float) or scale == 0:
        raise SimulatorError(f"profile {path}: point {name!r}: scale must be a number other than 0, got {scale!r}")
    return Point(name, address, kind, order == "low_first", float(scale))


_WHOLE: Final = {
    "uint16": (0, 0xFFFF),
    "int16": (-0x8000, 0x7FFF),
    "uint32": (0, 2**32 - 1),
    "int32": (-(2**31), 2**31 - 1),
}


def _pack(kind: str, value: float) -> bytes:
    if kind == "float32":
        return _PACKERS[kind].pack(value)
    low, high = _WHOLE[kind]
    return _PACKERS[kind].pack(min(max(round(value), low), high))


class RegisterBlock:
    """The registers of one device: filled with values by name, read by address; gaps read 0."""

    def __init__(self, points: tuple[Point, ...], least_registers: int) -> None:
        last = max(point.address + _PACKERS[point.type].size // 2 for point in points)
        self._points = points
        self._count = max(last, least_registers)
        self._block = bytes(2 * self._count)

    def hold(self, values: Mapping[str, float]) -> None:
        """Encode the values of all points."""
        block = bytearray(2 * self._count)
        for point in self._points:
            value = values[point.name] / point.scale
            packed = _PACKERS[point.type].pack(value if point.type == "float32" else round(value))
            if point.low_word_first and len(packed) == 4:
                packed = packed[2:] + packed[:2]
            block[2 * point.address : 2 * point.address + len(packed)] = packed
        self._block = bytes(block)

    def read(self, address: int, count: int) -> bytes | None:
        """Return ``count`` registers as big-endian bytes, or None when the block does not hold them all."""
        if address + count > self._count:
            return None
        return self._block[2 * address : 2 * (address + count)]


def block_option(name: str, options: Options, known: frozenset[str], least_registers: int) -> RegisterBlock:
    """Return the registers of the map that option ``profile`` names, of ``known`` values; raises SimulatorError."""
    path = options.get("profile")
    if not isinstance(path, str):
        raise SimulatorError(f"{name}: option profile is missing; give the path of the device's profile (*.toml)")
    return RegisterBlock(read_points(Path(path), known), least_registers)
