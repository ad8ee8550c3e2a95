"""The driver contract for a Rotanta, over a pseudo-terminal, which must not touch its control characters."""

from __future__ import annotations

from pathlib import Path

from cultureops.device.driver import Driver
from cultureops.device.transport.open import open_link
from cultureops.testing import DriverContract, Instrument, PtyInstrument
from cultureops_drivers.hettich_rotanta import create


def telegram(code: bytes, word: int) -> bytes:
    text = code + b"=%04X\x03" % word
    check = 0
    for byte in text:
        check ^= byte
    return b"T\x02" + text + bytes([check])


class TestSerial(DriverContract):
    first = {
        "standstill": 1.0,
        "program": 1.0,
        "lid": 0.0,
        "rotor": 9.0,
        "key_lock": 2.0,
        "hatch": 0.0,
        "rotor_position": 2.0,
        "rotor_positions": 6.0,
    }
    second = {**first, "standstill": 0.0, "program": 6.0, "rotor": 3.0, "rotor_position": 3.0}

    def instrument(self, folder: object) -> Instrument:
        assert isinstance(folder, Path)
        return PtyInstrument(self.answer, b"\x05", folder)

    def driver(self, address: str) -> Driver:
        link = open_link(f"serial://{address}?baudrate=9600", self.deadline_s)
        return create("centrifuge_1", link, {"address": "T"})

    def answer(self, request: bytes) -> bytes:
        value = {name: int(number) for name, number in self.values.items()}
        assert request[:2] == b"\x04T" and request[7:] == b"\x05"
        words = {
            b"00537": 0xC800,
            b"00634": value["program"] << 8 | 0x60 | value["standstill"] << 1,
            b"00635": 0x0200 | value["rotor"] << 4 | value["key_lock"],
            b"00528": 0x1800,
            b"00524": value["rotor_positions"] << 8 | value["rotor_position"],
        }
        return telegram(request[2:7], words[request[2:7]])
