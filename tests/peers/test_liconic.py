"""Two clients that nobody here wrote drive our STX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.peers.environment import Peer
from tests.simulators.conftest import RunningFleet

KIND = "liconic_stx"
FindPeer = Callable[[str], Peer]
StartSimulator = Callable[..., RunningFleet]


def drive(peer: Peer, simulator: RunningFleet, script: str) -> tuple[Any, dict[str, Any]]:
    """What the client said, and how things stand afterwards."""
    said = peer.run(script, simulator.devices[KIND]["pty"], meanwhile=lambda: simulator.do("step", dt_s=2.0))
    return said, simulator.do("truth")["devices"][KIND]


def test_pylabrobot_asks_for_the_climate_and_moves_a_plate(peer: FindPeer, start_simulator: StartSimulator) -> None:
    simulator = start_simulator(KIND, levels=42, plates=6)
    said, truth = drive(peer("pylabrobot"), simulator, "pylabrobot_liconic.py")
    assert said["temperature"] == pytest.approx(37.0, abs=0.5) and said["target_temperature"] == 37.0
    assert said["humidity"] == pytest.approx(0.94, abs=0.04)
    assert said["co2"] == pytest.approx(0.05, abs=0.005) and said["target_co2"] == 0.05
    assert said["at_station"] and said["left_station"] and said["new_target"] == 33.5
    assert truth["plates"] == [[1, 2], [1, 3], [1, 4], [1, 5], [1, 6], [2, 4]]


@pytest.mark.soak
def test_open_liconic_stx_asks_for_the_climate_and_moves_a_plate(
    peer: FindPeer, start_simulator: StartSimulator
) -> None:
    said, truth = drive(peer("open-liconic-stx"), start_simulator(KIND, plates=6), "open_liconic_stx.py")
    assert said["before"] == "CommandError"  # the dialogue was not open
    temperature, humidity, co2, gas_1 = said["climate"]
    assert temperature == pytest.approx(37.0, abs=0.5) and humidity == pytest.approx(94.0, abs=4.0)
    assert co2 == pytest.approx(5.0, abs=0.5) and gas_1 == pytest.approx(18.7, abs=0.5)
    assert said["targets"] == [33.5, 94.0, 7.5]
    assert said["at_station"] and said["on_shovel"] and said["shaker"] == [True, 10]
    assert truth["plates"] == [[1, 1], [1, 3], [1, 4], [1, 5], [1, 6], [2, 7]] and truth["shaking"]
    assert said["gas_2"] == "RelayError"
    assert said["error"].startswith("ValueError: ")  # it can't take a one-digit hexadecimal number apart
