"""Simulated instruments that write files: the imager's exports and the logger's reports."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cultureops_simulators import elitech_rc5, incucyte
from cultureops_simulators.instrument import Simulator, SimulatorError

Build = Callable[..., Simulator]
DEADLINE_S = 20.0


def run(build: Build, folder: Path, seed: int, **options: object) -> dict[str, bytes]:
    simulator = build("x_1", {"folder": str(folder), **options}, np.random.default_rng(seed))
    for _ in range(60):
        simulator.step(1800.0)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("build", [incucyte.build, elitech_rc5.build])
def test_one_seed_gives_the_same_files(tmp_path: Path, build: Build) -> None:
    told = [run(build, tmp_path / str(number), seed) for number, seed in enumerate((3, 3, 4))]
    assert told[0] and told[0] == told[1] != told[2]


def test_an_export_grows_with_each_scan(tmp_path: Path) -> None:
    simulator = incucyte.build("x_1", {"folder": str(tmp_path), "locale": "us"}, np.random.default_rng(3))
    simulator.step(6 * 3600.0 - 1)
    assert len((tmp_path / "confluence.txt").read_text().splitlines()) == 9
    simulator.step(1.0)
    *_, first, second = (tmp_path / "confluence.txt").read_text().splitlines()
    assert first.startswith("1/5/2026 8:00:00 AM\t0\t") and second.startswith("1/5/2026 2:00:00 PM\t6\t")
    simulator.panel.stick("B2")
    stuck = simulator.panel.values["B2"]
    simulator.step(24 * 3600.0)
    rows = (tmp_path / "confluence.txt").read_text().splitlines()[-4:]
    assert {float(row.split("\t")[2]) for row in rows} == {round(stuck, 4)}


def test_a_report_is_a_workbook_in_one_piece(tmp_path: Path) -> None:
    files = run(elitech_rc5.build, tmp_path, 3, every_s="600", report_h="24")
    assert list(files) == ["EFS000000001_001.xlsx"]
    with zipfile.ZipFile(tmp_path / "EFS000000001_001.xlsx") as archive:
        assert archive.testzip() is None
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
    assert "Temperature°C" in sheet and "UTC +00:00" in sheet and sheet.count("<row ") == 19 + 144


@pytest.mark.parametrize(
    ("build", "options", "message"),
    [
        (incucyte.build, {}, "option folder is missing"),
        (incucyte.build, {"folder": "x", "locale": "fr"}, "locale must be one of uk, de, us"),
        (incucyte.build, {"folder": "x", "every_h": "0"}, "every_h must be hours"),
        (elitech_rc5.build, {}, "option folder is missing"),
        (elitech_rc5.build, {"folder": "x", "every_s": "1"}, "every_s must be whole seconds"),
        (elitech_rc5.build, {"folder": "x", "report_h": "long"}, "report_h hours"),
    ],
)
def test_wrong_options(build: Build, options: dict[str, object], message: str) -> None:
    with pytest.raises(SimulatorError, match=f"^x_1: .*{message}"):
        build("x_1", options, np.random.default_rng(1))


def test_nothing_logged_is_no_report(tmp_path: Path) -> None:
    simulator = elitech_rc5.build("x_1", {"folder": str(tmp_path)}, np.random.default_rng(1))
    with pytest.raises(SimulatorError, match="nothing was logged yet"):
        simulator.read_out()
    with pytest.raises(SimulatorError, match="no wire"):
        simulator.dialect()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("incucyte", ["--option", "folder={folder}"]),
        ("elitech_rc5", ["--option", "folder={folder}"]),
        ("astm_counter", ["--tcp", "127.0.0.1:0"]),
    ],
)
def test_each_runs_alone(tmp_path: Path, kind: str, words: list[str]) -> None:
    command = [sys.executable, "-m", "cultureops_simulators", "serve", kind]
    process = subprocess.Popen(
        [*command, *(word.format(folder=tmp_path) for word in words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    try:
        assert select.select([process.stdout], [], [], DEADLINE_S)[0], "said nothing"
        assert os.read(process.stdout.fileno(), 500).decode().startswith(f"{kind}: ")
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE_S) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
