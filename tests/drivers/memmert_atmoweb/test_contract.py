"""The driver contract for AtmoWEB: a chamber that hangs up behind its answer, and one that says how long it is."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Final

import pytest

from cultureops.device.driver import Driver, Identity
from cultureops.device.reading import Reason, Sample
from cultureops.device.transport.open import open_link
from cultureops.errors import ProtocolError
from cultureops.testing import DriverContract, Instrument, TcpInstrument
from cultureops_drivers.memmert_atmoweb import create

KEYS: Final = {
    "Temp1Read": "temperature",
    "TempSet": "temperature_setpoint",
    "CO2Read": "co2",
    "CO2Set": "co2_setpoint",
    "DoorOpen": "door",
}
HEAD: Final = "HTTP/1.1 200 OK\r\nContent-Type: Unknown\r\nServer: Memmert\r\n"
IDENTITY: Final = {"SN": '"B620.0011"', "DevType": '"ICO105"', "SWRev": '"02.04.23"'}


class TestHangingUp(DriverContract):
    first = {"temperature": 36.98, "temperature_setpoint": 37.0, "co2": 5.02, "co2_setpoint": 5.0, "door": 0.0}
    second = {"temperature": 28.7, "temperature_setpoint": 30.0, "co2": 0.04, "co2_setpoint": 0.0, "door": 1.0}
    hangs_up = True

    def instrument(self, folder: object) -> Instrument:
        return TcpInstrument(self.answer, b"\r\n\r\n", hangs_up=self.hangs_up)

    def driver(self, address: str) -> Driver:
        return create("chamber_1", open_link(f"http://{address}", self.deadline_s), {})

    def answer(self, request: bytes) -> bytes:
        asked = re.match(rb"GET /atmoweb\?(\S*) HTTP/1\.1\r\n", request)
        assert asked is not None and re.fullmatch(rb"(\w+=&)*\w+=", asked[1]), "a key with a value would be a write"
        keys = re.findall(r"(\w+)=", asked[1].decode())
        return self.framed("".join(f'"{key}": {self.say(key)}, ' for key in keys))

    def say(self, key: str) -> str:
        return IDENTITY.get(key) or f"{self.values[KEYS[key]]:g}"

    def framed(self, body: str) -> bytes:
        return f"{HEAD}\r\n{body}".encode()


class TestKeepingTheConnection(TestHangingUp):
    hangs_up = False

    def framed(self, body: str) -> bytes:
        body = "{" + body.rstrip(", ") + "}"
        return f"{HEAD}Content-Length: {len(body)}\r\n\r\n{body}".encode()


async def asked(body: bytes, *fitted: str) -> tuple[Sequence[Sample], Identity]:
    """What the driver makes of one answer to everything."""
    instrument = TcpInstrument(lambda _: HEAD.encode() + b"\r\n" + body, b"\r\n\r\n", hangs_up=True)
    await instrument.restore()
    driver = create("chamber_1", open_link(f"http://{instrument.address}", 0.5), {"fitted": list(fitted)})
    try:
        await driver.connect()
        return await driver.read(), await driver.identify()
    finally:
        await driver.disconnect()
        await instrument.cut()
        await asyncio.sleep(0)


async def test_each_absence_has_its_reason() -> None:
    body = b'"Temp1Read": 37.0, "CO2Read": N/A, "CO2Set": "off", "HumRead": "N/A", "DevType": "ICO105", "SN": 620011, '
    samples, identity = await asked(body, "co2", "humidity")
    assert list(samples) == [
        Sample("temperature", 37.0),
        Sample("temperature_setpoint", None, Reason.NOT_DELIVERED),
        Sample("co2", None, Reason.SENTINEL),
        Sample("co2_setpoint", None, Reason.PROTOCOL_ERROR),
        Sample("humidity", None, Reason.SENTINEL),
        Sample("humidity_setpoint", None, Reason.NOT_DELIVERED),
    ]
    assert identity == Identity("Memmert", "ICO105", "620011", "")


async def test_an_oven_has_a_temperature_only() -> None:
    samples, _ = await asked(b'"Temp1Read": 180.1, "TempSet": 180.0, "DevType": "UN110", ')
    assert [sample.name for sample in samples] == ["temperature", "temperature_setpoint"]


async def test_who_says_no_type_is_no_memmert() -> None:
    with pytest.raises(ProtocolError, match=r"^chamber_1: expected a device type \(DevType\)"):
        await asked(b'"Temp1Read": 180.1, ')


async def test_a_number_cut_off_is_no_value() -> None:
    with pytest.raises(ProtocolError, match=r"^chamber_1: AtmoWEB: expected"):
        await asked(b'"Temp1Read": 3')
