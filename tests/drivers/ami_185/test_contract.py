"""The driver contract for the AMI 185, as behind a terminal server."""

from __future__ import annotations

from cultureops.device.driver import Driver
from cultureops.device.transport.open import open_link
from cultureops.testing import DriverContract, Instrument, TcpInstrument
from cultureops_drivers.ami_185 import create

WORDS = {
    b"LEVEL\r\n": "level",
    b"HI\r\n": "level_high_limit",
    b"LO\r\n": "level_low_limit",
    b"A\r\n": "fill_stop_level",
    b"B\r\n": "fill_start_level",
}


class TestTcp(DriverContract):
    first = {
        "level": 62.5,
        "level_high_limit": 90.0,
        "level_low_limit": 50.0,
        "fill_stop_level": 80.0,
        "fill_start_level": 60.0,
    }
    second = {**first, "level": 41.3, "level_low_limit": 45.0}

    def instrument(self, folder: object) -> Instrument:
        return TcpInstrument(self.answer, b"\r\n")

    def driver(self, address: str) -> Driver:
        return create("level_1", open_link(f"tcp://{address}", self.deadline_s), {})

    def answer(self, request: bytes) -> bytes:
        return b"%\r\n" if request == b"UNIT\r\n" else b"%.1f\r\n" % self.values[WORDS[request]]
