"""Every shipped profile against the simulator of its device, which has a register table of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from cultureops.device.reading import Quality, Reason, Sample, judge
from cultureops.device.transport.open import open_link
from cultureops.errors import DriverTimeout
from cultureops_drivers.modbus import ModbusDevice, create, shipped_profiles
from cultureops_simulators.chamber import Chamber
from cultureops_simulators.fleet import Fleet, parse_fleet

DEADLINE_S = 2.0
OURS = ("cultureops_virtual_",)


@dataclass(frozen=True)
class Case:
    """A profile and the simulated instrument it is for; ``names``: channels whose value the panel calls otherwise."""

    profile: str
    kind: str
    scheme: str
    simulated: Mapping[str, object] = field(default_factory=dict)
    options: Mapping[str, object] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def wire(self) -> dict[str, str | None]:
        return {"tcp": "127.0.0.1:0"} if self.scheme.endswith("tcp") else {"pty": None}


RTU, RTU_TCP, TCP = "modbus+rtu", "modbus+rtu+tcp", "modbus+tcp"
ASCII, ASCII_TCP = "modbus+ascii", "modbus+ascii+tcp"
ACTIVE = {"temperature_setpoint_active": "temperature_setpoint"}
LOW = {"word_order": "low_first"}
HIGH = {"word_order": "high_first"}
UNFITTED = {f"particles_{number}" for number in range(5, 9)}

CASES = [
    Case("binder_mb1", "binder_mb1", RTU),
    Case("binder_mb1", "binder_mb1", RTU_TCP),
    Case("binder_mb2", "binder_mb2", RTU),
    Case("watlow_f4t", "watlow_f4t", TCP, names=ACTIVE),
    Case("watlow_f4t", "watlow_f4t", RTU, {"framing": "rtu"}, names=ACTIVE),
    Case("eurotherm_3216", "eurotherm_3216", RTU, options={"decimals": 1}, names=ACTIVE),
    Case("hettich_hettcube", "hettich_hettcube", TCP),
    Case("comet_tx5xx", "comet_tx5xx", RTU),
    Case("comet_tx5xx", "comet_tx5xx", TCP, {"framing": "tcp"}),
    Case("julabo_magio", "julabo_magio", TCP, HIGH, HIGH),
    Case("julabo_presto", "julabo_magio", TCP, LOW, LOW),
    Case("lighthouse_remote", "lighthouse_remote", ASCII),
    Case("lighthouse_remote", "lighthouse_remote", ASCII_TCP),
    Case("lighthouse_remote", "lighthouse_remote", TCP, {"framing": "tcp"}),
    Case("hamilton_ph_arc", "hamilton_ph_arc", RTU),
    Case("hamilton_visiferm_do", "hamilton_visiferm_do", RTU, {"unit_code": 32}, {"unit_code": 32}),
    Case("vaisala_gmp252", "vaisala_gmp252", RTU, names={"compensation_temperature": "temperature"}),
]


@asynccontextmanager
async def rig(case: Case) -> AsyncIterator[tuple[Fleet, ModbusDevice]]:
    """Serve the simulated instrument in this process and connect the driver to it."""
    device = {"name": "it", "kind": case.kind, "wire": case.wire, "options": dict(case.simulated)}
    fleet = Fleet(parse_fleet({"seed": 7, "devices": [device]}))
    (where,) = fleet.addresses["it"].values()
    driver = create("it", open_link(f"{case.scheme}://{where}", DEADLINE_S), {"profile": case.profile, **case.options})
    try:
        await driver.connect()
        yield fleet, driver
    finally:
        await driver.disconnect()
        fleet.close()


async def read(driver: ModbusDevice) -> dict[str, Sample]:
    return {sample.name: sample for sample in await driver.read()}


def test_every_shipped_profile_is_tried_here() -> None:
    tried = {case.profile for case in CASES}
    assert tried == {name for name in shipped_profiles() if not name.startswith(OURS)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.profile}-{case.scheme}")
async def test_a_profile_reads_its_simulator(case: Case) -> None:
    async with rig(case) as (fleet, driver):
        assert driver.check_bits == (8 if "ascii" in case.scheme else 16)
        await driver.identify()
        device = fleet.lab.device("it")
        chamber = getattr(device, "chamber", None)
        if isinstance(chamber, Chamber):
            chamber.open_door(600.0)
        compared = set()
        for _ in range(3):
            for _ in range(5):
                device.step(60.0)
            samples, shown = await read(driver), device.panel.values
            silent = {name for name, sample in samples.items() if sample.value is None}
            assert silent == (UNFITTED if case.kind == "lighthouse_remote" else set())
            for channel in driver.channels:
                name = case.names.get(channel.name, channel.name)
                if name in shown:
                    tolerance = 0.5 * 10.0**-channel.decimals + 1e-4
                    assert samples[channel.name].value == pytest.approx(shown[name], abs=tolerance), channel.name
                    compared.add(name)
            if case.kind == "vaisala_gmp252":
                assert samples["co2"].value == pytest.approx(shown["co2_ppm"] / 1e4)
                compared.add("co2_ppm")
        # a BINDER MB2, an F4T and a 3216 have no door register that is known; an oven has no humidity
        assert set(shown) - compared <= {"door", "humidity", "humidity_setpoint", "temperature_setpoint"}
        assert "temperature" in compared or case.kind == "lighthouse_remote"


async def test_no_word_order_is_guessed() -> None:
    async with rig(Case("julabo_presto", "julabo_magio", TCP, HIGH, LOW)) as (_, driver):
        assert (await read(driver))["temperature_setpoint"].value != pytest.approx(37.0, abs=1.0)


async def test_counts_grow_and_include_all_larger_particles() -> None:
    async with rig(Case("lighthouse_remote", "lighthouse_remote", ASCII)) as (fleet, driver):
        before = await read(driver)
        fleet.lab.device("it").step(600.0)
        after = await read(driver)
    counts = [after[f"particles_{number}"].value or 0.0 for number in range(1, 5)]
    assert counts == sorted(counts, reverse=True) and counts[0] > 500
    assert after["record_time"].value == (before["record_time"].value or 0.0) + 600.0
    # what is not fitted holds something else in these registers
    for number in range(5, 9):
        assert after[f"particles_{number}"] == Sample(f"particles_{number}", None, Reason.SENTINEL)


@pytest.mark.parametrize(
    ("profile", "options"), [("hamilton_ph_arc", {}), ("hamilton_visiferm_do", {"unit_code": 1}), ("julabo_magio", LOW)]
)
async def test_second_hand_points_are_uncertain(profile: str, options: dict[str, object]) -> None:
    kind = "julabo_magio" if profile.startswith("julabo") else profile
    scheme, simulated = (TCP, options) if profile.startswith("julabo") else (RTU, {})
    async with rig(Case(profile, kind, scheme, simulated, options)) as (_, driver):
        samples = await read(driver)
        qualities = {
            channel.name: judge("x", channel, samples[channel.name], 0, 0).quality for channel in driver.channels
        }
    second_hand = {"heating_power"} if profile.startswith("julabo") else set(qualities)
    assert {name for name, quality in qualities.items() if quality is Quality.UNCERTAIN} == second_hand
    assert all(quality is Quality.GOOD for name, quality in qualities.items() if name not in second_hand)


async def test_oxygen_in_another_unit_has_no_value() -> None:
    async with rig(Case("hamilton_visiferm_do", "hamilton_visiferm_do", RTU, {"unit_code": 64}, {"unit_code": 32})) as (
        _,
        driver,
    ):
        samples = await read(driver)
    assert samples["dissolved_oxygen"] == Sample("dissolved_oxygen", None, Reason.NOT_AS_AGREED)
    assert samples["temperature"].value == pytest.approx(37.0, abs=0.5)


async def test_the_wrong_unit_id_is_no_answer() -> None:
    case = Case("lighthouse_remote", "lighthouse_remote", TCP, {"framing": "tcp"}, {"unit_id": 9})
    async with rig(case) as (_, driver):
        with pytest.raises(DriverTimeout, match="exception 11"):
            await driver.read()


def test_the_profiles_say_what_may_not_be_done() -> None:
    def cautions(name: str, **options: object) -> str:
        driver = create("it", open_link("modbus+tcp://127.0.0.1:1", 1.0), {"profile": name, **options})
        return " ".join(driver.profile.cautions)

    assert "one connection" in cautions("binder_mb1")
    assert "100,000 writes" in cautions("eurotherm_3216", decimals=1)
    assert "30,000 writes" in cautions("vaisala_gmp252")
