"""The driver's choices, and the driver against the simulated freezer."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest

from cultureops.device.driver import Driver
from cultureops.device.reading import Reason, Sample
from cultureops.device.transport.open import open_link
from cultureops.errors import ConfigError, DeviceFault, ProtocolError
from cultureops.testing import MemoryLink
from cultureops_drivers.thermo_tsx import create

Simulate = Callable[..., tuple[Any, str]]


async def values_of(driver: Driver) -> dict[str, float | None]:
    return {sample.name: sample.value for sample in await driver.read()}


@pytest.mark.parametrize("count", ["printed", "characters", "bytes"])
async def test_reads_the_simulated_freezer_however_it_counts(simulate: Simulate, count: str) -> None:
    freezer, address = simulate("thermo_tsx", count=count)
    driver = create("ult_1", open_link(f"tcp://{address}", 1.0), {})
    await driver.connect()
    assert (await driver.identify()).model == "TSX/TDE, product 123456, control 4"
    freezer.step(3600.0)
    samples = {sample.name: sample for sample in await driver.read()}
    shown = freezer.truth()["shown"]
    assert samples["tc5"] == Sample("tc5", None, Reason.SENTINEL)
    assert samples["tc7"] == Sample("tc7", None, Reason.SENTINEL)
    assert {name: samples[name].value for name in shown} == pytest.approx(shown, abs=1e-4)
    assert samples["tc2"].value == pytest.approx(freezer.cabinet.temperature_c, abs=1.5)
    await driver.disconnect()


async def test_status_bits_where_they_were_tried(simulate: Simulate) -> None:
    freezer, address = simulate("thermo_tsx", status_address="table")
    right = create("ult_1", open_link(f"tcp://{address}", 1.0), {"status_address": "table"})
    await right.connect()
    calm = await values_of(right)
    assert (calm["mains"], calm["pulled_down"], calm["door_1"], calm["shutdown"]) == (1.0, 1.0, 0.0, 0.0)
    freezer.upset("mains", True)
    freezer.cabinet.open_door(120.0)
    upset = await values_of(right)
    assert (upset["mains"], upset["door_1"], upset["door_2"]) == (0.0, 1.0, 0.0)
    await right.disconnect()
    wrong = create("ult_1", open_link(f"tcp://{address}", 1.0), {"status_address": "frame"})
    await wrong.connect()
    samples = {sample.name: sample for sample in await wrong.read()}
    assert samples["mains"] == Sample("mains", None, Reason.DEVICE_FAULT)
    assert samples["door_1"] == Sample("door_1", None, Reason.DEVICE_FAULT)
    assert samples["temperature_setpoint"].value == -80.0
    await wrong.disconnect()


def test_status_is_absent_unless_its_address_was_tried() -> None:
    assert "door_1" not in {row.name for row in create("ult_1", MemoryLink(lambda _: None), {}).channels}
    tried = create("ult_1", MemoryLink(lambda _: None), {"status_address": "frame"})
    assert [row.name for row in tried.channels if not row.verified] == [
        "pulled_down", "mains", "service_mode", "shutdown", "door_1", "door_2", "alarm_test",
    ]  # fmt: skip


def framed(data: bytes, per_byte: int) -> bytes:
    check = -(0x19 + 3 + per_byte * len(data) + sum(data)) & 0xFF
    return b":1903" + b"%02X" % len(data) + data.hex().upper().encode() + b"%02X\r\n" % check


async def test_a_freezer_may_not_change_its_reckoning_while_connected() -> None:
    per_byte = [2]
    sizes = {b"0598": 4, b"059C": 1}
    link = MemoryLink(lambda request: framed(struct.pack(">i", -800)[: sizes.get(request[5:9], 4)], per_byte[0]))
    driver = create("ult_1", link, {})
    await driver.connect()
    await driver.read()
    per_byte[0] = 1
    with pytest.raises(ProtocolError, match=r"^ult_1 temperature_setpoint \(0x530\): count 04 and LRC .. do not fit"):
        await driver.read()
    await driver.disconnect()
    await driver.connect()
    await driver.read()


async def test_an_exception_names_the_device() -> None:
    driver = create("ult_1", MemoryLink(lambda _: b":19830262\r\n"), {})
    await driver.connect()
    with pytest.raises(DeviceFault, match=r"^ult_1 product_id \(0x598\): exception 2"):
        await driver.identify()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unit_id": 256}, "'unit_id' must be a whole number from 0 to 255, not 256"),
        ({"status_address": "both"}, "'status_address' must be one of absent, frame, table, not 'both'"),
        ({"speed": 1}, "'speed' is unknown"),
    ],
)
def test_wrong_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        create("ult_1", MemoryLink(lambda _: None), options)
