"""A Thermo TSX on RS-485: Modbus ASCII with the oddities of its manual.

Rows and example frames: TSX installation and operation manual, appendix D, p63-67 (easymanua tsx p68-69, manualslib
2108314 p68-72), TDE manual, appendix B, p30-36 (manualslib 2889433, manualshive 1104666). An address that no page
prints is answered by exception 2. Option ``count`` says what the manual leaves open: ``printed`` sends the frames as
they are printed (count 04 for four bytes, 02 for one, LRC reckoned with 08 and 02), ``characters`` and ``bytes`` count
throughout in the one or the other. Option ``status_address``: where the two status words are, as in the ``frame``
examples or as in the ``table``.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import numpy as np

from cultureops_simulators.device import Device
from cultureops_simulators.instrument import Options, SimulatorError
from cultureops_simulators.thermo_tsx.model import Cabinet, FreezerModel

__all__ = ["Tsx", "TsxDialect", "build"]

PRODUCT_ID: Final = 123456
CONTROL_MODEL: Final = 4
ABSENT_C: Final = -127.0
_COUNTS: Final = ("printed", "characters", "bytes")
_STATUS: Final = {"frame": (0x066F, 0x0670), "table": (0x0671, 0x0674)}
_THERMOCOUPLES: Final = {
    "tc2": 0x04CC,
    "tc3": 0x04D0,
    "tc4": 0x04D4,
    "tc5": 0x04D8,
    "tc7": 0x04E0,
    "tc8": 0x04E4,
    "tc9": 0x04E8,
    "tc10": 0x04EC,
}
_SETPOINTS: Final = {"temperature_setpoint": 0x0530, "warm_alarm_setpoint": 0x0538, "cold_alarm_setpoint": 0x053C}
_LINE: Final = re.compile(rb":(?:[0-9A-F]{2}){3,120}")
_LONGEST_LINE: Final = 300

_Row = tuple[int, Callable[[], bytes]]
"""How many "registers" a query must ask for, and the data."""


def _lrc(data: bytes) -> int:
    total = 0
    for byte in data:
        total = (total + byte) % 256
    return (256 - total) % 256


class TsxDialect:
    """One line: whole frames to its unit are answered, everything else is not heard."""

    def __init__(self, unit_id: int, count: str, rows: Mapping[int, _Row]) -> None:
        self._unit_id, self._count, self._rows = unit_id, count, rows
        self._buffer = b""

    def receive(self, data: bytes) -> bytes:
        """Answer every whole frame; a line that never ends is forgotten."""
        *lines, rest = (self._buffer + data).split(b"\n")
        self._buffer = rest if len(rest) <= _LONGEST_LINE else b""
        return b"".join(self._answer(line.removesuffix(b"\r")) for line in lines)

    def _answer(self, line: bytes) -> bytes:
        if not _LINE.fullmatch(line):
            return b""
        frame = bytes.fromhex(line[1:].decode("ascii"))
        if frame[0] != self._unit_id or _lrc(frame[:-1]) != frame[-1]:
            return b""
        function = frame[1]
        if function != 3:
            return self._exception(function, 1)
        if len(frame) != 7:
            return self._exception(function, 3)
        address, size = struct.unpack(">HH", frame[2:6])
        row = self._rows.get(address)
        if row is None or row[0] != size:
            return self._exception(function, 2)
        return self._data(row[1]())

    def _data(self, data: bytes) -> bytes:
        reckoned = len(data) if self._count == "bytes" else 2 * len(data)
        shown = len(data) if self._count == "printed" and len(data) > 1 else reckoned
        head = bytes([self._unit_id, 3])
        return _line(head + bytes([shown]) + data, _lrc(head + bytes([reckoned]) + data))

    def _exception(self, function: int, code: int) -> bytes:
        body = bytes([self._unit_id, function | 0x80, code])
        return _line(body, _lrc(body))


def _line(body: bytes, check: int) -> bytes:
    return b":" + body.hex().upper().encode("ascii") + b"%02X\r\n" % check


class Tsx(Device[FreezerModel]):
    """An ultra-low freezer, read-only."""

    def __init__(self, name: str, model: FreezerModel, unit_id: int, count: str, status: str) -> None:
        super().__init__(name, model)
        self._unit_id, self._count = unit_id, count
        system, enclosure = _STATUS[status]
        self._rows: dict[int, _Row] = {
            0x0598: (2, lambda: struct.pack(">I", PRODUCT_ID)),
            0x059C: (1, lambda: struct.pack(">B", CONTROL_MODEL)),
            system: (1, lambda: struct.pack(">B", self._system_status())),
            enclosure: (2, lambda: struct.pack(">I", self._enclosure_status())),
        }
        for channel, address in _SETPOINTS.items():
            self._rows[address] = (2, partial(self._tenths, channel))
        for channel, address in _THERMOCOUPLES.items():
            self._rows[address] = (2, partial(self._float, channel))

    def _shown(self, channel: str) -> float:
        return self._model.panel.values.get(channel, ABSENT_C)

    def _tenths(self, channel: str) -> bytes:
        return struct.pack(">i", round(10 * self._shown(channel)))

    def _float(self, channel: str) -> bytes:
        return struct.pack(">f", self._shown(channel))

    def _system_status(self) -> int:
        cabinet = self.cabinet
        return int(cabinet.was_cold) | int(not cabinet.power_ok) << 1

    def _enclosure_status(self) -> int:
        return int(self.cabinet.door_is_open) << 9

    @property
    def cabinet(self) -> Cabinet:
        """The cabinet."""
        return self._model.cabinet

    def dialect(self) -> TsxDialect:
        """Return the wire language for one new connection."""
        return TsxDialect(self._unit_id, self._count, self._rows)

    def upset(self, condition: str, present: bool) -> None:
        """Fail or restore the ``mains``; the line goes on talking from its battery."""
        if condition != "mains":
            raise SimulatorError(f"{self.name}: a freezer can only lose its mains, not {condition!r}")
        self.cabinet.power_ok = not present

    def truth(self) -> dict[str, object]:
        """Return the true state, for tests only."""
        cabinet = self.cabinet
        return {
            **super().truth(),
            "temperature_c": cabinet.temperature_c,
            "is_cooling": cabinet.is_cooling,
            "door_open": cabinet.door_is_open,
        }


def build(name: str, options: Options, rng: np.random.Generator) -> Tsx:
    """Build it; options ``unit_id`` (0..255, 25), ``count``, ``status_address``. Raises SimulatorError."""
    text = str(options.get("unit_id", 0x19))
    if not re.fullmatch(r"\d{1,3}", text) or int(text) > 255:
        raise SimulatorError(f"{name}: unit_id must be 0..255, got {text!r}")
    count = str(options.get("count", "printed"))
    if count not in _COUNTS:
        raise SimulatorError(f"{name}: count must be one of {', '.join(_COUNTS)}, got {count!r}")
    status = str(options.get("status_address", "frame"))
    if status not in _STATUS:
        raise SimulatorError(f"{name}: status_address must be one of {', '.join(_STATUS)}, got {status!r}")
    return Tsx(name, FreezerModel(rng), int(text), count, status)
