"""The periodic evaluation is compiled from data, says that it is unsigned, and is signed as it is."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pypdf
import pytest
from tests.hired import hire_named, password_file
from tests.unit.audit.conftest import HOSTILE, corrected_bench

from cultureops.audit.evaluation import Evaluated
from cultureops.errors import AccessError, ConfigError, CultureOpsError
from cultureops.keeping.evaluation import count_alcoa, sign_evaluation, standing_of_evaluation, write_evaluation
from cultureops.keeping.proof import Secret

SITE = """
[site]
name = "Test lab"
time_zone = "Europe/Berlin"
[[chamber]]
id = "incubator_1"
class = "incubator"
"""
SINCE, UNTIL = "2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z"


@pytest.fixture(scope="module")
def written(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with people, and its evaluation beside it."""
    folder = tmp_path_factory.mktemp("evaluated")
    shutil.copy(filled, folder / "ledger.sqlite")
    (folder / "site.toml").write_text(SITE)
    hire_named(folder, ("quality-1", "QA"), ("operator-9", "OP"))
    wrong = folder / "wrong"
    wrong.touch(mode=0o600)
    wrong.write_text("not the password at all")
    write_evaluation(folder, SINCE, UNTIL, folder / "report.pdf", as_json=True)
    return folder


def report_in(folder: Path) -> dict[str, Any]:
    said: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return said


@pytest.mark.requirement("R24")
def test_a_report_of_a_period_is_made_from_data_and_unsigned_until_qa_signs(
    written: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = report_in(written)
    assert said["audit_trail"]["corrections"] == 1 and said["audit_trail"]["refusals"] >= 1
    assert said["audit_trail"]["late entries"] == 1 and said["batches"]["batch_created"] == 1
    assert {row["username"] for row in said["accounts"]} >= {"operator-1"}
    assert [row["what"] for row in said["changes"]["rows"]][:2] == ["Commissioned", "Calibrated"]
    assert said["verified"]["events"] > 0 and len(said["alcoa"]) == 14
    text = "\n".join(
        page.extract_text() for page in pypdf.PdfReader(io.BytesIO((written / "report.pdf").read_bytes())).pages
    )
    assert "UNSIGNED" in text and "Periodic evaluation" in text and "Operator One" in text
    capsys.readouterr()
    with pytest.raises(CultureOpsError, match="UNSIGNED as it is"):
        standing_of_evaluation(written, written / "report.json", as_json=False)
    with pytest.raises(AccessError):
        sign_evaluation(written, written / "report.json", "in order", "operator-9", Secret(password_file()))
    with pytest.raises(AccessError):
        sign_evaluation(written, written / "report.json", "in order", "quality-1", Secret(written / "wrong"))
    sign_evaluation(written, written / "report.json", f"in order {HOSTILE}", "quality-1", Secret(password_file()))
    capsys.readouterr()
    standing_of_evaluation(written, written / "report.json", as_json=True)
    (signature,) = json.loads(capsys.readouterr().out)["signatures"]
    assert (signature["printed_name"], signature["role"], signature["meaning"]) == ("Quality 1", "QA", "approved")
    changed = written / "changed.json"
    changed.write_text(
        (written / "report.json").read_text(encoding="utf-8").replace('"corrections": 1', '"corrections": 0')
    )
    with pytest.raises(CultureOpsError, match="UNSIGNED as it is"):
        standing_of_evaluation(written, changed, as_json=False)


def test_what_lies_outside_of_the_period_counts_nothing() -> None:
    events = corrected_bench().events
    evaluated = Evaluated(events[3].recorded_at, events[9].recorded_at)
    evaluated.take(events)
    assert evaluated.counts["events"] == sum(evaluated.start <= e.recorded_at < evaluated.end for e in events) < 10


@pytest.mark.parametrize("garbage", ["", "{", "[]", "{}", '{"title": "Periodic evaluation"}', "\x00", "[" * 99_999])
def test_what_is_no_evaluation_is_refused_in_one_line(written: Path, tmp_path: Path, garbage: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(garbage)
    with pytest.raises(ConfigError) as refused:
        standing_of_evaluation(written, file, as_json=False)
    assert "\n" not in str(refused.value)


def test_wrong_use_is_refused_and_nothing_is_written_over(written: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ends in \.pdf"):
        write_evaluation(written, SINCE, UNTIL, tmp_path / "report.txt", as_json=False)
    with pytest.raises(ConfigError, match="does not lie after"):
        write_evaluation(written, UNTIL, SINCE, tmp_path / "report.pdf", as_json=False)
    with pytest.raises(ConfigError, match="exists; name a new file"):
        write_evaluation(written, SINCE, UNTIL, written / "report.pdf", as_json=False)
    with pytest.raises(ConfigError, match="--conclusion"):
        sign_evaluation(written, written / "report.json", " ", "quality-1", Secret(password_file()))


@pytest.mark.requirement("R26")
def test_the_query_counts_every_violation(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    count_alcoa(written, as_json=True)
    said = json.loads(capsys.readouterr().out)
    counts = {row["violation"]: row["count"] for row in said["violations"]}
    assert counts["correction without a reason"] == 0 and counts["entered more than 5 min after it happened"] == 1
    count_alcoa(written, as_json=False)
    assert "contemporaneous" in capsys.readouterr().out
