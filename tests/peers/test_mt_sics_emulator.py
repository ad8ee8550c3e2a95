"""Our balance driver reads the scale that mt-sics-emulator emulates."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.peers.environment import Peer
from tests.ports import free_port

from cultureops.device.reading import Reason
from cultureops.device.transport.open import open_link
from cultureops.errors import ProtocolError
from cultureops_drivers.mettler_sics import SicsBalance, create


@dataclass(frozen=True)
class Scale:
    """An emulated XS204 and its control port."""

    address: str
    control: str

    def put(self, weight: float) -> None:
        body = json.dumps({"value": weight, "snap": True}).encode()
        request = urllib.request.Request(f"{self.control}/weight", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=5) as answer:
            assert answer.status == 200

    def state(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.control}/state", timeout=5) as answer:
            state: dict[str, Any] = json.load(answer)
            return state

    def driver(self, **options: object) -> SicsBalance:
        return create("balance_1", open_link(f"tcp://{self.address}", 10.0), options)


@pytest.fixture
def scale(peer: Callable[[str], Peer]) -> Iterator[Scale]:
    port, control = free_port(), free_port()
    arguments = ("--host", "127.0.0.1", "--port", str(port), "--profile", "mt-xs204", "--control-port", str(control))
    with peer("mt-sics-emulator").serving("mtsics-tcp", *arguments, port=port, also=(control,)):
        yield Scale(f"127.0.0.1:{port}", f"http://127.0.0.1:{control}")


async def test_a_weight_at_rest_is_read(scale: Scale) -> None:
    scale.put(123.4567)
    driver = scale.driver(wait_for_stable=True)
    await driver.connect()
    weight, stable = await driver.read()
    assert weight.value == pytest.approx(123.4567, abs=0.0002) and stable.value == 1.0
    await driver.disconnect()


async def test_who_it_is(scale: Scale) -> None:
    driver = scale.driver()
    await driver.connect()
    identity = await driver.identify()
    assert identity.serial_number == scale.state()["serial_number"]
    assert identity.firmware
    await driver.disconnect()


async def test_an_overload_is_no_weight(scale: Scale) -> None:
    scale.put(230.0)
    driver = scale.driver(wait_for_stable=True)
    await driver.connect()
    assert [sample.reason for sample in await driver.read()] == [Reason.OUT_OF_RANGE] * 2
    await driver.disconnect()


async def test_its_answer_to_si_is_not_the_manuals_and_is_refused(scale: Scale) -> None:
    driver = scale.driver()
    await driver.connect()
    with pytest.raises(ProtocolError, match=r"^balance_1 SI: expected a weight such as .*, got 'SI [SD] "):
        await driver.read()
    await driver.disconnect()
