"""The driver contract for the Cytomat, over a pseudo-terminal and over TCP."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cultureops.device.driver import Driver
from cultureops.device.transport.open import open_link
from cultureops.testing import DriverContract, Instrument, PtyInstrument, TcpInstrument
from cultureops_drivers.thermo_cytomat import create

BITS = ("transfer_station", "door", "gate", "shovel", "error", "warning", "ready", "busy")


def values(climate: Mapping[str, float], bits: int, **codes: float) -> dict[str, float]:
    overview = {name: float(bits >> (7 - place) & 1) for place, name in enumerate(BITS)}
    return {**climate, **overview, **codes}


class TestSerial(DriverContract):
    first = values(
        {"temperature": 36.9, "temperature_setpoint": 37.0, "co2": 4.9, "co2_setpoint": 5.0},
        0b10000010,
        error_code=0,
        warning_code=0,
        action_target=1,
        action=0x0B,
    )
    second = values(
        {"temperature": 28.4, "temperature_setpoint": 30.0, "co2": 0.1, "co2_setpoint": 7.5},
        0b01111101,
        error_code=0x0D,
        warning_code=9,
        action_target=4,
        action=0x15,
    )

    def instrument(self, folder: object) -> Instrument:
        assert isinstance(folder, Path)
        return PtyInstrument(self.answer, b"\r", folder)

    def driver(self, address: str) -> Driver:
        return create("cytomat_1", open_link(f"serial://{address}", self.deadline_s), {})

    def answer(self, request: bytes) -> bytes:
        now = self.values
        match request:
            case b"ch:it\r":
                return f"it {now['temperature_setpoint']:+05.1f} {now['temperature']:+05.1f}\r".encode()
            case b"ch:ic\r":
                return f"ic {now['co2_setpoint']:+05.1f} {now['co2']:+05.1f}\r".encode()
            case b"ch:bs\r":
                byte = sum(int(now[name]) << (7 - place) for place, name in enumerate(BITS))
                return f"bs {byte:02X}\r".encode()
            case b"ch:be\r":
                return f"be {int(now['error_code']):02X}\r".encode()
            case b"ch:bw\r":
                return f"bw {int(now['warning_code']):02X}\r".encode()
            case b"ch:ba\r":
                return f"ba {int(now['action_target']) << 5 | int(now['action']):02X}\r".encode()
            case _:
                raise AssertionError(f"must never be sent: {request!r}")


class TestTcp(TestSerial):
    def instrument(self, folder: object) -> Instrument:
        return TcpInstrument(self.answer, b"\r")

    def driver(self, address: str) -> Driver:
        return create("cytomat_1", open_link(f"tcp://{address}", self.deadline_s), {})
