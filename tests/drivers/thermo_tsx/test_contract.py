"""The driver contract for the TSX, over a pseudo-terminal."""

from __future__ import annotations

import struct
from pathlib import Path

from cultureops.device.driver import Driver
from cultureops.device.transport.open import open_link
from cultureops.testing import DriverContract, Instrument, PtyInstrument
from cultureops_drivers.thermo_tsx import create

SETPOINTS = {0x530: "temperature_setpoint", 0x538: "warm_alarm_setpoint", 0x53C: "cold_alarm_setpoint"}
THERMOCOUPLES = {
    0x4CC: "tc2", 0x4D0: "tc3", 0x4D4: "tc4", 0x4D8: "tc5", 0x4E0: "tc7", 0x4E4: "tc8", 0x4E8: "tc9", 0x4EC: "tc10",
}  # fmt: skip


def as_printed(data: bytes) -> bytes:
    """Count four bytes as 04 and one as 02, and reckon the LRC with the number of characters."""
    check = -(0x19 + 3 + 2 * len(data) + sum(data)) & 0xFF
    count = 2 if len(data) == 1 else len(data)
    return b":1903" + b"%02X" % count + data.hex().upper().encode() + b"%02X\r\n" % check


class TestSerial(DriverContract):
    first = {
        "temperature_setpoint": -80.0,
        "warm_alarm_setpoint": -70.0,
        "cold_alarm_setpoint": -90.0,
        **{name: -79.5 - number / 4 for number, name in enumerate(THERMOCOUPLES.values())},
    }
    second = {**first, "temperature_setpoint": -75.5, "tc2": -41.25, "tc10": 23.75}

    def instrument(self, folder: object) -> Instrument:
        assert isinstance(folder, Path)
        return PtyInstrument(self.answer, b"\r\n", folder)

    def driver(self, address: str) -> Driver:
        # a pseudo-terminal takes 8N1 only; the freezer's own 7E1 is in SCAN_SETTINGS
        return create("ult_1", open_link(f"serial://{address}?baudrate=9600", self.deadline_s), {})

    def answer(self, request: bytes) -> bytes:
        assert request.startswith(b":1903")
        address = int(request[5:9], 16)
        if address in SETPOINTS:
            return as_printed(struct.pack(">i", round(10 * self.values[SETPOINTS[address]])))
        if address in THERMOCOUPLES:
            return as_printed(struct.pack(">f", self.values[THERMOCOUPLES[address]]))
        return {0x598: as_printed(b"\x00\x01\xe2\x40"), 0x59C: as_printed(b"\x04")}[address]
