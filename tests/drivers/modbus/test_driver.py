"""The Modbus driver on registers in memory."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from cultureops.device.reading import Reason, Sample
from cultureops.device.transport.open import open_link
from cultureops.errors import ConfigError, DeviceFault, ProtocolError
from cultureops_drivers.modbus import ModbusDevice, create, shipped_profiles


class Registers:
    """A RegisterLink over a dictionary; absent addresses are refused."""

    is_open = True
    check_bits = 16

    def __init__(self, values: dict[int, int]) -> None:
        self.values = values
        self.asked: list[tuple[int, int, int, int]] = []

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def read_registers(self, unit_id: int, function: int, address: int, count: int) -> Sequence[int]:
        self.asked.append((unit_id, function, address, count))
        try:
            return [self.values[address + offset] for offset in range(count)]
        except KeyError:
            raise DeviceFault(f"exception 2 at {address}") from None


def low_first(value: float) -> tuple[int, int]:
    high, low = struct.unpack(">2H", struct.pack(">f", value))
    return low, high


def probe(**registers: int) -> Registers:
    values = {0: 0xD47A, 1: 0x43E8, 0x800: 0, 0x801: 0}
    values[2], values[3] = low_first(37.0)
    return Registers(values | {int(name[1:], 16): value for name, value in registers.items()})


async def read(link: Registers, profile: str = "vaisala_gmp252") -> tuple[ModbusDevice, dict[str, Sample]]:
    driver = create("probe_4", link, {"profile": profile})
    await driver.connect()
    return driver, {sample.name: sample for sample in await driver.read()}


async def test_printed_vector_of_the_gmp252() -> None:
    link = probe()
    _, samples = await read(link)
    assert samples["co2"].value == pytest.approx(465.66e-4, abs=1e-6)
    assert samples["compensation_temperature"].value == pytest.approx(37.0)
    assert link.asked == [(240, 3, 0, 4), (240, 3, 0x800, 2)]


@pytest.mark.parametrize(("register", "bits"), [("r800", 1), ("r800", 2), ("r801", 2), ("r801", 256)])
async def test_a_probe_that_distrusts_itself_gives_no_co2(register: str, bits: int) -> None:
    _, samples = await read(probe(**{register: bits}))
    assert samples["co2"] == Sample("co2", None, Reason.DEVICE_FAULT)
    assert samples["compensation_temperature"].value == pytest.approx(37.0)


async def test_a_warning_alone_keeps_the_value() -> None:
    _, samples = await read(probe(r800=4))
    assert samples["co2"].value is not None


async def test_co2_has_no_value_while_its_status_is_refused() -> None:
    link = probe()
    del link.values[0x801]
    _, samples = await read(link)
    assert samples["co2"] == Sample("co2", None, Reason.DEVICE_FAULT)
    assert samples["compensation_temperature"].value == pytest.approx(37.0)


async def test_the_wrong_map_version_is_refused() -> None:
    driver = create("incubator_1", Registers({14: 2}), {"profile": "cultureops_virtual_incubator"})
    await driver.connect()
    with pytest.raises(ProtocolError, match=r"incubator_1: map_version is 2, profile .* is for 1"):
        await driver.identify()


async def test_a_device_that_refuses_everything_is_a_fault() -> None:
    driver = create("incubator_1", Registers({}), {"profile": "cultureops_virtual_incubator"})
    await driver.connect()
    with pytest.raises(DeviceFault):
        await driver.read()


@pytest.mark.parametrize(
    ("profile", "requests"), [("cultureops_virtual_incubator", 1), ("cultureops_virtual_cryostore", 1)]
)
async def test_our_own_devices_are_read_in_one_request(profile: str, requests: int) -> None:
    link = Registers(dict.fromkeys(range(16), 0))
    await read(link, profile)
    assert len(link.asked) == requests


async def test_sentinels_have_no_value(tmp_path: Path) -> None:
    path = tmp_path / "freezer.toml"
    path.write_text(
        '[device]\nvendor="ours"\nmodel="test"\nclass="freezer"\nsource="this test"\nconfidence="V"\n'
        '[[point]]\nname="tc"\naddress=1\nbase=1\nfunction=4\ntype="float32"\nword_order="high_first"\n'
        'unit="Cel"\nsentinels=[-127.0]\n'
    )
    _, samples = await read(Registers({0: 0xC2FE, 1: 0x0000}), str(path))
    assert samples == {"tc": Sample("tc", None, Reason.SENTINEL)}


@pytest.mark.parametrize("name", shipped_profiles())
def test_every_shipped_profile_loads(name: str) -> None:
    driver = create("device_1", Registers({}), {"profile": name})
    assert driver.channels


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "names no shipped profile; known: cultureops_virtual_cryostore"),
        ({"profile": "nobody"}, "names no shipped profile"),
        ({"profile": 3}, "must be the name of a profile"),
        ({"profile": "vaisala_gmp252", "unit_id": 300}, "from 1 to 247, not 300"),
        ({"profile": "vaisala_gmp252", "unit_id": True}, "from 1 to 247, not True"),
        ({"profile": "vaisala_gmp252", "unit": 3}, "option 'unit' is unknown; known options: profile, unit_id"),
        ({"profile": "/nowhere/at_all.toml"}, "no such file"),
    ],
)
def test_wrong_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        create("probe_4", Registers({}), options)


def test_wrong_link() -> None:
    with pytest.raises(ConfigError, match=r"probe_4: a Modbus device needs a modbus\+tcp"):
        create("probe_4", open_link("tcp://127.0.0.1:502", 1), {"profile": "vaisala_gmp252"})
