"""`cultureops equipment` and `cultureops lots`: real processes, JSON alone, one-line refusals that are recorded."""

import asyncio
import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from tests.hired import hire
from typer.testing import CliRunner, Result

from cultureops.cli import app
from cultureops.clock import SystemClock, SystemEntropy
from cultureops.errors import BatchError
from cultureops.keeping.entry import Entry
from cultureops.keeping.lots import recall_lot
from cultureops.ledger import Actor, NewEvent, Source, SqlLedger
from cultureops.ledger.verify import read_stream

SITE = """
[site]
name = "lab"
[[room]]
id = "clean_room_1"
grade = "B"
[[chamber]]
id = "incubator_1"
class = "incubator"
room = "clean_room_1"
calibrated_until = "2020-01-01T00:00:00Z"
"""
QA, OP, EQ = (
    ("--actor", "qa-1", "--role", "QA"),
    ("--actor", "operator-1", "--role", "OP"),
    ("--actor", "e", "--role", "EQ"),
)
RECEIPT = (
    "--material", "DMEM", "--supplier", "maker", "--quantity", "500", "--unit", "mL",
    "--expires-at", "2099-01-01T00:00:00Z",
)  # fmt: skip


def cultureops(folder: Path, *arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.CompletedProcess[str]:
    """Run one command in a process of its own, in the folder that holds the site file and the data."""
    hire(folder, arguments)
    command = [sys.executable, "-m", "cultureops", *arguments]
    return subprocess.run(command, stdin=stdin, capture_output=True, text=True, timeout=60, check=False, cwd=folder)


def call(folder: Path, *arguments: str) -> Result:
    """Run one command in this process."""
    hire(folder, arguments)
    return CliRunner().invoke(app, [*arguments, "--data-dir", str(folder / "data")])


def answer(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def in_ledger(folder: Path, work: Callable[[SqlLedger], Coroutine[Any, Any, object]]) -> None:
    async def run() -> None:
        ledger = SqlLedger.open(folder / "data" / "ledger.sqlite", SystemClock(), SystemEntropy())
        try:
            await work(ledger)
        finally:
            await ledger.close()

    asyncio.run(run())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a site file and a ledger in which two batches name lot M-17."""
    (tmp_path / "site.toml").write_text(SITE)
    (tmp_path / "data").mkdir()

    async def batches(ledger: SqlLedger) -> None:
        for batch, lots in (("B-1", {"medium_lot": "M-17"}), ("B-2", {"reagent_lots": ["L-1", "M-17"]}), ("B-3", {})):
            event = NewEvent("seeded", lots, Actor("operator-1", "OP"), Source.HUMAN)
            await ledger.append(f"batch:{batch}", [event], None)

    in_ledger(tmp_path, batches)
    return tmp_path


def refusals(folder: Path) -> list[str]:
    return [str(event.data["message"]) for event in read_stream(folder / "data" / "ledger.sqlite", "refusals")]


def test_a_lot_from_receipt_to_recall(folder: Path) -> None:
    got = answer(cultureops(folder, "lots", "receive", "M-17", *RECEIPT, *OP, "--certificate", "C-1", "--json"))
    assert (got["id"], got["status"], got["expires_at"]) == ("M-17", "quarantined", "2099-01-01T00:00:00.000Z")
    refused = call(folder, "lots", "release", "M-17", *OP, "--json")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == "cultureops: lot M-17: LotReleased is not for role OP, only for QA, QC\n"
    assert refusals(folder) == ["lot M-17: LotReleased is not for role OP, only for QA, QC"]
    assert json.loads(call(folder, "lots", "release", "M-17", *QA, "--json").stdout)["status"] == "released"

    unconfirmed = call(folder, "lots", "recall", "M-17", "--reason", "letter", *QA)
    assert unconfirmed.exit_code == 2 and "say --yes" in unconfirmed.stderr and "batch B-1" in unconfirmed.stdout
    recalled = cultureops(folder, "lots", "recall", "M-17", "--reason", "letter", *QA, "--yes", "--json")
    got = answer(recalled)
    assert (got["lot"]["status"], got["lot"]["reason"]) == ("recalled", "letter")
    assert [row["batch_id"] for row in got["batches"]] == ["B-1", "B-2"]
    assert "batch B-1: seeded medium_lot" in recalled.stderr
    shown = json.loads(call(folder, "lots", "show", "M-17", "--json").stdout)
    assert shown["batches"] == got["batches"] and shown["lot"] == got["lot"]
    assert [event["type"] for event in shown["history"]] == ["lot_received", "lot_released", "lot_recalled"]


def test_equipment_from_the_site_file_to_a_record(folder: Path) -> None:
    rows = {row["id"]: row for row in answer(cultureops(folder, "equipment", "list", "--json"))}
    assert (rows["clean_room_1"]["kind"], rows["clean_room_1"]["calibration"]) == ("room", "none")
    incubator = rows["incubator_1"]
    assert (incubator["service"], incubator["calibration"], incubator["since"]) == ("in service", "ended", None)
    site = ("--site", str(folder / "site.toml"), "--json")
    dates = ("--calibrated-at", "2026-01-01T00:00:00Z", "--due", "2099-01-01T00:00:00Z")
    done = call(folder, "equipment", "calibrate", "incubator_1", "--certificate", "K-1", *dates, *EQ, *site)
    assert json.loads(done.stdout)["calibration"] == "valid"
    done = call(folder, "equipment", "out-of-service", "incubator_1", "--reason", "door", *OP, *site)
    assert (json.loads(done.stdout)["in_service"], json.loads(done.stdout)["reason"]) == (False, "door")
    shown = answer(cultureops(folder, "equipment", "show", "incubator_1", "--json"))
    assert (shown["certificate"], shown["service"]) == ("K-1", "out of service")
    assert [event["type"] for event in shown["history"]] == ["calibrated", "taken_out_of_service"]


def test_a_person_at_a_terminal_is_asked(folder: Path) -> None:
    assert call(folder, "lots", "receive", "M-17", *RECEIPT, *OP).exit_code == 0
    keyboard, stdin = pty.openpty()
    try:
        os.write(keyboard, b"y\n")
        done = cultureops(folder, "lots", "recall", "M-17", "--reason", "letter", *QA, stdin=stdin)
    finally:
        os.close(keyboard)
        os.close(stdin)
    assert done.returncode == 0 and "[y/N]" in done.stderr and "recalled (letter)" in done.stdout


def test_a_person_may_say_no(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert call(folder, "lots", "receive", "M-17", *RECEIPT, *OP).exit_code == 0
    for said in ("n\n", "\n", "", "yess\n"):
        monkeypatch.setattr(sys, "stdin", Terminal(said))
        with pytest.raises(BatchError, match="not recalled"):
            recall_lot(folder / "data", "M-17", Entry("qa-1", "QA", "letter"), yes=False, as_json=False)
    assert "quarantined" in call(folder, "lots", "list").stdout


def test_tables_for_people(folder: Path) -> None:
    site = ("--site", str(folder / "site.toml"))
    assert "no equipment on record" in call(folder, "equipment", "list").stdout
    assert "no such lot" in call(folder, "lots", "list").stdout
    commissioned = ("equipment", "commission", "balance_1", "--document", "IQ-[bold]7", "--title", "Balance", *EQ)
    assert call(folder, *commissioned).stdout == "balance_1: in service, calibration none on record\n"
    assert "return it to service instead" in call(folder, *commissioned).stderr
    shown = call(folder, "equipment", "show", "balance_1", *site).stdout
    assert "IQ-[bold]7" in shown and "commissioned" in shown
    due = call(folder, "equipment", "due", *site).stdout
    assert "incubator_1" in due and "over" in due and "balance_1" not in due
    assert call(folder, "equipment", "return", "balance_1", "--reason", "x", *EQ).exit_code == 1
    assert call(folder, "equipment", "retire", "balance_1", "--reason", "sold", *EQ).exit_code == 0
    assert call(folder, "lots", "receive", "M-17", *RECEIPT, *OP).exit_code == 0
    assert "[]" in call(folder, "lots", "list", "--status", "released", "--json").stdout
    assert call(folder, "lots", "reject", "M-17", "--reason", "broken", *QA).exit_code == 0
    assert call(folder, "lots", "quarantine", "M-17", "--reason", "late", *OP).exit_code == 1
    assert "rejected (broken)" in call(folder, "lots", "show", "M-17").stdout


def test_a_late_entry_is_judged_at_its_own_time(folder: Path) -> None:
    late = ("--at", "2026-01-05T08:00:00Z")
    refused = call(folder, "lots", "receive", "M-17", *RECEIPT, *OP, *late)
    assert refused.exit_code == 1 and "needs a reason" in refused.stderr
    late = (*late, "--reason", "book was wet")
    assert call(folder, "lots", "receive", "M-17", *RECEIPT, *OP, *late).exit_code == 0
    assert call(folder, "lots", "release", "M-17", "--certificate", "C-1", *QA, *late).exit_code == 0
    before = call(folder, "lots", "list", "--at", "2026-01-05T07:59:59Z", "--json")
    then = call(folder, "lots", "list", "--at", "2026-01-05T08:00:00Z", "--json")
    much_later = call(folder, "lots", "list", "--at", "2099-01-01T00:00:00Z", "--json")
    statuses = [[row["status"] for row in json.loads(done.stdout)] for done in (before, then, much_later)]
    assert statuses == [[], ["released"], ["expired"]]


def test_a_lot_that_only_batches_name(folder: Path) -> None:
    shown = json.loads(call(folder, "lots", "show", "L-1", "--json").stdout)
    assert shown["lot"] is None and [row["batch_id"] for row in shown["batches"]] == ["B-2"]
    refused = call(folder, "lots", "recall", "L-1", "--reason", "letter", *QA, "--yes")
    assert refused.exit_code == 1 and "is not on record" in refused.stderr and "batch B-2" in refused.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("lots", "receive", "M", *RECEIPT, "--actor", "x", "--role", "boss"), 2, "--role: expected one of OP"),
        (("lots", "receive", "M", *RECEIPT, "--actor", "x", "--role", "DEV"), 2, "--role"),
        (("lots", "receive", "M", *RECEIPT, "--actor", "x", "--role", "AD"), 1, "AD keeps accounts and nothing else"),
        (("lots", "receive", "M", *RECEIPT, "--actor", " ", "--role", "OP"), 2, "--actor"),
        (("lots", "receive", " M", *RECEIPT, *OP), 2, "is no id"),
        (("lots", "receive", "M\n", *RECEIPT, *OP), 2, "is no id"),
        (("lots", "receive", "\udcff", *RECEIPT, *OP), 2, "is no id"),
        (("lots", "receive", "M", *RECEIPT, "--quantity", "-1", *OP), 2, "quantity"),
        (("lots", "receive", "M", *RECEIPT, "--quantity", "nan", *OP), 2, "quantity"),
        (("lots", "receive", "M", *RECEIPT, "--unit", "bottle", *OP), 2, "UCUM"),
        (("lots", "receive", "M", *RECEIPT, "--expires-at", "soon", *OP), 2, "--expires-at: 'soon'"),
        (("lots", "receive", "M", *RECEIPT, "--material", "", *OP), 2, "material"),
        (("lots", "receive", "M", *RECEIPT, *OP, "--at", "2026-01-05"), 2, "--at"),
        (("lots", "receive", "M", *RECEIPT, *OP, "--at", "2098-01-05T00:00:00Z"), 1, "before it happens"),
        (("lots", "receive", "M", *RECEIPT, *OP, "--reason", "\udcff"), 1, "half a character"),
        (("lots", "release", "M", *QA), 1, "lot M: is not on record"),
        (("lots", "show", "nobody"), 2, "not on record"),
        (("lots", "show", "\udcff"), 2, "is no id"),
        (("lots", "list", "--status", "gone"), 2, "--status: expected one of quarantined"),
        (("lots", "list", "--at", "now"), 2, "--at"),
        (("equipment", "show", "nobody"), 2, "not on record"),
        (("equipment", "list", "--site", "/nowhere/site.toml"), 2, "no such file"),
        (("equipment", "return", "nobody", "--reason", "x", *EQ), 1, "commission it first, or name the site file"),
        (("equipment", "commission", "b", "--document", "", *EQ), 2, "document"),
        (("equipment", "out-of-service", "", "--reason", "x", *EQ), 2, "is no id"),
    ],
)
def test_garbage_is_one_line(folder: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = call(folder, *arguments)
    assert (done.exit_code, done.stdout) == (code, ""), done.stderr
    assert said in done.stderr and done.stderr.startswith("cultureops: ") and done.stderr.count("\n") == 1
    kept = read_stream(folder / "data" / "ledger.sqlite", "lot:M")
    assert kept == ()


@pytest.mark.parametrize("group", ["lots", "equipment"])
def test_a_folder_that_is_none(tmp_path: Path, group: str) -> None:
    done = CliRunner().invoke(app, [group, "list", "--data-dir", str(tmp_path)])
    assert done.exit_code == 2 and "ledger.sqlite: no such file" in done.stderr
    assert not (tmp_path / "ledger.sqlite").exists()
    (tmp_path / "ledger.sqlite").write_bytes(b"no ledger" * 99)
    done = CliRunner().invoke(app, [group, "list", "--data-dir", str(tmp_path)])
    assert done.exit_code == 1 and done.stderr.count("\n") == 1
