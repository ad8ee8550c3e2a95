"""`cultureops counts import`: each count ends in a batch, on hold or aside with its reason, and nothing comes twice."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from tests.hired import hire
from typer.testing import CliRunner

from cultureops.batch import commands as do
from cultureops.batch.commands import Command
from cultureops.batch.facts import Facts
from cultureops.batch.handler import execute
from cultureops.batch.recipe import find_recipe, load_recipe
from cultureops.cli import app
from cultureops.clock import HOUR_MS, SystemClock
from cultureops.ledger.event import Actor
from cultureops.ledger.verify import read_stream, verify
from cultureops.recording import LEDGER_FILE, open_ledger_beside

TOKEN = "COI-7F3K2"
SITE = """
[site]
name = "lab"
[[device]]
id = "counter_1"
driver = "cell_counter_files"
link = "folder:///srv/none"
calibrated_until = "2099-01-01T00:00:00Z"
"""
HEADER = (
    "Sample ID,Cell count,Viable cells,Total (x10^6) cells/mL,Viable (x10^6) cells/mL,Viability (%),"
    "Average diameter (μm),Average viable diameter (μm),Average circularity,Average viable circularity,"
    "Average cells per image,Average background intensity,Bubble count,Cluster count,Images for analysis,Cell type,"
    "Minimum Diameter (μm),Maximum Diameter (μm),Images,Cell sharpness,Minimum circularity,Decluster degree,"
    "Aspiration cycles,Viable spot brightness (%),Viable spot area (%),Mixing cycles,Analysis date/time,"
    "Reanalysis date/time,Analysis by,Reanalysis by,Dilution,Wash,Tag\n"
)


def row(sample_id: str, viability: float = 97.0) -> str:
    return (
        f"{sample_id},1600,1552,1.03,1.0,{viability},15.2,15.4,0.9,0.91,16,130,0,0,100,MSC,6,30,100,7,0.1,Medium,3,50,5,3,"
        "1/15/2026 9:05,,tech,,1,Normal Wash,\n"
    )


WHO = ("--actor", "operator-1", "--role", "OP")


@pytest.fixture(scope="module", autouse=True)
def parser_loaded() -> None:
    """Load the parser once, outside of any test's deadline."""
    pytest.importorskip("allotropy.to_allotrope", reason="the counters extra is not installed")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A lab's folder with batch B-1 in it, and a site file with a calibrated counter beside it."""
    (tmp_path / "site.toml").write_text(SITE)
    folder = tmp_path / "data"
    folder.mkdir()

    async def create() -> None:
        now, recipe = SystemClock().now(), load_recipe("tavakol_afshari_2021")
        marrow = do.ReceiveMarrow(
            marrow_ml=12.0, collected_at=now - HOUR_MS, anticoagulant="heparin", receipt_temperature_c=20.0,
            donor_markers="negative", scans=(TOKEN, TOKEN),
        )  # fmt: skip
        steps = (
            do.CreateBatch(patient_token=TOKEN, recipe=recipe.name),
            do.RecordConsent(form="f", eligible=True),
            marrow,
        )
        async with open_ledger_beside(folder) as ledger:
            for details in steps:
                witness = Actor("operator-2", "OP") if details is marrow else None
                facts = Facts(SystemClock().now(), Actor("operator-1", "OP"), recipe, witness)
                await execute(ledger, find_recipe, Command("B-1", details), facts)

    asyncio.run(create())
    hire(tmp_path, WHO)
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """One count for the batch, one that can't be true, one of another batch, one that names none."""
    path = tmp_path / "run.csv"
    rows = (row("B-1.P0-harvest-1"), row("B-1.P0-harvest-2", 57.0), row("B-9.P0-harvest-1"), row("water"))
    path.write_text(HEADER + "".join(rows), encoding="utf-8")
    return path


def imported(data: Path, *arguments: object) -> Result:
    options = ["--data-dir", data, "--site", data.parent / "site.toml", "--device", "counter_1", *WHO]
    return CliRunner().invoke(app, ["counts", "import", *map(str, (*options, *arguments))])


def found(data: Path, *arguments: object, code: int = 0) -> list[dict[str, Any]]:
    done = imported(data, *arguments, "--json")
    assert done.exit_code == code, done.output
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def types(data: Path, stream: str) -> list[str]:
    return [event.type for event in read_stream(data / LEDGER_FILE, stream)]


