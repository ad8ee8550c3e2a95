"""The driver of a Pioreactor hears the simulated one through a real broker: birth, values, silence, last will."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from tests.services.test_mosquitto import Broker

from cultureops.acquisition.poller import Poller
from cultureops.clock import MINUTE_MS, SteppedClock
from cultureops.device.driver import Driver
from cultureops.device.reading import Quality, Reason
from cultureops.device.transport.open import open_link
from cultureops.errors import DriverTimeout, NotConnected
from cultureops_drivers.pioreactor import create
from cultureops_simulators.arguments import Arguments
from cultureops_simulators.broker import connect_packet, publish_packet
from cultureops_simulators.fleet import Fleet, parse_fleet
from cultureops_simulators.instrument import SimulatorError

DEADLINE_S = 0.5
OPTIONS: Mapping[str, object] = {
    "unit": "pio-1",
    "experiment": "msc-7",
    "watch": ["temperature", "agitation", "growth_rate", "volume"],
    "od_channel": 1,
}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    found = Broker(tmp_path)
    found.start()
    yield found
    found.kill()


def fleet_on(broker: Broker) -> Fleet:
    options = {"unit": "pio-1", "experiment": "msc-7"}
    wire = {"mqtt": f"127.0.0.1:{broker.port}"}
    return Fleet(
        parse_fleet({"seed": 7, "devices": [{"name": "pio", "kind": "pioreactor", "wire": wire, "options": options}]})
    )


@asynccontextmanager
async def rig(broker: Broker, **more: object) -> AsyncIterator[tuple[Fleet, Driver]]:
    with closing(fleet_on(broker)) as fleet:
        link = open_link(f"mqtt://127.0.0.1:{broker.port}", DEADLINE_S)
        driver = create("reactor_1", link, {**OPTIONS, **more})
        try:
            yield fleet, driver
        finally:
            await driver.disconnect()
    assert asyncio.all_tasks() == {asyncio.current_task()}


def fault(fleet: Fleet, name: str, **arguments: object) -> None:
    fleet.set_fault("pio", name, Arguments("fault", arguments))


async def reasons(driver: Driver) -> set[Reason]:
    return {sample.reason for sample in await driver.read()}


async def all_become(driver: Driver, reason: Reason) -> None:
    async with asyncio.timeout(5):
        while await reasons(driver) != {reason}:
            await asyncio.sleep(0.01)


async def step_until_read(fleet: Fleet, driver: Driver) -> dict[str, float | None]:
    """Let lab time pass until every channel was heard: jobs have connections of their own, so nothing orders them."""
    async with asyncio.timeout(5):
        while True:
            fleet.lab.step(30.0)
            found = {sample.name: sample.value for sample in await driver.read()}
            if None not in found.values():
                return found
            await asyncio.sleep(0.01)


async def test_what_it_shows_is_what_is_read(broker: Broker) -> None:
    async with rig(broker) as (fleet, driver):
        await driver.connect()
        fleet.lab.step(30.0)
        found = {sample.name: sample.value for sample in await driver.read()}
        # the volume is said once only, so lab time stands still while the rest arrives
        async with asyncio.timeout(5):
            while None in found.values():
                await asyncio.sleep(0.01)
                found = {sample.name: sample.value for sample in await driver.read()}
        assert found == fleet.lab.device("pio").panel.values


async def test_a_cut_cable_is_its_last_will(broker: Broker) -> None:
    async with rig(broker, watch=["temperature", "agitation"]) as (fleet, driver):
        await driver.connect()
        await step_until_read(fleet, driver)
        fault(fleet, "cut")
        await all_become(driver, Reason.NOT_CONNECTED)
        fleet.clear("pio")
        await all_become(driver, Reason.NOT_DELIVERED)
        assert all(value is not None for value in (await step_until_read(fleet, driver)).values())


async def test_one_that_stops_is_disconnected(broker: Broker) -> None:
    async with rig(broker, watch=["temperature"], od_channel=0) as (fleet, driver):
        await driver.connect()
        await step_until_read(fleet, driver)
        fleet.close()
        await all_become(driver, Reason.NOT_CONNECTED)


async def test_silence_is_noticed_by_age(broker: Broker) -> None:
    async with rig(broker, watch=["temperature"], od_channel=0, stale_after_s=0.3) as (fleet, driver):
        await driver.connect()
        await step_until_read(fleet, driver)
        fault(fleet, "silent")
        fleet.lab.step(60.0)
        await all_become(driver, Reason.TIMEOUT)


async def test_garbage_is_no_value(broker: Broker) -> None:
    async with rig(broker, watch=["temperature"], od_channel=0) as (fleet, driver):
        await driver.connect()
        await step_until_read(fleet, driver)
        fault(fleet, "garbage")
        fleet.lab.step(60.0)
        await all_become(driver, Reason.PROTOCOL_ERROR)


async def test_the_retained_past_is_no_value(broker: Broker) -> None:
    async with rig(broker, watch=["temperature"], od_channel=0) as (fleet, driver):
        fleet.lab.step(60.0)
        await asyncio.sleep(0)
        await driver.connect()
        with pytest.raises(DriverTimeout):
            await driver.read()
        assert await step_until_read(fleet, driver)


async def test_a_broker_that_goes_and_comes_back(broker: Broker) -> None:
    async with rig(broker, watch=["temperature"], od_channel=0) as (fleet, driver):
        await driver.connect()
        await step_until_read(fleet, driver)
        broker.kill()
        with pytest.raises(NotConnected):
            async with asyncio.timeout(5):
                while True:
                    await driver.read()
                    await asyncio.sleep(0.01)
        await driver.disconnect()
        broker.start()
        await driver.connect()
        found = None
        async with asyncio.timeout(5):
            while not found:
                try:
                    found = await step_until_read(fleet, driver)
                except DriverTimeout:
                    continue
        assert found


async def test_polled_as_in_a_lab_it_comes_back_by_itself(broker: Broker) -> None:
    """A lost Pioreactor closes its subscription at each poll; the first message within the deadline brings it back."""
    clock = SteppedClock(0)
    async with rig(broker, watch=["temperature"], od_channel=0) as (fleet, driver):
        poller = Poller("reactor_1", driver, clock, MINUTE_MS, lambda _: None)

        async def speak() -> None:
            while True:
                fleet.lab.step(20.0)
                await asyncio.sleep(0.05)

        fault(fleet, "cut")
        for _ in range(4):
            (reading,) = await poller.poll_once(clock.advance(MINUTE_MS))
            assert reading.quality is Quality.BAD and reading.reason is Reason.NOT_CONNECTED
        fleet.clear("pio")
        speaking = asyncio.create_task(speak())
        try:
            (reading,) = await poller.poll_once(clock.advance(10 * MINUTE_MS))
        finally:
            speaking.cancel()
            await asyncio.wait({speaking})
        assert reading.quality is Quality.GOOD and reading.value == pytest.approx(37.0, abs=0.5)
        await poller.close()


async def test_the_broker_comes_first(tmp_path: Path) -> None:
    with pytest.raises(SimulatorError, match=r"no MQTT broker at 127\.0\.0\.1:\d+"):
        fleet_on(Broker(tmp_path))


async def test_alone_it_serves_until_it_is_stopped(broker: Broker) -> None:
    command = (sys.executable, "-m", "cultureops_simulators", "serve", "pioreactor", "--option", "unit=pio-1")
    where = ("--option", "experiment=msc-7", "--mqtt", f"127.0.0.1:{broker.port}")
    process = subprocess.Popen((*command, *where), stdout=subprocess.PIPE, env=os.environ)
    try:
        assert process.stdout is not None
        said = await asyncio.to_thread(process.stdout.readline)
        assert f"mqtt 127.0.0.1:{broker.port}; simulated".encode() in said
        driver = create("reactor_1", open_link(f"mqtt://127.0.0.1:{broker.port}", 5.0), {**OPTIONS, "watch": []})
        await driver.connect()
        (sample,) = await driver.read()
        assert sample.value == pytest.approx(0.05, abs=0.02)
        process.terminate()
        await all_become(driver, Reason.NOT_CONNECTED)
        await driver.disconnect()
        assert process.wait(5) == 0
    finally:
        process.kill()
        process.communicate()


def test_packets() -> None:
    """By the byte, from the tables of MQTT 3.1.1 (3.1.2, 3.3.1, 2.2.3)."""
    head = b"\x10\x1a\x00\x04MQTT\x04\x26\x00\x0a"
    assert connect_packet("a", "b/$s", b"lost") == head.replace(b"\x1a", b"\x19") + b"\x00\x01a\x00\x04b/$s\x00\x04lost"
    assert publish_packet("a/b", b"x") == b"\x31\x06\x00\x03a/bx"
    assert publish_packet("a/b", b"x" * 400)[:3] == b"\x31\x95\x03"
