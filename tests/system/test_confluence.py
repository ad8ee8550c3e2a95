"""The command ``confluence`` as it is typed."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.command_line import cultureops
from tests.unit.analysis.culture_scenes import camera, spindles


@pytest.fixture
def image(tmp_path: Path) -> Path:
    Image.fromarray(camera(spindles(40, shape=(260, 352)))).save(tmp_path / "flask.tif")
    return tmp_path / "flask.tif"


def test_one_image_gives_a_list_of_one(image: Path, tmp_path: Path) -> None:
    done = cultureops("confluence", str(image), "--json", "--overlay", str(tmp_path / "seen"))
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)
    assert {"file", "confluence_pct", "low", "high", "unsure", "reason", "image_sha256", "method"} <= set(found)
    assert found["low"] <= found["confluence_pct"] <= found["high"]
    assert not found["unsure"]
    assert len(list((tmp_path / "seen").glob("flask-*.png"))) == 1


def test_garbage_has_no_figures_and_the_others_go_on(image: Path, tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.png"
    garbage.write_bytes(b"\x89PNG\r\n\x1a\n" + np.random.default_rng(2).bytes(900))
    done = cultureops("confluence", str(garbage), str(tmp_path / "absent.tif"), str(image), "--json")
    assert done.returncode == 1
    broken, absent, found = json.loads(done.stdout)
    for one in (broken, absent):
        assert one["confluence_pct"] is one["low"] is one["high"] is None
        assert one["unsure"] is True
        assert one["file"] in one["reason"]
    assert found["confluence_pct"] == pytest.approx(42, abs=6)
    assert len(done.stderr.splitlines()) == 2
    assert "Traceback" not in done.stderr


def test_one_line_per_image(image: Path, tmp_path: Path) -> None:
    Image.new("L", (200, 200), 128).save(tmp_path / "blank.png")
    done = cultureops("confluence", str(image), str(tmp_path / "blank.png"))
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first.startswith(f"{image}: ") and "%" in first and "UNSURE" not in first
    assert "UNSURE: nothing to judge" in second


def test_without_an_image_it_is_wrong_use() -> None:
    assert cultureops("confluence").returncode == 2
