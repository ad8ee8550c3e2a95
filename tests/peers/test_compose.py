"""The compose file by the Compose specification's own schema, which ships with check-jsonschema."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.peers.environment import Peer

COMPOSE = Path(__file__).parents[2] / "docker-compose.yml"


def checked(peer: Peer, file: Path) -> subprocess.CompletedProcess[str]:
    command = [peer.program("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_the_compose_files_are_ones(peer: Callable[[str], Peer]) -> None:
    for file in (COMPOSE, COMPOSE.parent / "deploy" / "compose.hub.yml"):
        told = checked(peer("check-jsonschema"), file)
        assert told.returncode == 0, told.stdout


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("read_only: true", "read_only: [true]"), ("condition: service_healthy", "condition: healthy")],
)
def test_one_with_a_mistake_is_not(peer: Callable[[str], Peer], tmp_path: Path, right: str, wrong: str) -> None:
    text = COMPOSE.read_text()
    assert right in text
    (tmp_path / "docker-compose.yml").write_text(text.replace(right, wrong, 1))
    assert checked(peer("check-jsonschema"), tmp_path / "docker-compose.yml").returncode == 1
