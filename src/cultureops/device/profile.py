"""Device profiles: what a Modbus device's manual says, as a TOML file.

``[device]``: ``vendor model class source confidence`` and optionally ``page ours unit_id max_gap min_gap_ms
one_connection quirks``; ``[device.serial]``: the port settings the device leaves the factory with;
``[[device.block]]`` (``function address count``, optionally ``base``): registers that are always read whole;
``[device.configured]``: what an owner may have set otherwise (``word_order decimals unit_code``) and where on the
instrument it can be seen, which the site file must say.

``[[point]]``: ``name address function type unit`` and optionally ``base word_order byte_order bitmask scale offset
sentinels expect decimals valid_range kind channel access writes configured status source page confidence``; what a
point does not say of source, page and confidence it takes from the device. Confidence: V and V* were read in the source
(V* recomputed too), 2 is second-hand and makes the channel unverified, U (unknown) is refused. ``writes = { function,
warning }`` records what the manual says; nothing is ever written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from cultureops import config
from cultureops.config import Table
from cultureops.device.channel import STANDARD_NAMES, Channel
from cultureops.device.driver import Identity
from cultureops.device.profile_point import CONFIGURABLE, ProfilePoint, fact, first_address, read_point
from cultureops.device.register import BIT_FUNCTIONS, MAX_BITS, MAX_REGISTERS, Block, Point, StatusRule
from cultureops.device.transport.serial import SerialSettings

__all__ = ["MOST_DECIMALS", "WORD_ORDERS", "Profile", "ProfilePoint", "Settings", "load_profile", "parse_profile"]

WORD_ORDERS: Final = ("high_first", "low_first")
MOST_DECIMALS: Final = 4
"""The most decimals that a site file may claim for an instrument's whole numbers; more is a typing error."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the owner set on an instrument, as far as its profile leaves it open (None: not said)."""

    word_order: str | None = None
    decimals: int | None = None
    unit_code: int | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """One device type; ``max_gap`` in registers, ``min_gap_s`` between an answer and the next request [s].

    ``configured`` says for each setting that only the site file knows where it can be seen on the instrument.
    """

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
    blocks: tuple[Block, ...] = ()
    quirks: tuple[str, ...] = ()
    configured: Mapping[str, str] = field(default_factory=dict)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels in file order."""
        return tuple(row.channel for row in self.points if row.channel is not None)

    @property
    def cautions(self) -> tuple[str, ...]:
        """What a person should know before connecting the device: its quirks, and what writing would cost."""
        alone = ("takes one connection only; close every other program",) if self.one_connection else ()
        warned = {row.writes.warning: None for row in self.points if row.writes is not None and row.writes.warning}
        return (*alone, *self.quirks, *warned)

    def settled(self, settings: Settings) -> Profile:
        """Return the profile with what the owner set on the instrument; every open setting must be given."""
        points = tuple(_settled(row, settings) for row in self.points)
        return replace(self, points=points, configured={})


def _settled(row: ProfilePoint, settings: Settings) -> ProfilePoint:
    point, channel = row.point, row.channel
    if "word_order" in row.configured:
        point = replace(point, low_word_first=settings.word_order == "low_first")
    if "decimals" in row.configured and settings.decimals is not None:
        point = replace(point, scale=point.scale / 10**settings.decimals)
        channel = None if channel is None else replace(channel, decimals=settings.decimals)
    if "unit_code" in row.configured and settings.unit_code is not None:
        point = replace(point, status=tuple(_agreed(rule, settings.unit_code) for rule in point.status))
    return replace(row, point=point, channel=channel, configured=())


def _agreed(rule: StatusRule, unit_code: int) -> StatusRule:
    return replace(rule, expect=(float(unit_code),)) if rule.is_open else rule


def load_profile(path: Path) -> Profile:
    """Read a profile; raise ConfigError with file and line for a wrong one."""
    return parse_profile(config.load(path))


def parse_profile(table: Table) -> Profile:
    """Read a profile out of a parsed file; raise ConfigError with file and line for a wrong one."""
    device = table.table("device")
    rows = table.tables("point")
    if not rows:
        raise table.error("has no [[point]]; add at least one", "point")
    points = tuple(read_point(row, device) for row in rows)
    table.done()
    profile = Profile(
        file=table.file,
        identity=Identity(device.text("vendor"), device.text("model")),
        device_class=device.text("class", choices=tuple(STANDARD_NAMES)),
        ours=device.flag("ours", False),
        unit_id=device.integer("unit_id", 1, minimum=1, maximum=247),
        max_gap=device.integer("max_gap", 0, minimum=0, maximum=124),
        min_gap_s=device.number("min_gap_ms", 0, minimum=0, maximum=10_000) / 1000,
        one_connection=device.flag("one_connection", False),
        serial=_serial(device),
        points=points,
        blocks=_blocks(device, [row.point for row in points]),
        quirks=device.texts("quirks"),
        configured=_open_settings(device, {name for row in points for name in row.configured}),
    )
    fact(device, device, "source"), device.text("page", ""), device.text("confidence", "")
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


def _blocks(device: Table, points: Sequence[Point]) -> tuple[Block, ...]:
    blocks: list[Block] = []
    for row in device.tables("block"):
        function = row.integer("function", minimum=1, maximum=4)
        count = row.integer("count", minimum=1, maximum=MAX_BITS if function in BIT_FUNCTIONS else MAX_REGISTERS)
        block = Block(function, first_address(row, function, count), count)
        for point in points:
            if block.cuts(point):
                raise row.error(f"cuts through the point {point.name!r}; a block holds whole points", "count")
        row.done()
        blocks.append(block)
    return tuple(blocks)


def _open_settings(device: Table, used: set[str]) -> Mapping[str, str]:
    """Read where the open settings can be seen; each must be used by a point, and each used one must stand here."""
    table = device.optional_table("configured")
    said = {} if table is None else {name: table.text(name) for name in CONFIGURABLE if table.has(name)}
    if table is not None:
        table.done()
        for name in said:
            if name not in used:
                raise table.error("no point takes it from the site file; remove it", name)
    for name in CONFIGURABLE:
        if name in used and name not in said:
            raise device.error(f"is missing for {name}; say where the owner sees it on the instrument", "configured")
    return said


def _check_names(rows: tuple[Table, ...], points: tuple[ProfilePoint, ...]) -> None:
    names: set[str] = set()
    known = {point.point.name: point.point for point in points}
    for row, point in zip(rows, points, strict=True):
        if point.point.name in names:
            raise row.error(f"{point.point.name!r} stands twice in this file", "name")
        names.add(point.point.name)
        for rule in point.point.status:
            if rule.point not in known:
                raise row.error(f"there is no point {rule.point!r} in this file", "status")
            if known[rule.point].type == "float32":
                raise row.error(f"{rule.point!r} is a float32, which has no bits or codes", "status")
