"""Our driver against our simulator, which were written apart."""

from __future__ import annotations

import numpy as np
import pytest

from cultureops.testing import MemoryLink
from cultureops_drivers.liconic_stx import create
from cultureops_simulators.liconic_stx import build


async def test_climate_and_states() -> None:
    simulator = build("stx_1", {}, np.random.default_rng(3))
    driver = create("stx_1", MemoryLink(simulator.dialect().receive), {"gas_1": "o2", "gas_2": "n2"})
    await driver.connect()
    await driver.identify()
    simulator.handler.activate()
    simulator.handler.pick((1, 1), 22)
    simulator.chamber.open_door(60.0)
    simulator.step(60.0)
    found = {sample.name: sample.value for sample in await driver.read()}
    shown = simulator.panel.values
    assert {name: found[name] for name in ("temperature", "humidity", "co2")} == pytest.approx(
        {name: shown[name] for name in ("temperature", "humidity", "co2")}
    )
    assert found["o2"] == pytest.approx(shown["gas_1"]) and found["n2"] is None
    assert (found["temperature_setpoint"], found["humidity_setpoint"], found["co2_setpoint"]) == (37.0, 94.0, 5.0)
    assert (found["ready"], found["shovel"], found["transfer_station"], found["error"]) == (1.0, 1.0, 0.0, 0.0)
    simulator.handler.pick((1, 99), 22)
    found = {sample.name: sample.value for sample in await driver.read()}
    assert (found["ready"], found["error"], found["error_code"]) == (0.0, 1.0, 12.0)
    await driver.disconnect()
