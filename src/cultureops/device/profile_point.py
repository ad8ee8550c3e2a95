"""One ``[[point]]`` of a profile: a number in registers, the channel it feeds, and where its facts come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cultureops.config import Table
from cultureops.device.channel import Channel, Kind
from cultureops.device.register import BIT_FUNCTIONS, TYPES, Point, StatusRule
from cultureops.units import UCUM

__all__ = ["CONFIGURABLE", "ProfilePoint", "Writes", "fact", "first_address", "read_point"]

CONFIGURABLE: Final = ("word_order", "decimals", "unit_code")
"""What an owner may have set on an instrument, so that only the site file can say it."""

_OF_POINTS: Final = ("word_order", "decimals")

BASES: Final = {0: (1, 2, 3, 4), 1: (1, 2, 3, 4), 10_001: (2,), 30_001: (4,), 40_001: (3,)}
"""Where a manual's count of registers may start, and the functions that this may go with."""

_CONFIDENCES: Final = ("V", "V*", "2", "U")
_WRITE_FUNCTIONS: Final = (5, 6, 15, 16, 22, 23)


@dataclass(frozen=True, slots=True)
class Writes:
    """What the manual says about writing a point: function (0: not said) and warning. Nothing here ever writes."""

    function: int
    warning: str


@dataclass(frozen=True, slots=True)
class ProfilePoint:
    """A point, the channel it feeds (None: a status or version that is no channel) and where its facts come from.

    ``configured`` names what of it only the site file can say.
    """

    point: Point
    channel: Channel | None
    source: str
    page: str
    confidence: str
    writes: Writes | None = None
    configured: tuple[str, ...] = ()


def fact(row: Table, device: Table, key: str) -> str:
    """Return where a fact comes from, or how sure it is: the point's own word, else the device's."""
    value = row.text(key, "") or device.text(key, "")
    if not value:
        raise row.error("is missing here and in [device]; nothing is loaded without it", key)
    return value


def first_address(row: Table, function: int, count: int) -> int:
    """Return the 0-based address of a row that counts from its ``base``; ``count`` registers must lie behind it."""
    base = row.integer("base", 0)
    if function not in BASES.get(base, ()):
        raise row.error(f"registers of function {function} are not counted from {base}; 0, 1, 30001 or 40001", "base")
    address = row.integer("address", minimum=base, maximum=base + 65_535) - base
    if not row.has("base") and any(address in range(first, first + 9_999) for first in (30_001, 40_001)):
        raise row.error(f"{address} looks like a number counted from 30001 or 40001; write its base", "address")
    if address + count > 65_536:
        raise row.error("lies beyond the last register 65535", "address")
    return address


def read_point(row: Table, device: Table) -> ProfilePoint:
    """Read a point; raise ConfigError with file and line for a wrong one, and for one that nobody knows (U)."""
    confidence = fact(row, device, "confidence")
    where = row if row.has("confidence") else device
    if confidence not in _CONFIDENCES:
        raise where.error(f"expected one of {', '.join(_CONFIDENCES)}, not {confidence!r}", "confidence")
    if confidence == "U":
        raise where.error("U means that nobody knows; such a point is never loaded", "confidence")
    configured = _configured(row)
    rules = tuple(_status_rule(rule) for rule in row.tables("status"))
    found = ProfilePoint(
        point=_point(row, configured, rules),
        channel=_channel(row, verified=confidence != "2"),
        source=fact(row, device, "source"),
        page=row.text("page", device.text("page", "")),
        confidence=confidence,
        writes=_writes(row),
        configured=(*configured, *("unit_code" for rule in rules if rule.is_open)),
    )
    row.done()
    return found


def _configured(row: Table) -> tuple[str, ...]:
    names = row.texts("configured")
    for name in names:
        if name not in _OF_POINTS:
            raise row.error(f"expected some of {', '.join(_OF_POINTS)}, not {name!r}", "configured")
        if row.has(name):
            raise row.error("is said by the site file (configured); don't say it here", name)
    return names


