"""The units of systemd: what systemd itself says of them, and that all three are guarded alike."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.conftest import require_program
from tests.deploy.conftest import DEPLOY

from cultureops import cli

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
EXPOSED_AT_MOST = 20
"""Tenths of systemd's own exposure level; a service without any line of this kind has 96."""


def lines(unit: Path) -> list[tuple[str, str]]:
    rows = (line.partition("=") for line in unit.read_text().splitlines() if re.match(r"[A-Z]\w+=", line))
    return [(key, value) for key, _, value in rows]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_each_says_what_it_runs_and_how_it_is_watched(unit: Path) -> None:
    said = dict(lines(unit))
    program, command, site, option, data_dir = said["ExecStart"].split()
    assert program == "/opt/cultureops/bin/cultureops" and option == "--data-dir" and data_dir == "${STATE_DIRECTORY}"
    assert command in {one.callback.__name__ for one in cli.app.registered_commands if one.callback} | {
        "gateway",
        "hub",
    }
    assert site.startswith("/etc/cultureops/") and site.endswith(".toml")
    assert said["Type"] == "notify" and said["NotifyAccess"] == "main" and int(said["WatchdogSec"]) >= 40
    assert (
        said["User"] == "cultureops" and said["Restart"] == "always" and said["StateDirectory"].startswith("cultureops")
    )
    for key, value in lines(unit):
        if key == "LoadCredential":
            assert re.fullmatch(r"\w+:/etc/cultureops/secrets/[\w%.]+", value), value


def test_all_are_guarded_alike() -> None:
    own = {"Description", "ExecStart", "StateDirectory", "LoadCredential"}
    first, *others = ([row for row in lines(unit) if row[0] not in own] for unit in UNITS)
    assert others and all(other == first for other in others)


def test_systemd_takes_them_and_finds_them_well_guarded(tmp_path: Path) -> None:
    if (program := shutil.which("systemd-analyze")) is None:
        pytest.skip("systemd-analyze is not installed")
    true = require_program("true")
    for unit in UNITS:
        text = unit.read_text().replace("/opt/cultureops/bin/cultureops", true)
        (tmp_path / unit.name).write_text(text)
    names = [str(tmp_path / unit.name.replace("@", "@room_1")) for unit in UNITS]
    said = subprocess.run([program, "verify", "--man=no", *names], capture_output=True, text=True, timeout=30)
    ours = [line for line in said.stderr.splitlines() if "cultureops" in line]
    assert said.returncode == 0 and not ours, said.stderr
    judging = [program, "security", "--offline=true", f"--threshold={EXPOSED_AT_MOST}", "--no-pager"]
    judged = subprocess.run(
        [*judging, str(tmp_path / "cultureops.service")], capture_output=True, text=True, timeout=30
    )
    assert judged.returncode == 0, judged.stdout[-300:] + judged.stderr
