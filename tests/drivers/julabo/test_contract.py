"""The driver contract for a JULABO bath, as behind a terminal server."""

from __future__ import annotations

from cultureops.device.driver import Driver
from cultureops.device.transport.open import open_link
from cultureops.testing import DriverContract, Instrument, TcpInstrument
from cultureops_drivers.julabo import create

STATUS = {0.0: b"00 MANUAL STOP\r\n", 3.0: b"03 REMOTE START\r\n"}


class TestTcp(DriverContract):
    first = {
        "temperature": 36.98,
        "temperature_setpoint": 37.0,
        "heating_power": 12.0,
        "external_temperature": 36.5,
        "safety_temperature": 37.1,
        "running": 1.0,
        "status": 3.0,
    }
    second = {**first, "temperature": 21.4, "heating_power": 0.0, "running": 0.0, "status": 0.0}

    def instrument(self, folder: object) -> Instrument:
        return TcpInstrument(self.answer, b"\r")

    def driver(self, address: str) -> Driver:
        return create("bath_1", open_link(f"tcp://{address}", self.deadline_s), {"min_gap_ms": 10})

    def answer(self, request: bytes) -> bytes:
        match request:
            case b"version\r":
                return b"JULABO TECHNOLOGY 1.5\r\n"
            case b"in_pv_00\r":
                return b"%.2f\r\n" % self.values["temperature"]
            case b"in_sp_00\r":
                return b"%.2f\n" % self.values["temperature_setpoint"]
            case b"in_pv_01\r":
                return b"%03.0f\r\n" % self.values["heating_power"]
            case b"in_pv_02\r":
                return b" %.2f\n" % self.values["external_temperature"]
            case b"in_pv_03\r":
                return b"%.2f\r\n" % self.values["safety_temperature"]
            case b"status\r":
                return STATUS[self.values["status"]]
            case _:
                raise AssertionError(f"must never be sent: {request!r}")
