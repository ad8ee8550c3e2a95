"""A profile's points, read as data: where each number stands, how it is written, and what it shows at rest."""

from __future__ import annotations

import struct
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from cultureops_simulators.instrument import Options, SimulatorError

__all__ = ["MapPoint", "RegisterMap", "read_map"]

_BASES: Final = (0, 1, 30_001, 40_001)
_RANGES: Final = {
    "int16": (-(2**15), 2**15 - 1),
    "uint16": (0, 2**16 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
}
_WORDS: Final = {"int16": 1, "uint16": 1, "bit": 1, "int32": 2, "uint32": 2, "float32": 2}
_AT_REST: Final = {
    "temperature": 37.0,
    "co2": 5.0,
    "humidity": 90.0,
    "o2": 20.0,
    "temp_a": -180.0,
    "temp_b": -180.0,
    "level": 70.0,
    "ph": 7.2,
    "mains": 1.0,
    "battery": 100.0,
}
"""What is shown where nobody says else; a setpoint shows what its channel does."""


@dataclass(frozen=True, slots=True)
class MapPoint:
    """One number: ``value = raw * scale + offset``; ``rest`` is the value shown until somebody forces another one."""

    name: str
    function: int
    address: int
    type: str
    low_word_first: bool
    low_byte_first: bool
    bitmask: int
    scale: float
    offset: float
    rest: float

    def words(self, value: float) -> tuple[int, ...]:
        """Return the registers that hold a value, at the end of their range where it lies beyond."""
        raw = (value - self.offset) / self.scale
        if self.type == "bit":
            return (self.bitmask if raw else 0,)
        if self.type == "float32":
            number = int.from_bytes(struct.pack(">f", raw))
        else:
            least, most = _RANGES[self.type]
            number = min(max(round(raw), least), most) % (1 << 16 * _WORDS[self.type])
        if self.bitmask:
            number = number * (self.bitmask & -self.bitmask) & self.bitmask
        found = [number] if _WORDS[self.type] == 1 else [number >> 16, number & 0xFFFF]
        if self.low_word_first:
            found.reverse()
        return tuple(word >> 8 | (word & 0xFF) << 8 if self.low_byte_first else word for word in found)


@dataclass(frozen=True, slots=True)
class RegisterMap:
    """All points of a device and the unit id its profile gives it."""

    unit_id: int
    points: tuple[MapPoint, ...]


def read_map(name: str, options: Options) -> RegisterMap:
    """Read option ``profile``, with ``word_order``, ``decimals`` and ``unit_code`` as its owner set them.

    Raises SimulatorError for a profile that can't be read or that reads bits by functions 1 and 2.
    """
    path = Path(str(options.get("profile", "")))
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        device, rows = table["device"], table["point"]
        statuses = _statuses(rows, options)
        points = tuple(_point(name, row, options, statuses) for row in rows)
        return RegisterMap(int(device.get("unit_id", 1)), tuple(_settled(point, points) for point in points))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SimulatorError(f"{name}: profile {path} can't be read: {type(error).__name__} {error}") from None


def _settled(point: MapPoint, points: tuple[MapPoint, ...]) -> MapPoint:
    """Let a part of a register rest as the register does that another point takes whole."""
    for whole in points:
        if point.bitmask and not whole.bitmask and (whole.function, whole.address) == (point.function, point.address):
            (word,) = whole.words(whole.rest)
            raw = (word & point.bitmask) // (point.bitmask & -point.bitmask)
            return replace(point, rest=raw * point.scale + point.offset)
    return point


def _statuses(rows: list[dict[str, Any]], options: Options) -> dict[str, float]:
    """Return the raw numbers with which points say that all is well with the others."""
    found: dict[str, float] = {}
    for row in rows:
        if row.get("expect"):
            found[row["name"]] = float(row["expect"][0])
        for rule in row.get("status", ()):
            point = str(rule["point"])
            if rule.get("expect"):
                found[point] = float(rule["expect"][0])
            elif "configured" in rule:
                found[point] = float(str(options.get("unit_code", 0)))
            else:
                found[point] = float(int(found.get(point, 0)) | int(rule.get("good_bits", 0)))
    return found


def _point(name: str, row: Mapping[str, Any], options: Options, statuses: Mapping[str, float]) -> MapPoint:
    function, kind = int(row["function"]), str(row["type"])
    if function not in (3, 4) or kind not in _WORDS:
        raise SimulatorError(f"{name}: point {row['name']!r}: only registers of functions 3 and 4 are served here")
    base, open_settings = int(row.get("base", 0)), row.get("configured", ())
    if base not in _BASES:
        raise SimulatorError(f"{name}: point {row['name']!r}: base {base} is none of {_BASES}")
    order = options.get("word_order") if "word_order" in open_settings else row.get("word_order")
    decimals = int(str(options.get("decimals", 0))) if "decimals" in open_settings else 0
    scale, offset = float(row.get("scale", 1.0)) / 10**decimals, float(row.get("offset", 0.0))
    point = str(row["name"])
    raw = statuses.get(point)
    return MapPoint(
        name=point,
        function=function,
        address=int(row["address"]) - base,
        type=kind,
        low_word_first=order == "low_first",
        low_byte_first=row.get("byte_order") == "low_first",
        bitmask=int(row.get("bitmask", 0)),
        scale=scale,
        offset=offset,
        rest=_at_rest(point, row) if raw is None else raw * scale + offset,
    )


def _at_rest(point: str, row: Mapping[str, Any]) -> float:
    value = _AT_REST.get(point.removesuffix("_setpoint"), 0.0)
    low, high = row.get("valid_range", (value, value))
    return min(max(value, float(low)), float(high))
