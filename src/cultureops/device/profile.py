"""Device profiles: what a Modbus device's manual says, as a TOML file.

``[device]``: ``vendor model class source confidence`` and optionally ``page ours unit_id max_gap min_gap_ms
one_connection``; ``[device.serial]``: the port settings the device leaves the factory with. ``[[point]]``: ``name
address function type unit`` and optionally ``base word_order byte_order bitmask scale offset sentinels expect decimals
valid_range kind channel access status source page confidence``; what a point does not say of source, page and
confidence it takes from the device. Confidence: V and V* were read in the source (V* recomputed too), 2 is second-hand
and makes the channel unverified, U (unknown) is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cultureops import config
from cultureops.config import Table
from cultureops.device.channel import Channel, Kind
from cultureops.device.driver import Identity
from cultureops.device.register import BIT_FUNCTIONS, TYPES, Point, StatusRule
from cultureops.device.transport.serial import SerialSettings
from cultureops.errors import ConfigError
from cultureops.units import UCUM

__all__ = ["Profile", "ProfilePoint", "load_profile", "parse_profile"]

_CONFIDENCES: Final = ("V", "V*", "2", "U")


@dataclass(frozen=True, slots=True)
class ProfilePoint:
    """A point, the channel it feeds (None: a status or version that is no channel) and where its facts come from."""

    point: Point
    channel: Channel | None
    source: str
    page: str
    confidence: str


@dataclass(frozen=True, slots=True)
class Profile:
    """One device type; ``max_gap`` in registers, ``min_gap_s`` between an answer and the next request [s]."""

    file: str
    identity: Identity
    device_class: str
    ours: bool
    unit_id: int
    max_gap: int
    min_gap_s: float
    one_connection: bool
    serial: SerialSettings | None
    points: tuple[ProfilePoint, ...]

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels in file order."""
        return tuple(row.channel for row in self.points if row.channel is not None)


def load_profile(path: Path) -> Profile:
    """Read a profile; raise ConfigError with file and line for a wrong one."""
    return parse_profile(config.load(path))


def parse_profile(table: Table) -> Profile:
    """Read a profile out of a parsed file; raise ConfigError with file and line for a wrong one."""
    device = table.table("device")
    rows = table.tables("point")
    if not rows:
        raise table.error("has no [[point]]; add at least one", "point")
    points = tuple(_profile_point(row, device) for row in rows)
    table.done()
    profile = Profile(
        file=table.file,
        identity=Identity(device.text("vendor"), device.text("model")),
        device_class=device.text("class"),
        ours=device.flag("ours", False),
        unit_id=device.integer("unit_id", 1, minimum=1, maximum=247),
        max_gap=device.integer("max_gap", 0, minimum=0, maximum=124),
        min_gap_s=device.number("min_gap_ms", 0, minimum=0, maximum=10_000) / 1000,
        one_connection=device.flag("one_connection", False),
        serial=_serial(device),
        points=points,
    )
    _fact(device, device, "source"), device.text("page", ""), device.text("confidence", "")
    device.done()
    _check_names(rows, points)
    return profile


def _serial(device: Table) -> SerialSettings | None:
    table = device.optional_table("serial")
    if table is None:
        return None
    default = SerialSettings()
    settings = SerialSettings(
        baudrate=table.integer("baudrate", default.baudrate, minimum=300, maximum=4_000_000),
        bytesize=table.integer("bytesize", default.bytesize, minimum=5, maximum=8),
        parity=table.text("parity", default.parity, choices=("N", "E", "O")),
        stopbits=table.integer("stopbits", default.stopbits, minimum=1, maximum=2),
    )
    table.done()
    return settings


def _fact(row: Table, device: Table, key: str) -> str:
    """Return where a fact comes from, or how sure it is: the point's own word, else the device's."""
    value = row.text(key, "") or device.text(key, "")
    if not value:
        raise row.error("is missing here and in [device]; nothing is loaded without it", key)
    return value


def _profile_point(row: Table, device: Table) -> ProfilePoint:
    confidence = _fact(row, device, "confidence")
    where = row if row.has("confidence") else device
    if confidence not in _CONFIDENCES:
        raise where.error(f"expected one of {', '.join(_CONFIDENCES)}, not {confidence!r}", "confidence")
    if confidence == "U":
        raise where.error("U means that nobody knows; such a point is never loaded", "confidence")
    found = ProfilePoint(
        point=_point(row),
        channel=_channel(row, verified=confidence != "2"),
        source=_fact(row, device, "source"),
        page=row.text("page", device.text("page", "")),
        confidence=confidence,
    )
    row.text("access", "r", choices=("r", "rw"))
    row.done()
    return found


def _point(row: Table) -> Point:
    function = row.integer("function", minimum=1, maximum=4)
    kind = row.text("type", choices=tuple(TYPES))
    base = row.integer("base", 0, minimum=0, maximum=1)
    address = row.integer("address", minimum=base, maximum=65_536) - base
    if address + TYPES[kind] > 65_536:
        raise row.error("lies beyond the last register 65535", "address")
    if function in BIT_FUNCTIONS and kind != "bit":
        raise row.error(f'functions 1 and 2 deliver bits, not {kind}; write type = "bit"', "type")
    return Point(
        name=row.text("name"),
        function=function,
        address=address,
        type=kind,
        low_word_first=_is_low_first(row, "word_order", required=TYPES[kind] > 1),
        low_byte_first=_is_low_first(row, "byte_order", required=False),
        bitmask=_bitmask(row, function, kind),
        scale=_scale(row),
        offset=row.number("offset", 0.0),
        sentinels=row.numbers("sentinels", ()),
        expect=row.numbers("expect", ()),
        status=tuple(_status_rule(rule) for rule in row.tables("status")),
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
    found = StatusRule(rule.text("point"), rule.integer("bad_bits", minimum=1, maximum=0xFFFF_FFFF))
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


def _check_names(rows: tuple[Table, ...], points: tuple[ProfilePoint, ...]) -> None:
    names: set[str] = set()
    known = {point.point.name for point in points}
    for row, point in zip(rows, points, strict=True):
        if point.point.name in names:
            raise row.error(f"{point.point.name!r} stands twice in this file", "name")
        names.add(point.point.name)
        for rule in point.point.status:
            if rule.point not in known:
                raise _unknown_status(row, rule.point)


def _unknown_status(row: Table, name: str) -> ConfigError:
    return row.error(f"there is no point {name!r} in this file", "status")
