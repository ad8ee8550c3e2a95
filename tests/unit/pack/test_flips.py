"""Flipped bits of a pack are named as what they are, or change nothing that is read."""

import json
import zipfile
from pathlib import Path

import pytest
from tests.packing import written_pack
from tests.unit.pack.flipping import flip_and_check, flip_in_folder


def unpacked(target: Path) -> Path:
    with zipfile.ZipFile(written_pack()) as file:
        file.extractall(target)
    for path in target.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return target


def test_a_few_flipped_bits_of_unpacked_files(tmp_path: Path) -> None:
    found = flip_in_folder(unpacked(tmp_path / "pack"), 25, 13)
    assert sum(found.values()) == 25


def test_a_few_flipped_bits(tmp_path: Path) -> None:
    found = flip_and_check(written_pack(), tmp_path / "pack.zip", 25, 11)
    assert sum(found.values()) == 25 and found["unreadable"] + found["edited"] > 15


@pytest.mark.soak
def test_two_thousand_flipped_bits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = flip_and_check(written_pack(), tmp_path / "pack.zip", 2_000, 12)
    in_folder = flip_in_folder(unpacked(tmp_path / "pack"), 2_000, 14)
    with capsys.disabled():
        print(f"\n2,000 flips over a pack: {json.dumps(found)}; over its unpacked files: {json.dumps(in_folder)}")
    assert found["unreadable"] + found["edited"] > 1_500
