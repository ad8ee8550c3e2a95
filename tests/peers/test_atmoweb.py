"""The pyatmoweb client reads our simulated Memmert chamber."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.peers.environment import Peer


def test_the_client_reads_the_chamber(peer: Callable[[str], Peer], start_simulator: Callable[..., Any]) -> None:
    simulator = start_simulator("memmert_atmoweb", wire="tcp", fitted="co2,humidity")
    simulator.do("act", act="door", chamber="memmert_atmoweb", open_s=90.0)
    simulator.do("step", dt_s=60.0)
    said = peer("pyatmoweb").run("pyatmoweb_client.py", simulator.devices["memmert_atmoweb"]["tcp"])
    shown = simulator.do("truth")["devices"]["memmert_atmoweb"]["shown"]
    assert said == {
        "Temp1Read": pytest.approx(shown["temperature"]),
        "Temp2Read": None,
        "CO2Read": pytest.approx(shown["co2"]),
        "CO2Set": pytest.approx(shown["co2_setpoint"]),
        "HumRead": pytest.approx(shown["humidity"]),
        "O2Read": None,
        "DoorOpen": 1,
    }
