"""Our driver against our simulator, which were written apart."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from cultureops.testing import MemoryLink
from cultureops_drivers.thermo_heracell import create
from cultureops_drivers.thermo_heracell.log import LogPage
from cultureops_simulators.thermo_heracell import build


@pytest.mark.parametrize("check", ["xor", "crc8"])
async def test_values_guards_errors_and_log(check: str) -> None:
    simulator = build("heracell_4", {"start": "2026-01-05T08:00:00Z", "check": check}, np.random.default_rng(3))
    driver = create("heracell_4", MemoryLink(simulator.dialect().receive), {"gas_guard": "co2", "check": check})
    await driver.connect()
    assert (await driver.identify()).firmware == "SIM 1.00"
    simulator.chamber.open_door(60.0)
    for _ in range(10):
        simulator.step(60.0)
    simulator.upset("co2_supply", True)
    simulator.step(60.0)

    found = {sample.name: sample.value for sample in await driver.read()}
    shown = simulator.panel.values
    assert {name: found[name] for name in shown} == pytest.approx(shown)
    assert [found[f"co2_supply_{bit}"] for bit in ("a_active", "a_pressure_ok", "b_pressure_ok")] == [1.0, 0.0, 0.0]
    assert await driver.errors() == tuple(simulator.logbook.errors)

    records = [record async for record in driver.log()]
    assert [record.raw for record in records] == list(simulator.logbook.records)
    assert records[0].text == "power reset" and records[0].at_local == datetime(2026, 1, 5, 8, 0)
    assert {"door closed", "new error, CO2", "gas guard"} <= {record.text for record in records}
    assert records[-1].temperature_c == pytest.approx(shown["temperature"], abs=0.5)
    assert (await driver.log_page(LogPage.FIRST))[0] == records[0]