def _writes(row: Table) -> Writes | None:
    access, table = row.text("access", "r", choices=("r", "rw")), row.optional_table("writes")
    if table is None:
        return None
    if access == "r":
        raise row.error('is for points with access = "rw" only', "writes")
    function = table.integer("function", 0)
    if table.has("function") and function not in _WRITE_FUNCTIONS:
        raise table.error(f"expected one of {', '.join(map(str, _WRITE_FUNCTIONS))}, not {function}", "function")
    found = Writes(function, table.text("warning", ""))
    table.done()
    return found


def _point(row: Table, configured: tuple[str, ...], rules: tuple[StatusRule, ...]) -> Point:
    function = row.integer("function", minimum=1, maximum=4)
    kind = row.text("type", choices=tuple(TYPES))
    if function in BIT_FUNCTIONS and kind != "bit":
        raise row.error(f'functions 1 and 2 deliver bits, not {kind}; write type = "bit"', "type")
    return Point(
        name=row.text("name"),
        function=function,
        address=first_address(row, function, TYPES[kind]),
        type=kind,
        low_word_first=_is_low_first(row, "word_order", required=TYPES[kind] > 1 and "word_order" not in configured),
        low_byte_first=_is_low_first(row, "byte_order", required=False),
        bitmask=_bitmask(row, function, kind),
        scale=_scale(row),
        offset=row.number("offset", 0.0),
        sentinels=row.numbers("sentinels", (), nan_allowed=True),
        expect=row.numbers("expect", ()),
        status=rules,
    )


def _scale(row: Table) -> float:
    scale = row.number("scale", 1.0)
    if scale == 0:
        raise row.error("0 would make every value the same", "scale")
    return scale


def _is_low_first(row: Table, key: str, *, required: bool) -> bool:
    if required and not row.has(key):
        raise row.error("is missing; 32-bit numbers come high_first or low_first, never guess", key)
    return row.text(key, "high_first", choices=("high_first", "low_first")) == "low_first"


def _bitmask(row: Table, function: int, kind: str) -> int:
    bitmask = row.integer("bitmask", 0, minimum=1, maximum=0xFFFF)
    wanted = kind == "bit" and function not in BIT_FUNCTIONS
    if wanted and not bitmask:
        raise row.error("is missing; say which bit of the register, e.g. 0x0001", "bitmask")
    if bitmask and not (wanted or kind == "uint16"):
        raise row.error("is for uint16 registers and for bits in registers only", "bitmask")
    return bitmask


def _status_rule(rule: Table) -> StatusRule:
    found = StatusRule(
        point=rule.text("point"),
        bad_bits=rule.integer("bad_bits", 0, minimum=1, maximum=0xFFFF_FFFF),
        good_bits=rule.integer("good_bits", 0, minimum=1, maximum=0xFFFF_FFFF),
        expect=rule.numbers("expect", ()),
    )
    by_site = rule.text("configured", "", choices=("unit_code",))
    if bool(found.bad_bits) + bool(found.good_bits) + bool(found.expect) + bool(by_site) != 1:
        raise rule.error('expected one of bad_bits, good_bits, expect, configured = "unit_code"', "status")
    rule.done()
    return found


def _channel(row: Table, *, verified: bool) -> Channel | None:
    unit = row.text("unit")
    if unit not in UCUM:
        raise row.error(f"{unit!r} is no UCUM code known here; known: {', '.join(UCUM)}", "unit")
    channel = Channel(
        name=row.text("name"),
        unit=unit,
        kind=Kind(row.text("kind", Kind.MEASUREMENT, choices=tuple(Kind))),
        valid_range=_valid_range(row),
        decimals=row.integer("decimals", 2, minimum=0, maximum=9),
        verified=verified,
    )
    return channel if row.flag("channel", True) else None


def _valid_range(row: Table) -> tuple[float, float] | None:
    if not row.has("valid_range"):
        return None
    bounds = row.numbers("valid_range")
    if len(bounds) != 2 or bounds[0] >= bounds[1]:
        raise row.error("expected [lowest, highest]", "valid_range")
    return bounds[0], bounds[1]
