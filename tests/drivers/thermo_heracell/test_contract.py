"""The driver contract for the Heracell, over a pseudo-terminal and over TCP."""

from __future__ import annotations

from pathlib import Path

from cultureops.device.driver import Driver
from cultureops.device.transport.open import open_link
from cultureops.testing import DriverContract, Instrument, PtyInstrument, TcpInstrument
from cultureops_drivers.thermo_heracell import create


def framed(address: str, payload: str) -> bytes:
    head = f"!:{address}:{len(payload):02x}:{payload}:".encode()
    check = 0xFF
    for byte in head:
        check ^= byte
    return head + f"{check:02x}\r".encode()


GUARD = {
    "co2_supply_a_active": 0x01,
    "co2_supply_b_active": 0x02,
    "co2_supply_a_pressure_ok": 0x10,
    "co2_supply_b_pressure_ok": 0x20,
}


def guard(status: int) -> dict[str, float]:
    return {name: float(bool(status & mask)) for name, mask in GUARD.items()}


class TestSerial(DriverContract):
    first = {"temperature": 36.95, "temperature_setpoint": 37.0, "co2": 5.02, "co2_setpoint": 5.0, **guard(0x31)}
    second = {"temperature": 31.4, "temperature_setpoint": 36.5, "co2": 0.11, "co2_setpoint": 5.5, **guard(0x02)}

    def instrument(self, folder: object) -> Instrument:
        assert isinstance(folder, Path)
        return PtyInstrument(self.answer, b"\r", folder)

    def driver(self, address: str) -> Driver:
        return create(
            "heracell_4", open_link(f"serial://{address}?baudrate=9600", self.deadline_s), {"gas_guard": "co2"}
        )

    def answer(self, request: bytes) -> bytes:
        match request:
            case b"?:0001:00::c1\r":
                return framed("0001", "V01.0203")
            case b"?:2010:00::c3\r":
                return framed("2010", self.loop("temperature"))
            case b"?:2020:00::c0\r":
                return framed("2020", self.loop("co2"))
            case b"?:2140:00::c7\r":
                return framed("2140", f"{sum(mask for name, mask in GUARD.items() if self.values[name]):02x}")
            case _:
                return framed(request[2:6].decode(), "?1")

    def loop(self, name: str) -> str:
        actual = f"{self.values[name]:+07.2f}"
        return f"{self.values[f'{name}_setpoint']:+07.2f};{actual};{actual};{actual}"


class TestTcp(TestSerial):
    def instrument(self, folder: object) -> Instrument:
        return TcpInstrument(self.answer, b"\r")

    def driver(self, address: str) -> Driver:
        return create("heracell_4", open_link(f"tcp://{address}", self.deadline_s), {"gas_guard": "co2"})
