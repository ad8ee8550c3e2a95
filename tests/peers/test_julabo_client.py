"""The julabo client reads and sets our simulated bath."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.peers.environment import Peer


def test_the_client_reads_and_sets_the_bath(peer: Callable[[str], Peer], start_simulator: Callable[..., Any]) -> None:
    simulator = start_simulator("julabo", wire="tcp", remote="yes")
    simulator.do("step", dt_s=60.0)
    host, _, port = simulator.devices["julabo"]["tcp"].partition(":")
    said = peer("julabo").run("julabo_client.py", host, port)
    shown = simulator.do("truth")["devices"]["julabo"]["shown"]
    assert said == {
        "identification": "JULABO SIMULATOR 1.00",
        "status": "03 REMOTE START",
        "is_started": True,
        "bath": pytest.approx(shown["temperature"]),
        "heating": pytest.approx(shown["heating_power"]),
        "safety": pytest.approx(shown["safety_temperature"]),
        "set_point": 37.0,
        "stopped": "02 REMOTE STOP",
    }
    simulator.do("step", dt_s=60.0)
    assert simulator.do("truth")["devices"]["julabo"]["shown"]["temperature_setpoint"] == 38.5
