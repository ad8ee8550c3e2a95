from __future__ import annotations

import numpy as np
import pytest

from cultureops_simulators.chamber import Chamber
from cultureops_simulators.sensor import Sensor, SensorSet
from cultureops_simulators.tank import Tank
from cultureops_simulators.virtual_cryostore.model import CryostoreModel
from cultureops_simulators.virtual_incubator.model import IncubatorModel


def test_a_door_opened_for_a_minute_is_recovered_from_within_ten_to_twenty_minutes() -> None:
    chamber = Chamber()
    chamber.open_door(60.0)
    chamber.step(60.0)
    assert not chamber.door_is_open
    assert chamber.temperature_c < 35.5 and chamber.co2_pct < 2.5 and chamber.humidity_pct < 75.0
    minutes = 0
    while abs(chamber.temperature_c - 37.0) > 0.2 or abs(chamber.co2_pct - 5.0) > 0.2:
        chamber.step(60.0)
        minutes += 1
    assert 10 <= minutes <= 20


@pytest.mark.parametrize("dt_s", [1.0, 7.0, 60.0, 600.0])
def test_steps_of_any_length_end_in_the_same_state(dt_s: float) -> None:
    chamber, fine = Chamber(), Chamber()
    for each in (chamber, fine):
        each.open_door(90.0)
    for _ in range(int(4200 / dt_s)):
        chamber.step(dt_s)
    for _ in range(42_000):
        fine.step(0.1)
    assert chamber.temperature_c == pytest.approx(fine.temperature_c, abs=1e-6)
    assert chamber.co2_pct == pytest.approx(fine.co2_pct, abs=1e-6)
    assert chamber.humidity_pct == pytest.approx(fine.humidity_pct, abs=1e-6)


def test_without_gas_co2_decays_with_one_to_two_hours_and_comes_back() -> None:
    chamber = Chamber(co2_supply_ok=False)
    minutes = 0
    while chamber.co2_pct > 5.0 / np.e:
        chamber.step(60.0)
        minutes += 1
    assert 60 <= minutes <= 120
    chamber.co2_supply_ok = True
    for _ in range(20):
        chamber.step(60.0)
    assert chamber.co2_pct > 4.9


def test_oxygen_is_displaced_by_gas_and_vapour() -> None:
    closed, airy = Chamber(), Chamber(co2_pct=0.04, humidity_pct=0.0)
    assert airy.o2_pct == pytest.approx(20.94, abs=0.01)
    assert 18.0 < closed.o2_pct < 19.0


def test_the_incubator_raises_its_alarm_bits() -> None:
    model = IncubatorModel(np.random.default_rng(2))
    assert model.registers()["alarm_bits"] == 0
    model.chamber.open_door(360.0)
    model.step(60.0)
    assert model.registers()["alarm_bits"] == 0b011 and model.registers()["door"] == 1
    for _ in range(4):
        model.step(60.0)
    assert model.registers()["alarm_bits"] == 0b011
    model.step(59.0)
    assert model.registers()["alarm_bits"] == 0b111
    for _ in range(30):
        model.step(60.0)
    assert model.registers()["alarm_bits"] == 0 and model.registers()["door"] == 0


def test_nitrogen_boils_off_and_is_filled_behind_the_bypass() -> None:
    tank, bypassed, filled = Tank(level_pct=60.5), 0, 0
    for _ in range(60 * 24):
        tank.step(60.0)
        bypassed += tank.is_bypassing
        filled += tank.is_filling
        assert tank.temp_a_c < -185.0
    assert 2 <= bypassed < filled <= 16
    assert 70.0 < tank.level_pct < 80.0


def test_vapour_warms_as_the_level_falls_and_much_more_under_an_open_lid() -> None:
    high, low, lidless = Tank(level_pct=79.0), Tank(level_pct=61.0), Tank(level_pct=79.0)
    lidless.open_lid(1200.0)
    for tank in (high, low, lidless):
        tank.step(1200.0)
    assert low.temp_a_c > high.temp_a_c and low.temp_b_c > high.temp_b_c
    assert lidless.temp_b_c > high.temp_b_c + 50.0
    assert lidless.temp_a_c > high.temp_a_c + 10.0
    lidless.step(6 * 3600.0)
    assert not lidless.lid_is_open and lidless.temp_b_c < -185.0


def test_without_supply_the_fill_times_out_once_and_the_tank_runs_dry_and_warm() -> None:
    tank = Tank(level_pct=60.2, supply_ok=False)
    tank.step(3 * 3600.0)
    assert tank.fill_time_alarm and not tank.is_filling
    tank.step(12 * 86_400.0)
    assert tank.level_pct == 0.0 and tank.temp_a_c > 0.0


def test_on_battery_a_cryostore_keeps_filling_until_it_is_empty() -> None:
    model = CryostoreModel(np.random.default_rng(4))
    model.mains_ok = False
    model.step(24 * 3600.0)
    assert model.registers()["battery"] == 50.0 and model.registers()["mains"] == 0
    model.step(30 * 3600.0)
    model.tank.start_fill()
    assert model.registers()["battery"] == 0.0 and not model.tank.is_filling
    model.mains_ok = True
    model.step(3600.0)
    assert model.registers()["battery"] == pytest.approx(8.3, abs=0.1)


def test_sensor_noise_has_the_stated_spread_and_memory() -> None:
    sensors = SensorSet({"t": Sensor(sigma=0.5, correlation_s=600.0, decimals=3)}, np.random.default_rng(1))
    shown = np.array([sensors.read({"t": 37.0}, 60.0)["t"] for _ in range(20_000)]) - 37.0
    assert abs(shown.mean()) < 0.1 and shown.std() == pytest.approx(0.5, rel=0.15)
    assert np.corrcoef(shown[:-1], shown[1:])[0, 1] == pytest.approx(np.exp(-0.1), abs=0.03)
