"""mettler_toledo_device reads and zeroes our simulated balance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.peers.environment import Peer


def test_the_client_reads_and_zeroes_the_balance(
    peer: Callable[[str], Peer], start_simulator: Callable[..., Any]
) -> None:
    simulator = start_simulator("mettler_sics")
    said = peer("mettler-toledo-device").run("mettler_toledo_client.py", simulator.devices["mettler_sics"]["pty"])
    assert said == {
        "serial_number": "0123456789",
        "data": ["SIMULATOR", "4200.00", "g"],
        "software": ["1.00"],
        "now": [pytest.approx(0.0, abs=0.02), "g", "S"],
        "stable": [pytest.approx(0.0, abs=0.02), "g"],
        "zeroed": True,
        "after": [0.0, "g", "S"],
    }
