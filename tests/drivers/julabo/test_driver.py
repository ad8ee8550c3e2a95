"""The driver's choices, and the driver against the simulated bath."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from cultureops.device.reading import Reason, Sample
from cultureops.device.transport.open import open_link
from cultureops.errors import ConfigError, DriverTimeout, ProtocolError
from cultureops.testing import MemoryLink
from cultureops_drivers.julabo import create

ANSWERS = {
    b"version\r": b"V 2.0\n",
    b"in_pv_00\r": b"36.98\r\n",
    b"in_sp_00\r": b"37.00\r\n",
    b"in_pv_01\r": b"012\r\n",
    b"in_pv_02\r": b"---.--\r\n",
    b"in_pv_03\r": b"-08 INVALID COMMAND\r\n",
    b"status\r": b"-01 LOW LEVEL ALARM\r\n",
}


async def test_what_has_no_value_says_why() -> None:
    link = MemoryLink(ANSWERS.get)
    driver = create("bath_1", link, {"min_gap_ms": 10})
    await driver.connect()
    assert (await driver.identify()).firmware == "V 2.0"
    assert list(await driver.read()) == [
        Sample("temperature", 36.98),
        Sample("temperature_setpoint", 37.0),
        Sample("heating_power", 12.0),
        Sample("external_temperature", None, Reason.SENTINEL),
        Sample("safety_temperature", None, Reason.DEVICE_FAULT),
        Sample("running", None, Reason.DEVICE_FAULT),
        Sample("status", -1.0),
    ]
    assert set(link.sent) == set(ANSWERS)


async def test_sensors_that_are_not_there_are_no_channels() -> None:
    link = MemoryLink(ANSWERS.get)
    driver = create("bath_1", link, {"external_sensor": False, "safety_sensor": False, "min_gap_ms": 10})
    names = [row.name for row in driver.channels]
    assert names == ["temperature", "temperature_setpoint", "heating_power", "running", "status"]
    await driver.connect()
    assert [sample.name for sample in await driver.read()] == names
    assert b"in_pv_02\r" not in link.sent and b"in_pv_03\r" not in link.sent


@pytest.mark.parametrize(("options", "gap_s"), [({}, 0.25), ({"min_gap_ms": 40}, 0.04)])
async def test_the_gap_between_two_commands_is_kept(
    options: dict[str, object], gap_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    async def no_wait(delay_s: float) -> None:
        waits.append(delay_s)

    driver = create("bath_1", MemoryLink(ANSWERS.get), options)
    await driver.connect()
    monkeypatch.setattr(asyncio, "sleep", no_wait)
    await driver.read()
    assert waits[0] == 0.0
    assert all(gap_s - 0.02 < wait_s <= gap_s for wait_s in waits[1:]) and len(waits) == 6


async def test_a_command_without_answer_is_followed_by_the_gap_too(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def no_wait(delay_s: float) -> None:
        waits.append(delay_s)

    driver = create("bath_1", MemoryLink(lambda _: None), {})
    await driver.connect()
    monkeypatch.setattr(asyncio, "sleep", no_wait)
    for _ in range(2):
        with pytest.raises(DriverTimeout):
            await driver.read()
    assert waits[1] > 0.2


async def test_baths_on_one_line_are_told_apart() -> None:
    link = MemoryLink(lambda request: b"A032_V 2.0\r\n" if request.startswith(b"A032_") else None)
    driver = create("bath_2", link, {"address": "032", "min_gap_ms": 10})
    await driver.connect()
    assert (await driver.identify()).firmware == "V 2.0"


async def test_errors_name_the_device() -> None:
    driver = create("bath_1", MemoryLink(lambda _: b"?\r\n"), {"min_gap_ms": 10})
    await driver.connect()
    with pytest.raises(ProtocolError, match=r"^bath_1 in_pv_00: expected a number"):
        await driver.read()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"address": "32"}, "'address' must be three digits in quotes"),
        ({"address": 32}, "'address' must be three digits in quotes"),
        ({"min_gap_ms": 9}, "'min_gap_ms' must be a whole number from 10 to 10000, not 9"),
        ({"external_sensor": "no"}, "'external_sensor' must be true or false"),
        ({"speed": 1}, "'speed' is unknown"),
    ],
)
def test_wrong_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        create("bath_1", MemoryLink(lambda _: None), options)


@pytest.mark.parametrize("options", [{}, {"address": "032"}])
async def test_reads_the_simulated_bath(simulate: Callable[..., tuple[Any, str]], options: dict[str, object]) -> None:
    bath, address = simulate("julabo", **options)
    driver = create("bath_1", open_link(f"tcp://{address}", 1.0), {**options, "min_gap_ms": 10})
    await driver.connect()
    assert "SIMULATOR" in (await driver.identify()).firmware
    bath.step(600.0)
    samples = {sample.name: sample for sample in await driver.read()}
    assert samples["temperature"].value == pytest.approx(bath.bath.temperature_c, abs=0.2)
    assert samples["temperature_setpoint"].value == 37.0
    assert samples["external_temperature"] == Sample("external_temperature", None, Reason.SENTINEL)
    assert (samples["running"].value, samples["status"].value) == (1.0, 1.0)
    await driver.disconnect()
