"""Drivers against simulated instruments whose wire misbehaves: no fault ever becomes a value, and every fault ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from cultureops.device.driver import Driver
from cultureops.device.transport.base import ByteLink
from cultureops.device.transport.open import open_link
from cultureops.errors import DriverError, DriverTimeout, NotConnected, ProtocolError
from cultureops_drivers import ami_185, hettich_rotanta, julabo, mettler_sics, mve_tec3000, thermo_tsx
from cultureops_simulators.arguments import Arguments
from cultureops_simulators.fleet import Fleet, parse_fleet

DEADLINE_S = 0.4
CREATE = {
    "ami_185": lambda link: ami_185.create("d", link, {}),
    "hettich_rotanta": lambda link: hettich_rotanta.create("d", link, {"address": "T"}),
    "julabo": lambda link: julabo.create("d", link, {"min_gap_ms": 10}),
    "mettler_sics": lambda link: mettler_sics.create("d", link, {}),
    "mve_tec3000": lambda link: mve_tec3000.create("d", link, {}),
    "thermo_tsx": lambda link: thermo_tsx.create("d", link, {}),
}


@dataclass(frozen=True)
class Rig:
    """One simulated instrument on a port, and a driver that reads it."""

    kind: str
    fleet: Fleet
    driver: Driver

    def spoil(self, fault: str, **fields: object) -> None:
        self.fleet.set_fault(self.kind, fault, Arguments("test", fields))

    async def recovered(self) -> bool:
        self.fleet.clear(self.kind)
        for _ in range(4):
            try:
                await self.driver.connect()
                return any(sample.value is not None for sample in await self.driver.read())
            except DriverError:
                await self.driver.disconnect()
        return False


@pytest.fixture(params=CREATE)
async def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    kind: str = request.param
    fleet = Fleet(parse_fleet({"seed": 7, "devices": [{"name": kind, "kind": kind, "wire": {"tcp": "127.0.0.1:0"}}]}))
    link = open_link(f"tcp://{fleet.addresses[kind]['tcp']}", DEADLINE_S)
    assert isinstance(link, ByteLink)
    driver = CREATE[kind](link)
    await driver.connect()
    await driver.identify()
    yield Rig(kind, fleet, driver)
    await driver.disconnect()
    fleet.close()


async def test_noise_is_never_a_value(rig: Rig) -> None:
    rig.spoil("garbage")
    for _ in range(3):
        with pytest.raises(ProtocolError):
            await rig.driver.read()
    assert await rig.recovered()


async def test_silence_is_a_time_out(rig: Rig) -> None:
    rig.spoil("silent")
    with pytest.raises(DriverTimeout):
        await rig.driver.read()
    assert await rig.recovered()


async def test_late_answers_are_not_taken_for_new_ones(rig: Rig) -> None:
    rig.spoil("slow", delay_s=1.5 * DEADLINE_S)
    with pytest.raises(DriverError):
        await rig.driver.read()
    assert await rig.recovered()


async def test_a_cut_cable_is_no_link(rig: Rig) -> None:
    rig.spoil("cut")
    with pytest.raises(NotConnected):
        await rig.driver.read()
    await rig.driver.disconnect()
    assert await rig.recovered()
