"""Environments of peers: made once, again when their pins change, and a clear word where they can't be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.peers import environment
from tests.peers.environment import Peer, Unavailable, prepared
from tests.ports import free_port


@pytest.fixture
def pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "environments.toml"
    monkeypatch.setattr(environment, "PINS", file)
    monkeypatch.setattr(environment, "ENVIRONMENTS", tmp_path / "made")
    return file


def test_made_once_and_again_when_the_pins_change(pins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[list[str]] = []

    def make(folder: Path, wanted: list[str]) -> None:
        made.append(wanted)
        folder.mkdir()

    monkeypatch.setattr(environment, "_make", make)
    pins.write_text('[a]\nrequirements = ["one==1"]')
    assert prepared("a") == prepared("a") == Peer("a", pins.parent / "made" / "a")
    pins.write_text('[a]\nrequirements = ["one==2"]')
    prepared("a")
    assert made == [["one==1"], ["one==2"]]


def test_an_index_that_is_not_there_is_one_clear_line_and_nothing_half_made_counts(
    pins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "WARNING: Retrying\nERROR: No matching distribution found for one==1\n"
    refused = subprocess.CompletedProcess([], 1, "", said)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: refused)
    pins.write_text('[a]\nrequirements = ["one==1"]')
    for _ in range(2):
        with pytest.raises(Unavailable) as raised:
            prepared("a")
        assert str(raised.value) == "a: can't install one==1: ERROR: No matching distribution found for one==1"


def here(tmp_path: Path) -> Peer:
    """A peer whose environment is ours."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    return Peer("here", tmp_path)


def test_scripts_print_json_fail_loudly_and_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "HERE", tmp_path)
    (tmp_path / "scripts").mkdir()
    peer, ticks = here(tmp_path), []
    (tmp_path / "scripts" / "good.py").write_text("import sys, time; time.sleep(0.1); print(len(sys.argv))")
    (tmp_path / "scripts" / "bad.py").write_text("raise SystemExit('no such plate')")
    (tmp_path / "scripts" / "endless.py").write_text("while True: pass")
    assert peer.run("good.py", "a", "b", meanwhile=lambda: ticks.append(1)) == 3 and ticks
    with pytest.raises(AssertionError, match=r"here: bad\.py failed:\nno such plate"):
        peer.run("bad.py")
    with pytest.raises(AssertionError, match=r"endless\.py took longer than"):
        peer.run("endless.py", timeout_s=0.2)


def test_servers_are_ready_when_they_listen_and_are_ended(tmp_path: Path) -> None:
    peer, port = here(tmp_path), free_port()
    server = f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); time.sleep(60)"
    with peer.serving("python", "-c", server, port=port):
        pass
    with (
        pytest.raises(AssertionError, match=f"ended before it listened on port {port}"),
        peer.serving("python", "-c", "pass", port=port),
    ):
        pass
