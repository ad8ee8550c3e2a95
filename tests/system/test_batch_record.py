"""Records and forms from the command line, beside a folder in which no lab runs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from pypdf import PdfReader
from tests.command_line import cultureops
from tests.unit.batch.bench import before, transplant
from tests.unit.batch.conftest import BATCH_ID, EQUIPMENT, LOTS, OP, WITNESS

from cultureops.batch.commands import Command
from cultureops.batch.facts import Facts
from cultureops.batch.handler import execute
from cultureops.batch.recipe import load_recipe
from cultureops.batch.shelf import RecipeShelf
from cultureops.clock import HOUR_MS, SeededEntropy, SteppedClock
from cultureops.ledger.store import SqlLedger
from cultureops.recording import LEDGER_FILE, TELEMETRY_FOLDER
from cultureops.telemetry import EmbeddedStore

SITE = """
[site]
name = "Lab 7"
time_zone = "Europe/Berlin"
[[chamber]]
id = "incubator_1"
class = "incubator"
[[device]]
id = "incubator_1"
chamber = "incubator_1"
driver = "modbus"
link = "modbus+tcp://127.0.0.1:1"
simulated = true
options = { profile = "cultureops_virtual_incubator" }
"""
FROZEN = load_recipe("karussis_2010")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a batch in culture, after an outage in which its medium was changed on paper."""
    made = tmp_path_factory.mktemp("data")
    (made / "site.toml").write_text(SITE)
    asyncio.run(_fill(made))
    return made


async def _fill(folder: Path) -> None:
    bench = before("P0 medium", "frozen")
    clock = SteppedClock(bench.now)
    await EmbeddedStore.open(folder / TELEMETRY_FOLDER).close()
    ledger = SqlLedger.open(folder / LEDGER_FILE, clock, SeededEntropy(1))
    try:
        await transplant(ledger, bench, BATCH_ID)
        changed_at = clock.advance(HOUR_MS)
        now = clock.advance(8 * HOUR_MS)
        step = bench.steps["P0 medium"]
        command = Command(BATCH_ID, step.details, changed_at, "entered from the paper form, network down")
        facts = Facts(now, OP, FROZEN, WITNESS, equipment=EQUIPMENT, lots=LOTS)
        await execute(ledger, RecipeShelf().lookup, command, facts)
    finally:
        await ledger.close()


@pytest.mark.requirement("R23")
def test_pull_network_the_form_prints_and_the_late_entry_with_witness_shows(folder: Path, tmp_path: Path) -> None:
    form = tmp_path / "forms.pdf"
    done = cultureops(
        "batch", "forms", "karussis_2010", "--out", str(form), "--data-dir", str(tmp_path / "no-lab-here")
    )
    assert done.returncode == 0, done.stderr
    text = "".join(page.extract_text() for page in PdfReader(form).pages[1:8])
    assert "Change medium" in text and "witness" in text and "position in the ledger" in text
    record = tmp_path / "record.pdf"
    done = cultureops("batch", "record", BATCH_ID, "--out", str(record), "--data-dir", str(folder), "--json")
    assert done.returncode == 0, done.stderr
    late = json.loads(done.stdout)["late_entries"][-1]  # what was put there in one go before it is late as well
    assert (late["step"], late["hours_late"], late["witness"]) == ("medium_changed", 8.0, WITNESS.id)
    pages = [" ".join(page.extract_text().split()) for page in PdfReader(record).pages[:3]]
    assert "LATE" in "".join(pages) and "witness operator-2" in "".join(pages)
    assert all("SIMULATED SOURCES" in page for page in pages)


def test_garbage_is_answered_in_one_line_and_nothing_is_written(folder: Path, tmp_path: Path) -> None:
    out, taken = tmp_path / "out.pdf", tmp_path / "taken.pdf"
    taken.write_bytes(b"mine")
    for code, said, *arguments in (
        (2, "no batch 'B-0'", "record", "B-0", "--out", str(out)),
        (2, "taken.pdf", "record", BATCH_ID, "--out", str(taken)),
        (2, "no account name", "record", BATCH_ID, "--out", str(out), "--actor", " "),
        (2, "neither a batch of this ledger nor a recipe", "forms", "nobody", "--out", str(out)),
    ):
        done = cultureops("batch", *arguments, "--data-dir", str(folder))
        assert (done.returncode, done.stdout) == (code, ""), done.stderr
        assert said in done.stderr and done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
    done = cultureops("batch", "record", BATCH_ID, "--out", str(out), "--data-dir", str(tmp_path / "nowhere"))
    assert done.returncode == 2 and "no such file" in done.stderr
    assert not out.exists() and taken.read_bytes() == b"mine"
