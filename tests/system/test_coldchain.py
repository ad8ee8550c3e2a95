"""`cultureops coldchain`: one JSON object of one logger file, and one line for a file that is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from cultureops.cli import app
from cultureops_simulators.elitech_rc5 import build

KEYS = ["readings", "min", "max", "mean", "mkt", "out_of_range_s", "excursions", "gaps"]


def cultureops(*arguments: object) -> Result:
    """Run the command in this process, which is quicker."""
    return CliRunner().invoke(app, ["coldchain", *map(str, arguments)])


def judged(*arguments: object) -> dict[str, Any]:
    done = cultureops(*arguments, "--json")
    assert done.exit_code == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert list(found) == KEYS
    return found


@pytest.fixture
def day(tmp_path: Path) -> Path:
    """18 hours at 5 °C and 6 at 14 °C."""
    rows = (f"2026-01-15 {hour:02}:00:00,{5 if hour < 18 else 14}\n" for hour in range(24))
    path = tmp_path / "day.csv"
    path.write_text("timestamp,temperature (°C)\n" + "".join(rows), encoding="utf-8")
    return path


def test_the_worked_example(day: Path) -> None:
    found = judged(day, "--low", 2, "--high", 8)
    assert found["mkt"] == pytest.approx(8.285, abs=0.0005)
    assert (found["readings"], found["min"], found["max"], found["mean"]) == (24, 5, 14, 7.25)
    (excursion,) = found["excursions"]
    crossing_s = 3600 * 3 / 9
    assert excursion["start"] == "2026-01-15T17:20:00" and excursion["end"] == "2026-01-15T23:00:00"
    assert excursion["duration_s"] == found["out_of_range_s"] == 6 * 3600 - crossing_s
    assert (excursion["extreme"], excursion["direction"]) == (14, "above")
    assert excursion["degree_min"] == pytest.approx(6 * 300 + 6 * 20)
    assert found["gaps"] == []
    assert "8.29 °C, 8.29 °C in the worst 24 h" in cultureops(day).stdout


def test_a_frozen_product_has_no_mean_kinetic_temperature(day: Path) -> None:
    found = judged(day, "--high", 8, "--product", "frozen")
    assert found["mkt"] is None and found["out_of_range_s"] == 20400
    done = cultureops(day, "--product", "frozen")
    assert "says nothing of a frozen product" in done.stdout and "no limits given" in done.stdout


def test_without_limits_nothing_is_out(day: Path) -> None:
    found = judged(day)
    assert found["out_of_range_s"] is None and found["excursions"] == [] and found["mkt"] is not None


def test_a_gap_is_listed_and_its_limit_can_be_set(day: Path) -> None:
    lines = day.read_text(encoding="utf-8").splitlines(keepends=True)
    day.write_text("".join(lines[:10] + lines[13:]), encoding="utf-8")
    assert judged(day)["gaps"] == [
        {"start": "2026-01-15T08:00:00", "end": "2026-01-15T12:00:00", "duration_s": 14400.0}
    ]
    assert judged(day, "--gap", 14400)["gaps"] == []
    assert "a gap is more than 5400 s without a reading" in cultureops(day).stdout


def test_a_simulated_elitech_report_is_read(tmp_path: Path) -> None:
    pytest.importorskip("python_calamine", reason="the counters extra is not installed")
    options = {"folder": str(tmp_path / "reports"), "time_zone": "Europe/Berlin"}
    simulator = build("logger", options, np.random.default_rng(5))
    simulator.step(7200.0)
    path = simulator.read_out()
    found = judged(path, "--low", 2, "--high", 8)
    assert found["readings"] == 120 and 2 < found["mkt"] < 8
    assert "2026-01-05T08:01:00Z to 2026-01-05T10:00:00Z" in cultureops(path).stdout
    assert "2026-01-05T09:01:00+01:00 to" in cultureops(path, "--zone", "Europe/Berlin").stdout


@pytest.mark.parametrize(
    ("name", "contents", "arguments", "code", "said"),
    [
        ("none.csv", None, (), 1, "there is no such file"),
        (".", None, (), 1, "is a folder"),
        ("empty.csv", b"", (), 1, "is empty"),
        ("bytes.csv", bytes(range(256)), (), 1, "is no text"),
        ("words.txt", b"dear diary\n", (), 1, "found no titles of a time and a temperature"),
        ("torn.xls", bytes.fromhex("d0cf11e0a1b11ae1") + b"x" * 99, (), 1, "not a workbook"),
        ("torn.xlsx", b"PK\x03\x04" + b"x" * 99, (), 1, "not a workbook"),
        ("ok.csv", b"time,temp C\n2026-01-15 09:00,5\n", ("--low", 8, "--high", 2), 2, "must be below"),
        ("ok.csv", b"time,temp C\n2026-01-15 09:00,5\n", ("--low", "nan"), 2, "must be a number"),
        ("ok.csv", b"time,temp C\n2026-01-15 09:00,5\n", ("--zone", "Mars/Base"), 2, "is no time zone"),
        ("ok.csv", b"time,temp C\n2026-01-15 09:00,5\n", ("--mapping", "none"), 2, "no such mapping"),
        ("us.csv", b"time,temp C\n01/02/2026 09:00,5\n", (), 2, "say --dates dmy or --dates mdy"),
    ],
)
def test_what_cannot_be_judged_is_one_line(
    tmp_path: Path, name: str, contents: bytes | None, arguments: tuple[object, ...], code: int, said: str
) -> None:
    if contents is not None:
        (tmp_path / name).write_bytes(contents)
    done = cultureops(tmp_path / name, *arguments, "--json")
    assert (done.exit_code, done.stdout) == (code, "")
    assert done.stderr.startswith("cultureops: ") and done.stderr.count("\n") == 1 and said in done.stderr


def test_a_genuine_report_gives_what_its_head_says(acceptance_data: Path) -> None:
    pytest.importorskip("python_calamine", reason="the counters extra is not installed")
    (path,) = (acceptance_data / "environment" / "elitech_rc5").glob("*.xls")
    found = judged(path, "--low", 23.9, "--high", 25)
    assert (found["readings"], found["min"], found["max"]) == (16_063, 23.7, 26.7)
    assert found["mean"] == pytest.approx(24.0, abs=0.1)
    assert found["mkt"] == pytest.approx(24.0868, abs=1e-4)
    assert found["gaps"] == [] and found["out_of_range_s"] > 0


def test_a_genuine_room_record_shows_its_gaps(acceptance_data: Path) -> None:
    path = acceptance_data / "environment" / "NAB" / "ambient_temperature_system_failure.csv"
    found = judged(path, "--unit", "F")
    assert found["readings"] == 7267
    assert [gap["duration_s"] / 3600 for gap in found["gaps"]] == [2, 32, 48, 160, 96, 71, 30, 3, 15, 174]
    assert found["min"] == pytest.approx((57.45840559 - 32) / 1.8)
