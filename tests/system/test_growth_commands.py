"""`cultureops growth` and `cultureops counter`: JSON alone on standard output, one-line errors, exit codes."""

import json
import math
from pathlib import Path

import pytest
from click.testing import Result
from tests.system.test_cli import cultureops
from typer.testing import CliRunner

from cultureops.cli import app

TIMES = range(0, 25, 2)
STUDY = "counting_method,target_dilution_fraction,random_sample_number,rep_obsv,cell_conc\n" + "".join(
    f"{method},{f},{number},{k},{slope * f * (1 + 0.02 * k)}\n"
    for method, slope in (("chamber", 1e6), ("[image]", 1.2e6))
    for number, f in enumerate((0.1, 0.1, 0.1, 0.4, 0.4, 0.4, 0.7, 0.7, 0.7, 1, 1, 1))
    for k in (-1, 0, 1)
)


def run(*arguments: str) -> Result:
    """Run a command inside this process, which is faster; the first test of each group starts the program."""
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def points(tmp_path: Path) -> Path:
    file = tmp_path / "points.csv"
    rows = (f"{t},{0.5 / (1 + (0.5 / 1e-5 - 1) * math.exp(-1.2 * t))!r}" for t in TIMES)
    file.write_text("\n".join(["Time (h),OD", *rows, "26,NA"]) + "\n")
    return file


@pytest.fixture
def study(tmp_path: Path) -> Path:
    file = tmp_path / "study.csv"
    file.write_text(STUDY)
    return file


def test_a_curve_is_fitted(points: Path) -> None:
    done = cultureops("growth", "fit", str(points), "--time", "Time (h)", "--value", "OD", "--json")
    said = json.loads(done.stdout)
    assert done.returncode == 0 and set(said) == {"fit", "reason"} and said["reason"] is None
    assert "1 rows without OD are left out" in done.stderr
    fit = said["fit"]
    assert set(fit) == {"model", "parameters", "doubling_time", "t_mid", "auc", "r2", "n"}
    assert fit["model"] == "logistic" and fit["n"] == len(TIMES)
    assert fit["t_mid"] == pytest.approx(9.02, abs=0.005) and fit["auc"] == pytest.approx(7.49, abs=0.005)
    for name, value in (("n0", 1e-5), ("r", 1.2), ("k", 0.5)):
        interval = fit["parameters"][name]
        assert interval["value"] == pytest.approx(value, rel=1e-4)
        assert interval["low"] <= interval["value"] <= interval["high"]


def test_what_cannot_be_fitted_is_said(points: Path) -> None:
    points.write_text("t,n\n0,1\n24,2\n")
    done = run("growth", "fit", str(points), "--time", "t", "--value", "n", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout) == {"fit": None, "reason": "too few points: 2 different times, 4 are needed"}
    plain = run("growth", "fit", str(points), "--time", "t", "--value", "n")
    assert plain.stdout.startswith("cannot fit: too few points")


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        (b"", "the file is empty"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "binary"),
        (b"time,cells\n0,1\n", "expected a header with the columns t, n, found 'time,cells'"),
        (b"t,n\n0,1\n24,many\n", ":3: n: 'many' is no number"),
        (b"t,n\n0,1\n,2\n", ":3: n has a value but t has none"),
        (b"t,n\n0,1\n24\n", ":3: 1 fields under 2 columns"),
    ],
)
def test_a_table_that_cannot_be_read_is_one_line(points: Path, contents: bytes, said: str) -> None:
    points.write_bytes(contents)
    done = run("growth", "fit", str(points), "--time", "t", "--value", "n", "--json")
    assert done.exit_code == 2 and done.stdout == ""
    assert said in done.stderr and done.stderr.count("\n") == 1


def test_doublings_of_a_passage() -> None:
    def pd(seeded: str, harvested: str, hours: str) -> tuple[int, str]:
        done = run(
            "growth", "pd", "--seeded", seeded, "--harvested", harvested, "--hours", hours, "--json"
        )  # fmt: skip
        return done.exit_code, done.stdout or done.stderr

    code, said = pd("3e5", "2.5e6", "95")
    assert code == 0
    assert json.loads(said) == pytest.approx({"pd": math.log2(25 / 3), "doubling_time_h": 31.06}, abs=0.005)
    assert json.loads(pd("1e6", "0", "72")[1]) == {
        "pd": None, "doubling_time_h": None, "reason": "no viable cell was harvested",
    }  # fmt: skip
    assert json.loads(pd("1e6", "5e5", "72")[1]) == {
        "pd": -1.0, "doubling_time_h": None, "reason": "no more cells were harvested than seeded",
    }  # fmt: skip
    code, said = pd("0", "5e5", "72")
    assert code == 2 and "growth needs cells seeded > 0" in said
    assert pd("nan", "5e5", "72")[0] == 2


def test_a_counter_qualifies_by_the_limits_that_are_given(study: Path) -> None:
    done = cultureops("counter", "qualify", str(study), "--json")
    said = json.loads(done.stdout)
    assert done.returncode == 0
    assert [row["method"] for row in said["methods"]] == ["chamber", "[image]"]
    for row, slope in zip(said["methods"], (1e6, 1.2e6), strict=True):
        assert row["slope"] == pytest.approx(slope) and row["r2"] == pytest.approx(1) and row["n"] == 12
        assert row["mean_cv_pct"] == pytest.approx(2)
        assert row["qualified"] is None and row["reasons"] == ["no limit set"]
    strict = json.loads(run("counter", "qualify", str(study), "--max-cv", "1", "--json").stdout)
    assert strict["limits"]["max_cv_pct"] == 1
    assert [row["qualified"] for row in strict["methods"]] == [False, False]
    assert "mean CV [%] 2 is above the limit 1" in strict["methods"][0]["reasons"]
    shown = run("counter", "qualify", str(study), "--min-r2", "0.9").stdout
    assert "[image]" in shown and "yes" in shown


def test_a_study_that_is_none_is_refused(study: Path) -> None:
    for wrong in ("counting_method\nx\n", "hello", STUDY.replace("1000000.0", "lots", 1)):
        study.write_text(wrong)
        done = run("counter", "qualify", str(study), "--json")
        assert done.exit_code == 2 and done.stdout == "" and done.stderr.count("\n") == 1, wrong
    gone = run("counter", "qualify", str(study.parent / "gone.csv"))
    assert gone.exit_code == 2 and "No such file" in gone.stderr
    assert run("counter", "qualify", str(study.parent)).exit_code == 2


def test_the_package_of_sciences_is_light() -> None:
    import subprocess
    import sys

    code = "import sys, cultureops.analysis; print([m for m in ('scipy', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
