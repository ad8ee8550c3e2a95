"""The driver's choices, and the driver against the simulated centrifuge."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cultureops.device.driver import Driver
from cultureops.device.transport.open import open_link
from cultureops.errors import ConfigError, ProtocolError
from cultureops.testing import MemoryLink
from cultureops_drivers import hettich_rotanta
from cultureops_drivers.hettich_rotanta import create


async def values_of(driver: Driver) -> dict[str, float | None]:
    return {sample.name: sample.value for sample in await driver.read()}


async def test_follows_the_simulated_centrifuge(simulate: Callable[..., tuple[Any, str]]) -> None:
    centrifuge, address = simulate("hettich_rotanta", address="T")
    driver = create("centrifuge_1", open_link(f"tcp://{address}", 1.0), {"address": "T"})
    await driver.connect()
    assert (await driver.identify()).model == "type C800"
    assert await values_of(driver) == {
        "standstill": 1.0,
        "program": 1.0,
        "lid": 0.0,
        "rotor": 9.0,
        "key_lock": 2.0,
        "hatch": 0.0,
        "rotor_position": 2.0,
        "rotor_positions": 6.0,
    }
    centrifuge.rotor.start()
    centrifuge.step(60.0)
    assert (await values_of(driver))["standstill"] == 0.0
    centrifuge.step(3600.0)
    assert (await values_of(driver))["standstill"] == 1.0
    centrifuge.rotor.open_hatch()
    centrifuge.step(10.0)
    assert (await values_of(driver))["hatch"] == 1.0
    centrifuge.rotor.close_hatch()
    centrifuge.step(1.0)
    assert (await values_of(driver))["hatch"] == 1.0
    centrifuge.step(10.0)
    assert (await values_of(driver))["hatch"] == 0.0
    await driver.disconnect()


async def test_a_refused_telegram_is_an_error() -> None:
    driver = create("centrifuge_1", MemoryLink(lambda _: b"T\x15"), {"address": "T"})
    await driver.connect()
    with pytest.raises(ProtocolError):
        await driver.read()


async def test_errors_name_the_device() -> None:
    driver = create("centrifuge_1", MemoryLink(lambda _: b"T\x0200634=0162\x03\x0b"), {"address": "T"})
    await driver.connect()
    with pytest.raises(ProtocolError, match=r"^centrifuge_1 00634: block check"):
        await driver.read()


@pytest.mark.parametrize("options", [{}, {"address": "t"}, {"address": "TT"}, {"address": 1}])
def test_the_address_must_be_given(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="'address' must be one character, A to Z or ]"):
        create("centrifuge_1", MemoryLink(lambda _: None), options)


def test_a_port_scan_does_not_try_it() -> None:
    assert not hasattr(hettich_rotanta, "SCAN_SETTINGS")
