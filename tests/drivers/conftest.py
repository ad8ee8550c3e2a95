"""A simulated instrument on a port of this process, for drivers that are tried against it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest

from cultureops_simulators.fleet import Fleet, parse_fleet
from cultureops_simulators.instrument import Simulator

Simulate: TypeAlias = Callable[..., tuple[Simulator, str]]


@pytest.fixture
def simulate() -> Iterator[Simulate]:
    """``simulate(kind, **options)`` serves an instrument over TCP; returns it and its ``host:port``."""
    fleets: list[Fleet] = []

    def start(kind: str, **options: object) -> tuple[Simulator, str]:
        device = {"name": kind, "kind": kind, "wire": {"tcp": "127.0.0.1:0"}, "options": options}
        fleet = Fleet(parse_fleet({"seed": 7, "devices": [device]}))
        fleets.append(fleet)
        return fleet.lab.device(kind), fleet.addresses[kind]["tcp"]

    yield start
    for fleet in fleets:
        fleet.close()
