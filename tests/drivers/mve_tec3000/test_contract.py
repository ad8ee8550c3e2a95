"""The driver contract for the MVE TEC 3000, as behind a terminal server."""

from __future__ import annotations

from cultureops.device.driver import Driver
from cultureops.device.transport.open import open_link
from cultureops.testing import DriverContract, Instrument, TcpInstrument
from cultureops_drivers.mve_tec3000 import create


class TestTcp(DriverContract):
    first = {"temp_a": -197.1, "fill": 0.0, "fill_time": 0.0, "fill_alarm": 0.0, "bypass": 1.0}
    second = {"temp_a": -150.25, "fill": 1.0, "fill_time": 312.0, "fill_alarm": 1.0, "bypass": 0.0}

    def instrument(self, folder: object) -> Instrument:
        return TcpInstrument(self.answer, b"\r\n")

    def driver(self, address: str) -> Driver:
        return create("mve_1", open_link(f"tcp://{address}", self.deadline_s), {})

    def answer(self, request: bytes) -> bytes:
        match request:
            case b"*IDN?\r\n":
                return b"Controller, Software ver. 2.02\r\n"
            case b"TEMPA?\r\n":
                return f"{self.values['temp_a']:.2f}\r\n".encode()
            case b"FILL?\r\n":
                return f"{self.values['fill']:.0f}\r\n".encode()
            case b"FILTIM?\r\n":
                return f"{self.values['fill_time']:03.0f}\r\n".encode()
            case b"FILAS?\r\n":
                return f"{self.values['fill_alarm']:.0f}\r\n".encode()
            case b"BPFIL?\r\n":
                return f"{self.values['bypass']:.0f}\r\n".encode()
            case _:
                raise AssertionError(f"must never be sent: {request!r}")
