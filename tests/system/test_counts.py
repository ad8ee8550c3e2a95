"""`cultureops counts parse`: known answers, and a refusal of one file that costs the others nothing."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cultureops.cli import app

GOOD = (
    "Viability and Cell Count Assay; ;\nImage;20260115-0001-c-B1;\nViability (%);68.2;\nLive (cells/ml);2.45E6;\n"
    "Dead (cells/ml);1.14E6;\nTotal (cells/ml);3.58E6;\nEstimated cell diameter (um);9.1;\n"
    "Instrument type;NucleoView NC-200\nDate time;20260115 163016\nTime zone offset;2\nPC;LAB\n\n//[ECEC5A41]\n"
)
FIGURES = {
    "viability_pct": ("viability (cell counter)", 1),
    "viable_cells_per_ml": ("viable cell density (cell counter)", 1e6),
    "total_cells_per_ml": ("total cell density (cell counter)", 1e6),
}


@pytest.fixture(scope="module", autouse=True)
def parser_loaded() -> None:
    """Load the parser once, outside of any test's deadline."""
    pytest.importorskip("allotropy.to_allotrope", reason="the counters extra is not installed")


def parse(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["counts", "parse", *map(str, arguments)])


def parsed(files: Iterable[Path], code: int) -> list[dict[str, Any]]:
    done = parse(*files, "--json")
    assert done.exit_code == code, done.output
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_one_file_is_a_list_of_one(tmp_path: Path) -> None:
    (tmp_path / "run.csv").write_text(GOOD)
    (found,) = parsed([tmp_path / "run.csv"], 0)
    assert list(found) == ["file", "status", "reason", "counts"]
    assert (found["status"], found["reason"], found["file"]) == ("ok", None, str(tmp_path / "run.csv"))
    (count,) = found["counts"]
    assert (count["sample_id"], count["measured_at"]) == ("B1", "2026-01-15T16:30:16")
    assert count["viable_cells_per_ml"] == pytest.approx(2.45e6) and count["flags"] == []
    assert "B1  2026-01-15T16:30:16  68.2 % viable" in parse(tmp_path / "run.csv").stdout


def test_a_refused_file_costs_the_others_nothing(tmp_path: Path) -> None:
    (tmp_path / "run.csv").write_text(GOOD)
    (tmp_path / "empty.csv").touch()
    (tmp_path / "bytes.csv").write_bytes(bytes(range(256)) * 4)
    (tmp_path / "torn.xlsx").write_bytes(b"PK\x03\x04torn")
    names = ("empty.csv", "run.csv", "bytes.csv", "torn.xlsx", "none.csv", ".")
    found = parsed([tmp_path / name for name in names], 1)
    assert [one["status"] for one in found] == ["refused", "ok", "refused", "refused", "refused", "refused"]
    assert all(
        one["reason"] and "\n" not in one["reason"] and one["counts"] == [] for one in found if one is not found[1]
    )
    lines = parse(tmp_path / "none.csv").stdout.splitlines()
    assert lines == [f"{tmp_path / 'none.csv'}: refused, there is no such file"]


def test_flagged_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "run.csv").write_text(GOOD.replace("68.2", "98.2"))
    (found,) = parsed([tmp_path / "run.csv"], 0)
    assert found["status"] == "flagged" and "viability_disagrees_with_densities" in found["reason"]


def test_no_file_is_wrong_use() -> None:
    assert parse().exit_code == 2


def test_real_exports_give_the_known_answers(acceptance_data: Path) -> None:
    folder = acceptance_data / "cell_counters"
    with (folder / "expected_counts.csv").open(encoding="utf-8", newline="") as lines:
        known: dict[str, list[dict[str, str]]] = {}
        for line in csv.DictReader(lines):
            known.setdefault(Path(line["json"]).stem, []).append(line)
    found = {Path(one["file"]).stem: one for one in parsed([folder / f"{stem}.csv" for stem in known], 0)}
    for stem, truths in known.items():
        assert len(found[stem]["counts"]) == len(truths) > 0
        for count, truth in zip(found[stem]["counts"], truths, strict=True):
            assert count["sample_id"] == truth["sample identifier"]
            for name, (column, scale) in FIGURES.items():
                assert count[name] / scale == pytest.approx(float(truth[column]), abs=1e-9), (stem, column)
            if not truth["measurement time"].startswith("1970"):
                assert count["measured_at"] == truth["measurement time"][:19]
    assert found["chemometec_nucleoview_example01"]["status"] == "ok"
    assert found["chemometec_nucleoview_example07"]["status"] == "flagged"
    assert "viable_density_negative_zero" in found["chemometec_nucleoview_example07"]["counts"][0]["flags"]
    assert found["chemometec_nucleoview_example03"]["counts"][0]["measured_at"] is None


def test_real_workbooks_are_read_or_refused(acceptance_data: Path) -> None:
    folder = acceptance_data / "cell_counters"
    files = [*sorted(folder.glob("*XR*_error.xlsx")), *sorted(folder.glob("*XR*Output.xlsx")), *folder.glob("*XR*.txt")]
    broken, *good = parsed(files, 1)
    assert broken["status"] == "refused" and "expected a column 'Sample date/time'" in broken["reason"]
    assert [one["status"] for one in good] == ["ok", "ok"]
    assert [len(one["counts"]) for one in good] == [4, 1]
