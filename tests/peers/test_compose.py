"""The compose file by the Compose specification's own schema; slow, for the checker's environment is made first."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.peers.environment import Peer

pytestmark = pytest.mark.soak

COMPOSE = Path(__file__).parents[2] / "docker-compose.yml"


def checked(peer: Peer, *files: Path) -> subprocess.CompletedProcess[str]:
    command = [peer.program("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_the_compose_files_are_ones(peer: Callable[[str], Peer]) -> None:
    told = checked(peer("check-jsonschema"), COMPOSE, COMPOSE.parent / "deploy" / "compose.hub.yml")
    assert told.returncode == 0, told.stdout


def test_one_with_a_mistake_is_not(peer: Callable[[str], Peer], tmp_path: Path) -> None:
    text = COMPOSE.read_text()
    assert "condition: service_healthy" in text
    (tmp_path / "docker-compose.yml").write_text(text.replace("condition: service_healthy", "condition: healthy", 1))
    assert checked(peer("check-jsonschema"), tmp_path / "docker-compose.yml").returncode == 1
