"""Our driver against our simulator, which were written apart."""

from __future__ import annotations

import numpy as np
import pytest

from cultureops.testing import MemoryLink
from cultureops_drivers.thermo_cytomat import create
from cultureops_simulators.thermo_cytomat import build


@pytest.mark.parametrize("line_end", ["cr", "crlf"])
async def test_climate_and_a_plate_on_its_way(line_end: str) -> None:
    simulator = build("cytomat_1", {}, np.random.default_rng(3))
    options = {"fitted": "temperature+co2+humidity+o2", "line_end": line_end}
    driver = create("cytomat_1", MemoryLink(simulator.dialect().receive), options)
    await driver.connect()
    await driver.identify()
    simulator.handler.initialise(door_is_open=False)
    simulator.step(60.0)
    simulator.handler.storage_to_transfer(1)
    simulator.step(8.0)
    found = {sample.name: sample.value for sample in await driver.read()}
    shown = simulator.panel.values
    assert {name: found[name] for name in shown} == pytest.approx(shown)
    assert (found["busy"], found["shovel"], found["transfer_station"]) == (1.0, 1.0, 0.0)
    assert (found["action_target"], found["action"]) == (3.0, 0x0A)
    simulator.step(60.0)
    found = {sample.name: sample.value for sample in await driver.read()}
    assert (found["busy"], found["ready"], found["transfer_station"], found["error_code"]) == (0.0, 1.0, 1.0, 0.0)
