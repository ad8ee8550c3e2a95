"""The simulated bioreactor: its liquid answers to cells, gas and mains, and its published map says what it shows."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from cultureops.device.channel import STANDARD_NAMES
from cultureops.device.driver import Identity
from cultureops.device.transport.open import open_link
from cultureops_drivers.modbus import create
from cultureops_simulators.arguments import Arguments
from cultureops_simulators.fleet import Fleet, parse_fleet
from cultureops_simulators.instrument import Atmosphere, FeelsCells, SimulatorError
from cultureops_simulators.vessel import Vessel

PROFILES = Path(__file__).parents[2] / "drivers/cultureops_drivers/modbus/profiles"
NAME = "cultureops_virtual_bioreactor"


def fleet_of_one(seed: int = 7) -> Fleet:
    options = {"profile": str(PROFILES / f"{NAME}.toml")}
    device = {"name": "reactor_1", "kind": "virtual_bioreactor", "wire": {"tcp": "127.0.0.1:0"}, "options": options}
    return Fleet(parse_fleet({"seed": seed, "devices": [device]}))


def act(fleet: Fleet, name: str, **fields: object) -> dict[str, object]:
    return fleet.lab.act(name, Arguments(name, fields))


def seed_cells(fleet: Fleet) -> None:
    """Stromal cells of a first passage on 20,000 cm2 of carriers."""
    act(fleet, "seed", culture="B1-P1", chamber="reactor_1", cells=8e7, n_vessels=1, area_cm2=20_000.0, passage=1)


def hours(fleet: Fleet, count: float) -> None:
    for _ in range(round(count * 12)):
        fleet.lab.step(300.0)


def vessel_of(fleet: Fleet) -> Vessel:
    (vessel,) = (device.chamber for device in fleet.lab.devices.values() if hasattr(device, "chamber"))
    assert isinstance(vessel, Vessel)
    return vessel


def cells_of(fleet: Fleet) -> dict[str, float]:
    cultures = fleet.lab.truth()["cultures"]
    assert isinstance(cultures, dict)
    return dict(cultures["B1-P1"])


def test_a_vessel_is_air_and_liquid() -> None:
    vessel = Vessel()
    assert isinstance(vessel, Atmosphere) and isinstance(vessel, FeelsCells)
    assert vessel.ph == pytest.approx(7.4, abs=0.01)
    assert vessel.co2_pct == pytest.approx(5.27, abs=0.05)
    vessel.step(86_400.0)
    assert vessel.oxygen_pct == pytest.approx(50.0) and vessel.ph == pytest.approx(7.4, abs=0.01)


def test_one_step_is_as_good_as_many() -> None:
    once, often = Vessel(agitation_setpoint_rpm=60.0), Vessel(agitation_setpoint_rpm=60.0)
    for vessel in (once, often):
        vessel.hold(1e8)
        vessel.co2_supply_ok = False
    once.step(7200.0)
    for _ in range(720):
        often.step(10.0)
    # not to the last digit, since what evaporates meanwhile thickens the cells
    assert once.ph == pytest.approx(often.ph, abs=1e-4)
    assert once.lactate_mm == pytest.approx(often.lactate_mm, rel=1e-3)
    assert once.oxygen_pct == pytest.approx(often.oxygen_pct, abs=0.05)


async def test_cells_breathe_acidify_and_cloud() -> None:
    with closing(fleet_of_one()) as fleet:
        vessel = vessel_of(fleet)
        hours(fleet, 1)
        empty = dict(fleet.lab.device("reactor_1").panel.values)
        seed_cells(fleet)
        hours(fleet, 96)
        full, cells = fleet.lab.device("reactor_1").panel.values, cells_of(fleet)
        assert cells["cells"] > 2.5e8 and cells["stress_h"] < 5
        assert vessel.cells == cells["cells"]
        assert full["optical_density"] > 3 * empty["optical_density"]
        assert full["co2_flow"] < empty["co2_flow"] - 0.5, "their acid takes the place of the gas"
        assert full["air_flow"] > empty["air_flow"] + 3, "their breath takes more air"
        assert full["ph"] == pytest.approx(7.4, abs=0.05)
        assert full["dissolved_oxygen"] == pytest.approx(50, abs=4)
        act(fleet, "discard", culture="B1-P1")
        hours(fleet, 0.5)
        assert vessel.cells == 0


async def test_what_a_failed_supply_does() -> None:
    with closing(fleet_of_one()) as fleet:
        vessel, device = vessel_of(fleet), fleet.lab.device("reactor_1")
        seed_cells(fleet)
        fleet.set_fault("reactor_1", "co2_supply", Arguments("fault", {}))
        hours(fleet, 2)
        assert device.panel.values["ph"] > 8.2 and device.panel.values["co2_flow"] == 0
        fleet.clear("reactor_1")
        hours(fleet, 2)
        assert device.panel.values["ph"] == pytest.approx(7.4, abs=0.05)
        fleet.set_fault("reactor_1", "mains", Arguments("fault", {}))
        hours(fleet, 3)
        shown = device.panel.values
        assert shown["agitation"] < 2 and shown["temperature"] < 35.0 and shown["dissolved_oxygen"] < 25
        assert cells_of(fleet)["stress_h"] > 0.2 and vessel.temperature_c < 35
        with pytest.raises(SimulatorError, match="can lose its co2_supply or its mains, not 'ln2_supply'"):
            fleet.set_fault("reactor_1", "ln2_supply", Arguments("fault", {}))


async def test_a_bioreactor_has_no_door() -> None:
    with closing(fleet_of_one()) as fleet, pytest.raises(SimulatorError, match="chamber 'reactor_1' has no door"):
        act(fleet, "door", chamber="reactor_1", open_s=30.0)


async def test_the_same_seed_shows_the_same() -> None:
    shown = []
    for _ in range(2):
        with closing(fleet_of_one()) as fleet:
            seed_cells(fleet)
            hours(fleet, 5)
            shown.append(fleet.lab.device("reactor_1").panel.values)
    assert shown[0] == shown[1]


async def test_its_map_is_read_by_the_modbus_driver() -> None:
    with closing(fleet_of_one()) as fleet:
        link = open_link(f"modbus+tcp://{fleet.addresses['reactor_1']['tcp']}", 1.0)
        driver = create("reactor_1", link, {"profile": NAME})
        try:
            await driver.connect()
            assert await driver.identify() == Identity("cultureops", "Virtual bioreactor")
            seed_cells(fleet)
            hours(fleet, 3)
            found = {sample.name: sample.value for sample in await driver.read()}
        finally:
            await driver.disconnect()
        shown = fleet.lab.device("reactor_1").panel.values
        assert found == pytest.approx(shown, rel=1e-6)
        assert set(found) <= STANDARD_NAMES["bioreactor"]
