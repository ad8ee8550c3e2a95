"""The driver contract for the STX, over a pseudo-terminal and over TCP."""

from __future__ import annotations

from pathlib import Path

import pytest

from cultureops.device.driver import Driver
from cultureops.device.transport.open import open_link
from cultureops.testing import DriverContract, Instrument, PtyInstrument, TcpInstrument
from cultureops_drivers.liconic_stx import create, driver

MEMORIES = {
    b"DM982": ("temperature", 10),
    b"DM890": ("temperature_setpoint", 10),
    b"DM985": ("o2", 100),
    b"DM895": ("o2_setpoint", 100),
    b"DM200": ("error_code", 1),
    b"1915": ("ready", 1),
    b"1814": ("error", 1),
    b"1813": ("transfer_station", 1),
    b"1812": ("shovel", 1),
}

OPTIONS = {"fitted": "temperature", "gas_1": "o2"}


class TestSerial(DriverContract):
    first = {
        "temperature": 37.3,
        "temperature_setpoint": 37.0,
        "o2": 18.5,
        "o2_setpoint": 18.0,
        "error_code": 0,
        "ready": 1,
        "error": 0,
        "transfer_station": 1,
        "shovel": 0,
    }
    second = {
        "temperature": 4.0,
        "temperature_setpoint": 4.5,
        "o2": 5.5,
        "o2_setpoint": 5.0,
        "error_code": 12,
        "ready": 0,
        "error": 1,
        "transfer_station": 0,
        "shovel": 1,
    }

    @pytest.fixture(autouse=True)
    def no_long_break(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The contract's clock has no room for the break that comes before a dialogue."""
        monkeypatch.setattr(driver, "BREAK_S", 0.001)
        monkeypatch.setattr(driver, "PAUSE_S", 0.001)

    def instrument(self, folder: object) -> Instrument:
        assert isinstance(folder, Path)
        return PtyInstrument(self.answer, b"\r", folder)

    def driver(self, address: str) -> Driver:
        # a pseudo-terminal has no parity
        return create("stx_1", open_link(f"serial://{address}?rtscts=1", self.deadline_s), OPTIONS)

    def answer(self, request: bytes) -> bytes:
        match request.split():
            case [b"CR"]:
                return b"CC\r\n"
            case [b"CQ"]:
                return b"CF\r\n"
            case [b"RD", address]:
                name, per_unit = MEMORIES[address]
                width = 5 if address.startswith(b"DM") else 1
                return b"%0*d\r\n" % (width, round(self.values[name] * per_unit))
            case _:
                raise AssertionError(f"must never be sent: {request!r}")


class TestTcp(TestSerial):
    def instrument(self, folder: object) -> Instrument:
        return TcpInstrument(self.answer, b"\r")

    def driver(self, address: str) -> Driver:
        return create("stx_1", open_link(f"tcp://{address}", self.deadline_s), OPTIONS)
