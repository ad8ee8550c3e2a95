"""Every requirement is shown by a test, or says why it is not; the matrix holds all of them, over all processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.requirements import REQUIREMENTS, ROOT, gates, named_in, page_of

EVERY = (*REQUIREMENTS, *gates())


def test_the_list_is_whole() -> None:
    assert [row.id for row in EVERY] == [f"R{n}" for n in range(1, 27)] + [f"G{n}" for n in range(1, 18)]
    assert all(row.sentence.endswith(".") and row.clause for row in EVERY)


@pytest.mark.requirement("R21")
def test_no_requirement_is_without_a_test_or_a_reason() -> None:
    named = named_in(ROOT / "tests")
    assert [row.id for row in EVERY if row.id not in named and not row.untested] == []
    assert named <= {row.id for row in EVERY}, "a test shows what nobody asks for"


PROBE = """
import pytest

@pytest.mark.MARK("R1", "G2")
@pytest.mark.parametrize("n", [1, 2])
def test_shown(n): pass

@pytest.mark.MARK("R1")
def test_that_fails(): assert False

@pytest.mark.MARK("R3")
def test_left_out(): pytest.skip("absent")

def test_GATE_by_its_name(): pass

def test_of_nothing(): pass
""".replace("MARK", "requirement").replace("GATE", "g7")
"""Put together here so that it does not look as if these were tests of ours."""
CONFTEST = """
from pathlib import Path
from tests.requirements import Matrix

def pytest_addoption(parser):
    parser.addoption("--requirements", type=Path)

def pytest_configure(config):
    config.pluginmanager.register(Matrix(config.getoption("--requirements")))
"""


@pytest.mark.requirement("R21")
def test_a_run_is_written_down_by_requirement_over_all_its_processes(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_probe.py").write_text(PROBE)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = requirement\n")
    target = tmp_path / "requirements.json"
    plugins = ("-p", "no:cacheprovider", "-p", "xdist.plugin")
    done = subprocess.run(
        (sys.executable, "-m", "pytest", "-q", "-n", "2", *plugins, "--requirements", str(target)),
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    found = json.loads(target.read_text(encoding="utf-8"))
    outcomes = {nodeid.partition("::")[2]: (one["shows"], one["outcome"]) for nodeid, one in found["tests"].items()}
    assert outcomes == {
        "test_shown[1]": (["R1", "G2"], "passed"),
        "test_shown[2]": (["R1", "G2"], "passed"),
        "test_that_fails": (["R1"], "failed"),
        "test_left_out": (["R3"], "skipped"),
        "test_g7_by_its_name": (["G7"], "passed"),
    }
    page = page_of(found)
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in page.splitlines() if line.startswith("| ")}
    assert "2 passed, **1 failed**" in rows["R1"] and "test_shown` × 2" in rows["R1"]
    assert "1 skipped" in rows["R3"] and "1 passed" in rows["G7"] and "not tested" in rows["R2"]
