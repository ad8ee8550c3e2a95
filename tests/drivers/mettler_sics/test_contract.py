"""The driver contract for a balance, on a socket of its own."""

from __future__ import annotations

from cultureops.device.driver import Driver
from cultureops.device.transport.open import open_link
from cultureops.testing import DriverContract, Instrument, TcpInstrument
from cultureops_drivers.mettler_sics import create


class TestTcp(DriverContract):
    first = {"weight": 12.34, "stable": 1.0}
    second = {"weight": -0.0082, "stable": 0.0}

    def instrument(self, folder: object) -> Instrument:
        return TcpInstrument(self.answer, b"\r\n")

    def driver(self, address: str) -> Driver:
        return create("balance_1", open_link(f"tcp://{address}", self.deadline_s), {})

    def answer(self, request: bytes) -> bytes:
        match request:
            case b"SI\r\n":
                return b"S %c %10.4f g\r\n" % (b"DS"[int(self.values["stable"])], self.values["weight"])
            case b"I2\r\n":
                return b'I2 A "XS204 Excellence 220.0090 g"\r\n'
            case b"I3\r\n":
                return b'I3 A "1.00"\r\n'
            case b"I4\r\n":
                return b'I4 A "123456"\r\n'
            case _:
                raise AssertionError(f"must never be sent: {request!r}")
