"""The driver against the simulated chamber, over a real socket; each was written from the sources alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing

import pytest

from cultureops.device.driver import Driver, Identity
from cultureops.device.reading import Reason, Sample
from cultureops.device.transport.open import open_link
from cultureops.errors import DriverTimeout, NotConnected, ProtocolError
from cultureops_drivers.memmert_atmoweb import create
from cultureops_simulators.arguments import Arguments
from cultureops_simulators.fleet import Fleet, parse_fleet

DEADLINE_S = 0.6


@asynccontextmanager
async def rig(fitted: str, driven: Mapping[str, object]) -> AsyncIterator[tuple[Fleet, Driver]]:
    device = {"name": "ico_1", "kind": "memmert_atmoweb", "wire": {"tcp": "127.0.0.1:0"}, "options": {"fitted": fitted}}
    with closing(Fleet(parse_fleet({"seed": 7, "devices": [device]}))) as fleet:
        driver = create("ico_1", open_link(f"http://{fleet.addresses['ico_1']['tcp']}", DEADLINE_S), driven)
        try:
            yield fleet, driver
        finally:
            await driver.disconnect()


def fault(fleet: Fleet, name: str, **arguments: object) -> None:
    fleet.set_fault("ico_1", name, Arguments("fault", arguments))


async def test_everything_that_is_fitted_is_read() -> None:
    fitted = ["co2", "humidity", "o2", "fan", "door"]
    async with rig("co2,humidity,o2,fan", {"fitted": fitted}) as (fleet, driver):
        await driver.connect()
        assert await driver.identify() == Identity("Memmert", "ICO105", "SIM.0001", "SIM 1.00")
        fleet.lab.act("door", Arguments("act", {"chamber": "ico_1", "open_s": 90.0}))
        fleet.lab.step(60.0)
        shown = fleet.lab.device("ico_1").panel.values
        found = {sample.name: sample.value for sample in await driver.read()}
        assert found == {**{name: pytest.approx(value) for name, value in shown.items()}, "o2_setpoint": None}
        assert found["door"] == 1.0 and found["co2"] is not None and found["co2"] < 4.0


async def test_what_is_not_fitted_has_no_value() -> None:
    async with rig("co2", {"fitted": ["co2", "humidity"]}) as (_, driver):
        await driver.connect()
        samples = {sample.name: sample for sample in await driver.read()}
        assert samples["humidity"] == Sample("humidity", None, Reason.SENTINEL)
        assert samples["co2"].value == pytest.approx(5.0, abs=0.3)


async def test_a_spoiled_wire_gives_no_value() -> None:
    async with rig("co2", {}) as (fleet, driver):
        await driver.connect()
        fault(fleet, "silent")
        with pytest.raises(DriverTimeout):
            await driver.read()
        fleet.clear("ico_1")
        fault(fleet, "garbage")
        with pytest.raises((ProtocolError, NotConnected)):
            await driver.read()
        fleet.clear("ico_1")
        fault(fleet, "slow", delay_s=0.05)
        assert len(await driver.read()) == 5
        fleet.clear("ico_1")
        fault(fleet, "cut")
        with pytest.raises(NotConnected):
            await driver.read()
        fleet.clear("ico_1")
        assert len(await driver.read()) == 5


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (b"GET /atmoweb?Temp2Read= HTTP/1.1\r\nHost: x\r\n\r\n", b"200 OK"),
        (b"GET /atmoweb?TempSet=44.0&TempSet_Range= HTTP/1.1\r\n\r\n", b'"TempSet": 37, "TempSet_Range": {min: 18.0,'),
        (b"GET /other HTTP/1.1\r\n\r\n", b"404 Not Found"),
        (b"POST /atmoweb?TempSet=44.0 HTTP/1.1\r\n\r\n", b"400 Bad Request"),
        (b"\x00" * 9000, b"400 Bad Request"),
    ],
)
async def test_the_simulated_server_hangs_up_behind_each_answer(request_: bytes, answer: bytes) -> None:
    async with rig("co2", {}) as (fleet, _):
        host, _, port = fleet.addresses["ico_1"]["tcp"].partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(request_[:7])
        await asyncio.sleep(0)
        writer.write(request_[7:])
        async with asyncio.timeout(2):
            assert answer in await reader.read()
        writer.close()
        await writer.wait_closed()
