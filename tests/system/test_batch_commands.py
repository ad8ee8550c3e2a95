"""The commands on batches and recipes over a real data folder, as processes of their own."""

import json
from pathlib import Path

import pytest
from tests.command_line import cultureops
from tests.stock import put_on_shelf
from tests.system.conftest import SITE
from tests.system.test_lab import TOKEN, seed_batch

from cultureops.clock import MINUTE_MS, SeededEntropy, SteppedClock, parse_iso
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.lab import open_lab
from cultureops.site import read_site

START = parse_iso("2026-01-05T08:00:00Z")
RECIPE = Path(__file__).parents[2] / "src/cultureops/batch/recipes/karussis_2010.v1.toml"


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """A data folder of a lab in which one batch stood for three hours, ten minutes of them too cold."""
    counts = tmp_path / "counts"
    counts.mkdir()
    (tmp_path / "site.toml").write_text(SITE.format(counts=counts))
    clock = SteppedClock(START)
    async with open_lab(read_site(tmp_path / "site.toml"), tmp_path, clock, SeededEntropy(1)) as lab:
        await put_on_shelf(lab.ledger, clock.now(), "spare")
        await seed_batch(lab, clock)
        for minute in range(180):
            now = clock.advance(MINUTE_MS)
            value = 35.0 if 60 <= minute < 70 else 37.0
            await lab.recorder.accept([Reading("incubator_1/temperature", value, Quality.GOOD, Reason.NONE, now, now)])
    return tmp_path


def answer(folder: Path, *arguments: str) -> object:
    done = cultureops(*arguments, "--data-dir", str(folder), "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def test_batches_can_be_looked_at(folder: Path) -> None:
    (row,) = answer(folder, "batch", "list")  # type: ignore[misc]
    assert (row["batch_id"], row["stage"], row["patient_token"]) == ("B-1", "CULTURE(P0)", TOKEN)
    assert row["due"]["text"] == "first medium change" and row["due"]["role"] == "OP"
    assert answer(folder, "batch", "list", "--state", "CRYO") == []
    shown = answer(folder, "batch", "show", "B-1")
    assert isinstance(shown, dict)
    assert shown["recipe"] == "tavakol_afshari_2021 v2"
    assert [step["step"] for step in shown["lineage"]] == ["marrow_received", "isolated", "seeded"]
    assert shown["lineage"][2]["discarded_cells"] == 4_000_000 and shown["lineage"][2]["lost_cells"] == 0
    assert shown["expected_confluence"]["reason"].startswith("too few observations")
    history = answer(folder, "batch", "history", "B-1")
    assert history[0]["kind"] == "batch_created"  # type: ignore[index]
    due = answer(folder, "batch", "due", "--role", "OP")
    assert {row["batch_id"] for row in due} == {"B-1"}  # type: ignore[union-attr]
    assert answer(folder, "batch", "due", "--role", "CL") == []
    for words in (("list",), ("show", "B-1"), ("history", "B-1"), ("due",)):
        said = cultureops("batch", *words, "--data-dir", str(folder))
        assert (said.returncode == 0 and "COI-7F3K2" in said.stdout) or "first medium change" in said.stdout


async def test_the_air_a_batch_has_lived_in(folder: Path) -> None:
    lived = answer(folder, "batch", "exposure", "B-1")
    assert isinstance(lived, dict)
    (stay,) = lived["stays"]
    assert stay["chamber"] == "incubator_1"
    found = {row["channel"]: row for row in stay["channels"]}
    cold = found["incubator_1/temperature"]
    assert (cold["min"], cold["max"]) == (35.0, 37.0)
    assert cold["out_of_range_s"] == pytest.approx(9 * 60 + 2 * 30), "below 36.0 from half a minute before to after"
    assert cold["degree_minutes_below"] == pytest.approx(9 * 1.0 + 2 * 0.25)
    assert found["incubator_1/co2"]["mean"] is None and found["incubator_1/co2"]["unknown_s"] >= 180 * 60


async def test_labels_are_written_once(folder: Path) -> None:
    out = folder / "labels.html"
    made = answer(folder, "batch", "labels", "B-1", "vessels", str(out))
    assert len(made["labels"]) == 12 and out.read_text().count("<svg") == 12  # type: ignore[call-overload, index]
    again = cultureops("batch", "labels", "B-1", "vessels", str(out), "--data-dir", str(folder))
    assert again.returncode == 2 and "exists; name a new file" in again.stderr
    none = cultureops("batch", "labels", "B-1", "vials", str(folder / "x.html"), "--data-dir", str(folder))
    assert none.returncode == 2 and "has no vials to label now; it is CULTURE(P0)" in none.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("batch", "show", "B-2"), "no batch 'B-2' in this ledger"),
        (("batch", "history", "../x"), "no batch '../x'"),
        (("batch", "list", "--state", "lost"), "--state: expected one of CREATED"),
        (("batch", "labels", "B-1", "boxes", "x.html"), "expected one of vessels, vials, containers"),
    ],
)
async def test_mistakes_are_one_line(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    done = cultureops(*arguments, "--data-dir", str(folder))
    assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1


def test_a_folder_without_a_ledger_stays_without_one(tmp_path: Path) -> None:
    done = cultureops("batch", "list", "--data-dir", str(tmp_path))
    assert done.returncode == 2 and "no such file; name the data folder" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_recipes_are_listed_and_checked(tmp_path: Path) -> None:
    names = {row["name"]: row["version"] for row in json.loads(cultureops("recipe", "list", "--json").stdout)}
    assert names == {"karussis_2010": 1, "tavakol_afshari_2021": 2}
    checked = json.loads(cultureops("recipe", "check", str(RECIPE), "--json").stdout)
    assert checked["name"] == "karussis_2010" and checked["entries"] > 70
    assert "freezing.cooling_rate" in {row["entry"] for row in checked["defaults"]}
    assert "freezing.dmso" not in {row["entry"] for row in checked["defaults"]}, "10 % is the paper's"
    wrong = tmp_path / "mine.toml"
    text = RECIPE.read_text()
    line = next(n for n, row in enumerate(text.splitlines(), 1) if row.startswith("washes_min"))
    wrong.write_text(text.replace('washes_min = { value = 2, unit = "1"', 'washes_min = { value = 2, unit = "mL"'))
    said = cultureops("recipe", "check", str(wrong))
    assert said.returncode == 2 and f"mine.toml:{line}" in said.stderr and "not 'mL'" in said.stderr
    assert cultureops("recipe", "check", str(tmp_path / "absent.toml")).returncode == 2
