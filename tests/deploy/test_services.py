"""The units of systemd: what systemd itself says of them, and that all three are guarded alike."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.conftest import require_program
from tests.deploy.conftest import DEPLOY, NOBODY, nobody
from tests.ports import free_port

from cultureops import cli
from cultureops.healthy import problem

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


@pytest.mark.parametrize(
    ("unit", "files"), [("cultureops.service", ("lab",)), ("cultureops-hub.service", ("lab", "gateways"))]
)
def test_each_is_handed_what_the_site_file_to_start_from_names(unit: str, files: tuple[str, ...]) -> None:
    handed = {value.partition(":")[0] for key, value in lines(DEPLOY / "systemd" / unit) if key == "LoadCredential"}
    text = "".join((DEPLOY / "site" / f"{name}.toml").read_text() for name in files)
    assert set(re.findall(r"/run/secrets/(\w+)", text)) == handed


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


def allowed(program: str, *filters: str) -> set[str]:
    """Expand systemd's sets of system calls; one after the other adds, or with ~ takes away."""
    found: set[str] = set()
    for one in filters:
        is_without, name = one.startswith("~"), one.removeprefix("~")
        if not name.startswith("@"):
            names = {name}
        else:
            listed = subprocess.run(
                [program, "syscall-filter", name], capture_output=True, text=True, timeout=30
            ).stdout
            rows = [row.strip() for row in listed.splitlines()[1:] if row.strip() and not row.strip().startswith("#")]
            names = {inner for row in rows for inner in (allowed(program, row) if row.startswith("@") else {row})}
        found = found - names if is_without else found | names
    return found


@pytest.fixture
def folder_of_nobody() -> Iterator[Path]:
    """A folder that the service's user could have; pytest's own are closed to all but who runs it."""
    with tempfile.TemporaryDirectory(prefix="cultureops-service-", dir="/var/tmp") as name:
        (Path(name) / "kept").mkdir()
        if os.geteuid() == 0:
            for folder in (Path(name), Path(name) / "kept"):
                os.chown(folder, NOBODY, NOBODY)  # root's SQLite gives files away, which nobody else's does
        yield Path(name)


def first_of(calls: Path) -> int:
    """The process that strace was told to start."""
    return int(calls.read_text().split(None, 1)[0])


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_a_lab_asks_the_kernel_for_nothing_that_its_service_is_refused(
    folder_of_nobody: Path, record_property: Callable[[str, object], None]
) -> None:
    if (program := shutil.which("systemd-analyze")) is None:
        pytest.skip("systemd-analyze is not installed")
    rows = [value for key, value in lines(DEPLOY / "systemd" / "cultureops.service") if key == "SystemCallFilter"]
    filters = [f"~{one}" if row.startswith("~") else one for row in rows for one in row.removeprefix("~").split()]
    port, site, calls = free_port(), folder_of_nobody / "site.toml", folder_of_nobody / "calls"
    backup = f'[backup]\nfolder = "{folder_of_nobody}/kept"\nevery_h = 1\n'
    site.write_text(f'[site]\nname = "strace"\n[web]\nport = {port}\n{backup}')
    strace = [require_program("strace"), "-f", "-qq", "-o", str(calls), "-e", "signal=none"]
    command = [sys.executable, "-m", "cultureops", "run", str(site), "--data-dir", str(folder_of_nobody / "data")]
    lab = subprocess.Popen(nobody(*strace, *command), stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 240
        while problem(site) is not None or not any((folder_of_nobody / "kept").glob("backup-*")):
            assert lab.poll() is None and time.monotonic() < until
            time.sleep(0.2)
        os.kill(first_of(calls), signal.SIGTERM)
        lab.wait(60)
    finally:
        if lab.poll() is None:
            os.kill(first_of(calls), signal.SIGKILL)  # what is traced outlives who traces it
        lab.kill()
        lab.wait()
    called = set(re.findall(r"^\d+ +(\w+)\(", calls.read_text(), re.MULTILINE))
    record_property("system_calls", len(called))
    assert called and called <= allowed(program, *filters), called - allowed(program, *filters)
