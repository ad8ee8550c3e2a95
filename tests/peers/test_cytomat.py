"""Two clients that nobody here wrote drive our Cytomat."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.peers.environment import Peer
from tests.simulators.conftest import RunningFleet

KIND = "thermo_cytomat"
FindPeer = Callable[[str], Peer]
StartSimulator = Callable[..., RunningFleet]


def drive(peer: Peer, simulator: RunningFleet, script: str, *arguments: str) -> tuple[Any, dict[str, Any]]:
    """What the client said, and how things stand afterwards."""
    said = peer.run(
        script, simulator.devices[KIND]["pty"], *arguments, meanwhile=lambda: simulator.do("step", dt_s=2.0)
    )
    return said, simulator.do("truth")["devices"][KIND]


def set_bits(state: dict[str, bool]) -> set[str]:
    return {name for name, is_set in state.items() if is_set}


def test_pylabrobot_asks_for_everything_and_moves_a_plate(peer: FindPeer, start_simulator: StartSimulator) -> None:
    said, truth = drive(peer("pylabrobot"), start_simulator(KIND, plates=8), "pylabrobot_cytomat.py", "C6000")
    assert set_bits(said["overview"]) == {"ready_bit_set"}
    assert said["temperature"] == pytest.approx(37.0, abs=0.5)
    assert said["co2"] == [5.0, pytest.approx(5.0, abs=0.5)]
    assert said["humidity"] == [95.0, pytest.approx(94.0, abs=4.0)] and said["o2"] == [
        20.9,
        pytest.approx(18.7, abs=0.5),
    ]
    assert said["warning"] == "NO_WARNING"
    assert said["swap"]["position"] == "PLATE_1_IN_FRONT_OF_AUTOMATIC_GATE"
    assert set_bits(said["out"]) == {"transfer_station_occupied", "ready_bit_set"}
    assert said["action"] == {"target": "TRANSFER_STATION", "action": "CLOSE_AUTOMATIC_LIFT_DOOR"}
    assert set_bits(said["in"]) == {"ready_bit_set"}
    assert said["empty_slot"] == "CytomatNoMtpLoadedOnHandlerShovelError" and said["error_after"] == "NO_ERROR"
    assert [set_bits(state) for state in said["gate"]] == [{"automatic_gate_open", "ready_bit_set"}, {"ready_bit_set"}]
    assert truth["plates"] == [1, 3, 4, 5, 6, 7, 8, 10] and truth["shaking"] == [True, True]


def test_pylabrobot_misreads_the_sensors(peer: FindPeer, start_simulator: StartSimulator) -> None:
    said, _ = drive(peer("pylabrobot"), start_simulator(KIND), "pylabrobot_cytomat_sensors.py")
    assert said["GATE_OPENED"] and said["GATE_CLOSED"]


@pytest.mark.soak
def test_open_cytomat_asks_for_everything_and_moves_a_plate(peer: FindPeer, start_simulator: StartSimulator) -> None:
    said, truth = drive(peer("open-cytomat"), start_simulator(KIND, plates=8), "open_cytomat.py")
    moves = ["init", "out", "in", "on_shovel", "exposed", "back", "gate_open", "gate_closed", "scan"]
    assert all(said[move]["at_once"]["busy"] for move in moves)
    ready = "command_executed_device_busy"  # so it calls bit 1
    in_the_end = {move: set_bits(said[move]["in_the_end"]) - {ready} for move in moves}
    assert in_the_end == {
        "init": set(),
        "out": {"transfer_station_occupied"},
        "in": set(),
        "on_shovel": {"shovel_occupied"},
        "exposed": {"shovel_occupied", "auto_lift_door_open"},
        "back": set(),
        "gate_open": {"auto_lift_door_open"},
        "gate_closed": set(),
        "scan": set(),
    }
    refused = [said[name] for name in ("occupied", "no_slot", "empty_station", "shaker_cold")]
    assert refused == ["HandlerOccupied", "UnknownSlotNumber", "TransferStationEmpty", "ShakerNotActive"]
    assert (said["error"], said["warning"], set_bits(said["reset"])) == ("NoError", "NoWarning", {"ready"})
    assert said["climate"] == [33.5, pytest.approx(37.0, abs=0.5), 7.5, pytest.approx(5.0, abs=0.5)]
    assert said["shaker_frequency"] == 250 and truth["shaking"] == [True, False]
    assert truth["plates"] == [1, 3, 4, 5, 6, 7, 8, 10]
    assert said["action"] == "KeyError(24)"  # it takes the lower five bits for the target
