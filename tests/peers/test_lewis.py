"""Our JULABO driver reads the bath that lewis simulates."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from tests.peers.environment import Peer
from tests.ports import free_port

from cultureops.device.transport.base import ByteLink
from cultureops.device.transport.open import open_link
from cultureops.errors import DriverTimeout, ProtocolError
from cultureops_drivers.julabo import create, protocol

OPTIONS = {"safety_sensor": False, "min_gap_ms": 10}


class AsLewisSpeaks:
    """A ByteLink that asks in upper case, and answers ``status`` itself: lewis has a greeting in its place."""

    def __init__(self, link: ByteLink) -> None:
        self._link = link

    @property
    def is_open(self) -> bool:
        return self._link.is_open

    async def open(self) -> None:
        await self._link.open()

    async def close(self) -> None:
        await self._link.close()

    async def exchange(self, request: bytes, terminator: bytes, *, limit: int = 4096, trailing: int = 0) -> bytes:
        if request == b"status\r":
            return b"03 REMOTE START\r\n"
        return await self._link.exchange(request.upper(), terminator, limit=limit, trailing=trailing)

    async def send(self, request: bytes) -> None:
        raise AssertionError("the driver only asks")

    async def send_break(self, duration_s: float) -> None:
        raise AssertionError("the driver only asks")


@pytest.fixture
def bath(peer: Callable[[str], Peer]) -> Iterator[str]:
    port = free_port()
    interface = f"julabo-version-1: {{bind_address: 127.0.0.1, port: {port}}}"
    with peer("lewis").serving("lewis", "julabo", "-p", interface, port=port):
        yield f"127.0.0.1:{port}"


def line_to(address: str, deadline_s: float) -> ByteLink:
    link = open_link(f"tcp://{address}", deadline_s)
    assert isinstance(link, ByteLink)
    return link


async def test_the_values_of_lewis_are_read(bath: str) -> None:
    driver = create("bath_1", AsLewisSpeaks(line_to(bath, 5.0)), OPTIONS)
    await driver.connect()
    assert "JULABO" in (await driver.identify()).firmware
    samples = {sample.name: sample.value for sample in await driver.read()}
    assert samples == {
        "temperature": 24.0,
        "temperature_setpoint": 24.0,
        "heating_power": 26.0,
        "external_temperature": 5.0,
        "running": 1.0,
        "status": 3.0,
    }
    await driver.disconnect()


async def test_lewis_does_not_know_the_lower_case_of_the_manuals(bath: str) -> None:
    driver = create("bath_1", line_to(bath, 0.5), OPTIONS)
    await driver.connect()
    with pytest.raises(DriverTimeout):
        await driver.read()
    await driver.disconnect()


async def test_its_status_is_no_status(bath: str) -> None:
    link = line_to(bath, 5.0)
    await link.open()
    greeting = await link.exchange(b"STATUS\r", b"\n")
    await link.close()
    with pytest.raises(ProtocolError, match="expected a status such as '01 MANUAL START', got 'Hello from"):
        protocol.status_of(protocol.text_of(greeting, protocol.STATUS))
