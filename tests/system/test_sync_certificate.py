"""The commands that make and name the certificates of gateways and their hub."""

from __future__ import annotations

import json
from pathlib import Path

from tests.command_line import cultureops


def test_a_certificate_is_made_once_and_named_by_its_fingerprint(tmp_path: Path) -> None:
    made = cultureops("sync", "certificate", "room_1", folder=tmp_path)
    assert made.returncode == 0, made.stderr
    shown = cultureops("sync", "fingerprint", "room_1.pem", "--json", folder=tmp_path)
    found = json.loads(shown.stdout)
    assert found["sha256"] in made.stdout and found["valid_until"] in made.stdout
    assert (tmp_path / "room_1.key").stat().st_mode & 0o777 == 0o600
    again = cultureops("sync", "certificate", "room_1", folder=tmp_path)
    assert again.returncode == 2
    assert "never written over" in again.stderr and again.stderr.count("\n") == 1
    nowhere = cultureops("sync", "certificate", "room_2", "--folder", "none", folder=tmp_path)
    assert nowhere.returncode == 2 and "no such folder" in nowhere.stderr