def test_each_count_finds_its_place(data: Path, run: Path) -> None:
    (one,) = found(data, run)
    assert (one["status"], one["file"]) == ("imported", str(run))
    assert [(count["outcome"], count["batch"]) for count in one["counts"]] == [
        ("attached", "B-1"),
        ("held", "B-1"),
        ("set_aside", None),
        ("set_aside", None),
    ]
    reasons = [count["reason"] for count in one["counts"]]
    assert reasons[0] is None and "viability_disagrees" in reasons[1]
    assert "B-9" in reasons[2] and "'water' names no sample of a batch" in reasons[3]
    assert types(data, "batch:B-1")[-2:] == ["counted", "count_held"]
    assert types(data, "results") == ["result_not_attributed"] * 2
    (noted,) = read_stream(data / LEDGER_FILE, "device:counter_1")
    assert (noted.type, noted.data["attached"], noted.data["held"], noted.data["set_aside"]) == (
        "counts_imported", 1, 1, 2,
    )  # fmt: skip
    assert verify(data / LEDGER_FILE).position > 0


def test_the_same_file_twice_does_nothing_new(data: Path, run: Path) -> None:
    found(data, run)
    before = [types(data, stream) for stream in ("batch:B-1", "device:counter_1", "attachments")]
    copy = run.with_name("copy.csv")
    copy.write_bytes(run.read_bytes())
    for one in found(data, run, copy):
        assert one["status"] == "known" and one["reason"].startswith("imported before, event ")
        assert {count["outcome"] for count in one["counts"]} == {"known"}
    assert [types(data, stream) for stream in ("batch:B-1", "device:counter_1", "attachments")] == before


def test_counts_that_a_lab_took_already_are_left_alone(data: Path, run: Path) -> None:
    """A larger export of the same run holds them again: the batch refuses a sample that it has."""
    found(data, run)
    run.write_text(HEADER + row("B-1.P0-harvest-1") + row("B-1.P0-harvest-3"), encoding="utf-8")
    (one,) = found(data, run)
    assert [count["outcome"] for count in one["counts"]] == ["set_aside", "attached"]
    assert "counted already" in one["counts"][0]["reason"]


def test_a_counter_without_calibration_counts_nothing_until_it_has_one(data: Path, run: Path) -> None:
    site = data.parent / "site.toml"
    site.write_text(SITE.replace("calibrated_until", "# calibrated_until"))
    (one,) = found(data, run)
    first = one["counts"][0]
    assert first["outcome"] == "set_aside" and "G3" in first["reason"] and "no calibration" in first["reason"]
    site.write_text(SITE)
    assert found(data, run)[0]["status"] == "known"
    (again,) = found(data, run, "--retry")
    assert [count["outcome"] for count in again["counts"]][:2] == ["attached", "held"], (
        "a held count of an unfit counter was set aside as well"
    )


def test_an_unknown_counter_is_named(data: Path, run: Path) -> None:
    done = imported(data, run, "--json", "--device", "import")
    assert done.exit_code == 0 and json.loads(done.stdout)[0]["counts"][0]["outcome"] == "set_aside"
    assert done.stderr.endswith(
        "nothing is on record about import; name the counter with --device, and try again with --retry\n"
    )


def test_a_file_that_cannot_be_read_is_recorded_once(data: Path, run: Path, tmp_path: Path) -> None:
    (tmp_path / "torn.csv").write_text(HEADER + "B-1.P0-harvest-1,16", encoding="utf-8")
    for _ in range(2):
        torn, none, good = found(data, tmp_path / "torn.csv", tmp_path / "none.csv", run, code=1)
        assert torn["status"] == none["status"] == "refused" and torn["counts"] == [] and none["reason"]
        assert good["status"] in ("imported", "known")
    problems = [str(event.data["problem"]) for event in read_stream(data / LEDGER_FILE, "results")]
    assert len([problem for problem in problems if "torn.csv" in problem]) == 1


def test_a_person_reads_what_became_of_it(data: Path, run: Path) -> None:
    lines = imported(data, run).stdout.splitlines()
    assert lines[0].startswith(f"{run}: imported") and lines[1] == "  B-1.P0-harvest-1: attached to B-1"
    assert lines[2].startswith("  B-1.P0-harvest-2: held, ") and lines[4].startswith("  water: set aside, ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--device", "Counter 1"], "is no device name"), (["--data-dir", "/dev/null/none"], "no such file")],
)
def test_wrong_use_is_one_line(data: Path, run: Path, arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(app, ["counts", "import", str(run), "--data-dir", str(data), *WHO, *arguments])
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.requirement("R1")
def test_nobody_brings_counts_in_without_a_name(data: Path, run: Path, tmp_path: Path) -> None:
    before = [event.type for event in read_stream(data / LEDGER_FILE, "batch:B-1")]
    (wrong := tmp_path / "wrong").write_text("somebody else's word\n")
    wrong.chmod(0o600)
    assert imported(data, run, "--password-file", wrong).exit_code == 1
    assert imported(data, run, "--actor", "operator-9").exit_code == 1
    assert types(data, "batch:B-1") == before
    assert found(data, run)[0]["status"] == "imported"
    (noted,) = (one for one in read_stream(data / LEDGER_FILE, "device:counter_1") if one.type == "counts_imported")
    assert (noted.actor.id, noted.actor.role) == ("operator-1", "OP")
