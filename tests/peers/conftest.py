"""Peers in their environments, and simulators of ours for them to speak to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import absent
from tests.peers.environment import Peer, Unavailable, prepared
from tests.simulators.conftest import RunningFleet

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.peers)
            item.add_marker(pytest.mark.timeout(240))  # the first run installs the peer


@pytest.fixture(scope="session")
def peer() -> Callable[[str], Peer]:
    absences: dict[str, str] = {}  # an index that can't be reached is waited for once

    def find(name: str) -> Peer:
        if name not in absences:
            try:
                return prepared(name)
            except Unavailable as error:
                absences[name] = str(error)
        absent(absences[name])

    return find


StartSimulator = Callable[..., RunningFleet]


@pytest.fixture
def start_simulator(tmp_path: Path) -> Iterator[StartSimulator]:
    running: list[RunningFleet] = []

    def start(kind: str, wire: str = "pty", **options: Any) -> RunningFleet:
        device = {"name": kind, "kind": kind, "options": options}
        device["wire"] = {"pty": None} if wire == "pty" else {"tcp": "127.0.0.1:0"}
        config = tmp_path / f"fleet_{len(running)}.json"
        config.write_text(json.dumps({"seed": 7, "devices": [device]}))
        running.append(RunningFleet(config, with_uvloop=True))
        return running[-1]

    yield start
    for fleet in running:
        fleet.end()
