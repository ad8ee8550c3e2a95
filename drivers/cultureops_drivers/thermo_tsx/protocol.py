r"""Modbus ASCII as TSX and TDE freezers speak it, without any I/O.

A query is ``:uuffaaaannnncc\r\n`` in upper-case hex: unit, function 03, address, size, LRC. The freezers depart from
the standard: the manual prints the byte count of an answer sometimes as data bytes and sometimes as data characters,
while its LRC holds only when reckoned with the number of characters; and a value of one byte comes as one byte. What a
freezer really sends nobody has published, so both counts are understood, and one freezer is held to the reckoning of
its first answer. Source: TSX installation and operation manual, appendix D, p63-67; TDE manual, appendix B, p30-36.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from enum import Enum
from typing import Final

from cultureops.errors import DeviceFault, ProtocolError

__all__ = [
    "ABSENT",
    "COLD_ALARM",
    "CONTROL_MODEL",
    "END",
    "PRODUCT_ID",
    "SETPOINT",
    "THERMOCOUPLES",
    "WARM_ALARM",
    "Item",
    "Reckoning",
    "data_of",
    "lrc",
    "query",
    "status_items",
]

END: Final = b"\r\n"
ABSENT: Final = -127.0
"""What a thermocouple that is not there reads [degC] (0xC2FE0000)."""

_READ: Final = 3
_ANSWER = re.compile(rb":((?:[0-9A-F]{2}){4,})\r\n")
_EXCEPTIONS: Final = {1: "illegal function", 2: "illegal data address", 3: "illegal data value", 4: "device failure"}


class Reckoning(Enum):
    """The count of data that an answer's LRC was reckoned with, whichever of them stands in its count field."""

    BYTES = 1
    CHARACTERS = 2


@dataclass(frozen=True, slots=True)
class Item:
    """One row of the parameter table; ``size`` is what a query asks for, ``code`` a struct format of the data."""

    name: str
    address: int
    size: int
    code: str
    scale: float = 1.0

    @property
    def data_bytes(self) -> int:
        """How many bytes of data its answer carries."""
        return struct.calcsize(self.code)

    def number(self, data: bytes) -> float:
        """Return the number, scaled."""
        (raw,) = struct.unpack(self.code, data)
        return float(raw) * self.scale


SETPOINT: Final = Item("temperature_setpoint", 0x530, 2, ">i", 0.1)
WARM_ALARM: Final = Item("warm_alarm_setpoint", 0x538, 2, ">i", 0.1)
COLD_ALARM: Final = Item("cold_alarm_setpoint", 0x53C, 2, ">i", 0.1)
PRODUCT_ID: Final = Item("product_id", 0x598, 2, ">I")
CONTROL_MODEL: Final = Item("control_model", 0x59C, 1, ">B")
THERMOCOUPLES: Final = tuple(
    Item(f"tc{number}", address, 2, ">f")
    for number, address in (
        (2, 0x4CC), (3, 0x4D0), (4, 0x4D4), (5, 0x4D8), (7, 0x4E0), (8, 0x4E4), (9, 0x4E8), (10, 0x4EC),
    )
)  # fmt: skip
"""TC1 and TC6 are in no table."""

_STATUS_ADDRESSES: Final = {"frame": (0x66F, 0x670), "table": (0x671, 0x674)}


def status_items(place: str) -> tuple[Item, Item]:
    """Return system status and relay enclosure status where ``place`` puts them: ``frame`` or ``table``.

    The manual's table and its own example frames disagree about these two addresses.
    """
    system, enclosure = _STATUS_ADDRESSES[place]
    return Item("system_status", system, 1, ">B"), Item("enclosure_status", enclosure, 2, ">I")


def lrc(data: bytes) -> int:
    """Return the two's complement of the sum of all bytes (Modbus over serial line V1.02, 6.2.1)."""
    return -sum(data) & 0xFF


def query(unit_id: int, item: Item) -> bytes:
    """Return the query for an item of the freezer with that address (0-255)."""
    frame = struct.pack(">BBHH", unit_id, _READ, item.address, item.size)
    return b":" + (frame + bytes([lrc(frame)])).hex().upper().encode() + END


def data_of(answer: bytes, unit_id: int, item: Item, known: Reckoning | None = None) -> tuple[bytes, Reckoning]:
    """Return the data of an answer and how its LRC was reckoned; with ``known`` only that reckoning is accepted.

    Raises ProtocolError for a wrong structure, LRC, unit, function, count or length, and DeviceFault for an exception.
    """
    where = f"{item.name} (0x{item.address:03X})"
    found = _ANSWER.fullmatch(answer)
    if found is None:
        raise ProtocolError(f"{where}: not a Modbus ASCII answer: {answer[:60]!r}")
    *body, check = bytes.fromhex(found[1].decode())
    if body[0] != unit_id or body[1] & 0x7F != _READ:
        raise ProtocolError(f"{where}: unit {body[0]} function {body[1]} answered, not unit {unit_id} function {_READ}")
    if body[1] != _READ:
        if len(body) != 3 or check != lrc(bytes(body)):
            raise ProtocolError(f"{where}: a garbled exception: {answer[:60]!r}")
        raise DeviceFault(f"{where}: exception {body[2]} ({_EXCEPTIONS.get(body[2], 'unknown')})")
    count, data = body[2], bytes(body[3:])
    if len(data) != item.data_bytes:
        raise ProtocolError(f"{where}: {len(data)} bytes of data instead of {item.data_bytes}: {answer[:60]!r}")
    for reckoning in Reckoning if known is None else (known,):
        reckoned = len(data) * reckoning.value
        if count in (len(data), reckoned) and check == lrc(bytes([*body[:2], reckoned]) + data):
            return data, reckoning
    raise ProtocolError(f"{where}: count {count:02X} and LRC {check:02X} do not fit the data: {answer[:60]!r}")
