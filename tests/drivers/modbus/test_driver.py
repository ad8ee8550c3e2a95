"""The Modbus driver on registers in memory."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

import cultureops_drivers.modbus
from cultureops.device.channel import STANDARD_NAMES
from cultureops.device.profile import Profile, load_profile
from cultureops.device.reading import Reason, Sample, judge
from cultureops.device.transport.base import RegisterLink
from cultureops.device.transport.open import open_link
from cultureops.errors import ConfigError, DeviceFault, DriverTimeout, ProtocolError
from cultureops.testing import TcpInstrument
from cultureops_drivers.modbus import ModbusDevice, create, shipped_profiles
from cultureops_drivers.modbus.driver import ReadPlan

PROFILES = Path(cultureops_drivers.modbus.__file__).parent / "profiles"


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
    assert link.asked == [(240, 3, 0x800, 2), (240, 3, 0, 4), (240, 3, 0x800, 2)]


@pytest.mark.parametrize("ill_at", [0, 2])
async def test_a_probe_that_recovers_or_fails_between_two_requests_gives_no_co2(ill_at: int) -> None:
    class Wavering(Registers):
        """Distrusts itself at one of the requests of a read."""

        async def read_registers(self, unit_id: int, function: int, address: int, count: int) -> Sequence[int]:
            self.values[0x801] = 2 if len(self.asked) == ill_at else 0
            return await super().read_registers(unit_id, function, address, count)

    _, samples = await read(Wavering(probe().values))
    assert samples["co2"] == Sample("co2", None, Reason.DEVICE_FAULT)
    assert samples["compensation_temperature"].value is not None


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


SETTINGS = {"word_order": "low_first", "decimals": 1, "unit_code": 32}


@pytest.mark.parametrize("name", shipped_profiles())
def test_every_shipped_profile_loads(name: str) -> None:
    settings = {key: SETTINGS[key] for key in load_profile(PROFILES / f"{name}.toml").configured}
    driver = create("device_1", Registers({}), {"profile": name, **settings})
    assert driver.channels
    standard = STANDARD_NAMES.get(driver.profile.device_class)
    assert standard is not None, "a class of its own needs its names in STANDARD_NAMES"
    assert standard & {channel.name for channel in driver.channels}


def arc(ph: float = 4.02503, temperature: float = 24.35834, **changed: int) -> Registers:
    """A Hamilton pH Arc with the numbers that its manual prints; registers by their 0-based address."""
    ph_channel = (0x1000, 0, *low_first(ph), 0, 0, *low_first(0.0), *low_first(14.0))
    temperature_channel = (0x0004, 0, *low_first(temperature), 0, 0, *low_first(-20.0), *low_first(130.0))
    values = dict(enumerate(ph_channel, 2089)) | dict(enumerate(temperature_channel, 2409))
    return Registers(values | {int(name[1:]): value for name, value in changed.items()})


async def test_printed_values_of_the_ph_arc() -> None:
    link = arc()
    _, samples = await read(link, "hamilton_ph_arc")
    assert samples["ph"].value == pytest.approx(4.02503, abs=1e-6)
    assert samples["temperature"].value == pytest.approx(24.35834, abs=1e-6)
    assert link.asked == [(1, 3, 2089, 10), (1, 3, 2409, 10)]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"r2089": 0, "r2090": 0x20}, Reason.NOT_AS_AGREED),  # mV
        ({"r2089": 0, "r2090": 0x1000}, Reason.NOT_AS_AGREED),  # the other word order
        ({"r2089": 0x1001}, Reason.NOT_AS_AGREED),
        ({"r2093": 0x01}, Reason.DEVICE_FAULT),
        ({"r2093": 0x02}, Reason.DEVICE_FAULT),
        ({"r2093": 0x04}, Reason.DEVICE_FAULT),
        ({"r2093": 0x10}, Reason.DEVICE_FAULT),
    ],
)
async def test_an_arc_that_measures_otherwise_or_errs_gives_no_ph(changed: dict[str, int], reason: Reason) -> None:
    _, samples = await read(arc(**changed), "hamilton_ph_arc")
    assert samples["ph"] == Sample("ph", None, reason)
    assert samples["temperature"].value == pytest.approx(24.35834, abs=1e-6)


async def test_an_arc_that_only_warns_keeps_its_ph() -> None:
    _, samples = await read(arc(r2093=0x08), "hamilton_ph_arc")
    assert samples["ph"].value == pytest.approx(4.02503, abs=1e-6)


@pytest.mark.parametrize(("decimals", "value"), [(0, 370.0), (1, 37.0), (2, 3.7)])
async def test_decimals_are_what_the_site_file_says(decimals: int, value: float) -> None:
    link = Registers(dict.fromkeys(range(30), 370))
    driver = create("oven_1", link, {"profile": "eurotherm_3216", "decimals": decimals})
    await driver.connect()
    samples = {sample.name: sample.value for sample in await driver.read()}
    assert samples["temperature"] == pytest.approx(value)
    assert driver.channels[0].decimals == decimals


async def test_a_hettcube_with_a_broken_sensor_gives_no_temperature() -> None:
    for alarms in (0x0020, 0x0400):
        _, samples = await read(Registers({0: 370, 3: 0, 4: alarms}), "hettich_hettcube")
        assert samples["temperature"] == Sample("temperature", None, Reason.DEVICE_FAULT)
    _, samples = await read(Registers({0: 370, 3: 1, 4: 0x0001}), "hettich_hettcube")
    assert (samples["temperature"].value, samples["door"].value) == (37.0, 1.0)


async def test_error_numbers_of_a_transmitter_are_out_of_range() -> None:
    driver, samples = await read(Registers({0x30: -9999 & 0xFFFF, 0x31: 1005}), "comet_tx5xx")
    readings = [judge("x", channel, samples[channel.name], 0, 0) for channel in driver.channels]
    assert [reading.reason for reading in readings] == [Reason.OUT_OF_RANGE, Reason.OUT_OF_RANGE]


async def test_nan_may_be_a_sentinel(tmp_path: Path) -> None:
    path = tmp_path / "store.toml"
    path.write_text(
        '[device]\nvendor="ours"\nmodel="test"\nclass="cryostore"\nsource="this test"\nconfidence="V"\n'
        '[[point]]\nname="temp_a"\naddress=0\nfunction=4\ntype="float32"\nword_order="high_first"\n'
        'unit="Cel"\nsentinels=[nan]\n'
    )
    _, samples = await read(Registers({0: 0x7FC0, 1: 0}), str(path))
    assert samples == {"temp_a": Sample("temp_a", None, Reason.SENTINEL)}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"profile": "julabo_presto"},
            "'word_order' is missing; it must be one of high_first, .*register 93",
        ),
        ({"profile": "julabo_presto", "word_order": "swapped"}, "must be one of high_first, low_first, not 'swapped'"),
        ({"profile": "julabo_presto", "word_order": 1}, "must be one of high_first, low_first, not 1"),
        ({"profile": "eurotherm_3216"}, "'decimals' is missing; it must be a whole number from 0 to 4: .*display"),
        ({"profile": "eurotherm_3216", "decimals": 5}, "a whole number from 0 to 4, not 5"),
        ({"profile": "eurotherm_3216", "decimals": -1}, "a whole number from 0 to 4, not -1"),
        ({"profile": "eurotherm_3216", "decimals": True}, "a whole number from 0 to 4, not True"),
        ({"profile": "hamilton_visiferm_do"}, "'unit_code' is missing; .*2090-2091"),
        ({"profile": "vaisala_gmp252", "word_order": "low_first"}, "'word_order' is unknown; known options: profile"),
    ],
)
def test_what_only_the_owner_knows_must_be_said(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=rf"it_1: option .*{message}") as raised:
        create("it_1", Registers({}), options)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "names no shipped profile; known: binder_mb1"),
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


async def test_devices_behind_one_converter_never_open_two_connections() -> None:
    def answer(request: bytes) -> bytes:
        held.append(len(converter.connections))
        body = request[:1] + bytes.fromhex("0302 0172")
        return body + crc16(body) if request[0] == 1 else b""

    held: list[int] = []
    converter = TcpInstrument(answer, 8)
    await converter.restore()
    link = open_link(f"modbus+rtu+tcp://{converter.address}", 0.1)
    profile = dataclasses.replace(load_profile(PROFILES / "comet_tx5xx.toml"), one_connection=True)
    assert isinstance(link, RegisterLink)
    one, silent = (
        ModbusDevice(f"chamber_{unit_id}", link, ReadPlan.of(_first_only(profile)), unit_id) for unit_id in (1, 2)
    )
    for _ in range(2):
        await one.connect()
        await silent.connect()
        assert [sample.value for sample in await one.read()] == [pytest.approx(37.0)]
        with pytest.raises(DriverTimeout):
            await silent.read()
        await silent.disconnect()
        assert [sample.value for sample in await one.read()] == [pytest.approx(37.0)]
    await one.disconnect()
    await converter.cut()
    assert max(held) == 1


def _first_only(profile: Profile) -> Profile:
    return dataclasses.replace(profile, points=profile.points[:1])


def crc16(data: bytes) -> bytes:
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc.to_bytes(2, "little")


def test_wrong_link() -> None:
    with pytest.raises(ConfigError, match=r"probe_4: a Modbus device needs a modbus\+tcp"):
        create("probe_4", open_link("tcp://127.0.0.1:502", 1), {"profile": "vaisala_gmp252"})
