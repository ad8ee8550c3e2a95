"""An export opens in a spreadsheet, and whatever is done to it is found when it is compared with the ledger."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.audit.conftest import HOSTILE
from tests.unit.batch.conftest import BATCH_ID, OP

from cultureops.audit import Chosen
from cultureops.audit.export import COLUMNS
from cultureops.clock import SeededEntropy, SteppedClock
from cultureops.errors import ChainBroken, ConfigError, CultureOpsError
from cultureops.keeping.audit import export_audit, list_audit, verify_audit
from cultureops.ledger import NewEvent, Source, SqlLedger

Forge = Callable[[list[dict[str, str]]], None]


def read_rows(file: Path) -> list[dict[str, str]]:
    if file.suffix == ".jsonl":
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    with file.open(encoding="utf-8-sig", newline="") as source:
        return list(csv.DictReader(source))


def write_rows(file: Path, rows: list[dict[str, str]]) -> None:
    """Write rows as a spreadsheet would that knows nothing of their meaning."""
    out = io.StringIO(newline="")
    if file.suffix == ".jsonl":
        out.writelines(json.dumps(row) + "\n" for row in rows)
    else:
        writer = csv.DictWriter(out, COLUMNS, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    file.write_text(out.getvalue(), encoding="utf-8", newline="")


@pytest.mark.requirement("R3")
def test_one_batch_and_one_user_are_exported_to_a_spreadsheet_and_verified_again(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = data_dir / "trail.csv"
    export_audit(data_dir, file, Chosen(batch=BATCH_ID, person="operator-1"), has_bom=True)
    rows = read_rows(file)
    assert tuple(rows[0]) == COLUMNS and len(rows) > 20
    assert {row["stream"] for row in rows[:-1]} == {f"batch:{BATCH_ID}"}
    assert all("operator-1" in (row["user"], row["witness"]) for row in rows[:-1])
    assert rows[0]["recorded"].endswith("+00:00") and rows[0]["printed_name"] == "Operator One"
    (late,) = (row for row in rows if row["late_s"])
    assert late["late_s"] == "7200" and late["reason"] == "written on paper"
    assert not any(cell.startswith(("=", "@", "\t")) for row in rows for cell in row.values())
    write_rows(file, rows)  # saved by another program
    capsys.readouterr()
    verify_audit(data_dir, file, as_json=False)
    said = capsys.readouterr().out
    assert f"of what was chosen (batch {BATCH_ID}, person operator-1)" in said, "a part is not taken for the whole"


def _other_reason(rows: list[dict[str, str]]) -> None:
    rows[5]["reason"] = "another"


def _left_out(rows: list[dict[str, str]]) -> None:
    del rows[5]


def _put_in(rows: list[dict[str, str]]) -> None:
    rows.insert(5, rows[4] | {"position": "9999"})


def _swapped(rows: list[dict[str, str]]) -> None:
    rows[4], rows[5] = rows[5], rows[4]


def _one_more(rows: list[dict[str, str]]) -> None:
    rows.insert(-1, rows[-2] | {"position": "9999"})


def _fewer_said(rows: list[dict[str, str]]) -> None:
    said = json.loads(rows[-1]["details"])
    rows[-1]["details"] = json.dumps(said | {"rows": said["rows"] - 1})


def _goes_on(rows: list[dict[str, str]]) -> None:
    rows.append(rows[-1])


def _other_choice(rows: list[dict[str, str]]) -> None:
    said = json.loads(rows[-1]["details"])
    rows[-1]["details"] = json.dumps(said | {"chosen": {"stream": "lot:"}})


@pytest.fixture(scope="module")
def exported(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with an export of each kind; tests change neither."""
    folder = tmp_path_factory.mktemp("exported")
    shutil.copy(filled, folder / "ledger.sqlite")
    for suffix in (".csv", ".jsonl"):
        export_audit(folder, folder / f"trail{suffix}", Chosen(batch=BATCH_ID), has_bom=False)
    return folder


@pytest.mark.requirement("R3")
@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
@pytest.mark.parametrize(
    ("forge", "said"),
    [
        (_other_reason, "was edited: reason is 'another'"),
        (_left_out, "was left out"),
        (_put_in, "position 9999 was put in or moved|left out"),
        (_swapped, "left out|put in or moved"),
        (_one_more, "position 9999 was put in"),
        (_fewer_said, "the last row was edited"),
        (_goes_on, "goes on after it"),
        (_other_choice, "put in or moved|left out|was edited"),
    ],
)
def test_whatever_is_forged_in_an_export_is_named(
    exported: Path, tmp_path: Path, suffix: str, forge: Forge, said: str
) -> None:
    rows, forged = read_rows(exported / f"trail{suffix}"), tmp_path / f"trail{suffix}"
    forge(rows)
    write_rows(forged, rows)
    with pytest.raises(ChainBroken, match=said):
        verify_audit(exported, forged, as_json=False)


def test_an_export_of_another_ledger_or_of_one_since_rewritten_is_refused(data_dir: Path, filled: Path) -> None:
    file = data_dir / "trail.jsonl"
    export_audit(data_dir, file, Chosen(stream="lot:"), has_bom=False)
    asyncio.run(_note(data_dir / "ledger.sqlite"))
    verify_audit(data_dir, file, as_json=True)  # what came since changes nothing
    later = data_dir / "later.jsonl"
    export_audit(data_dir, later, Chosen(stream="lot:"), has_bom=False)
    rolled_back = data_dir / "back"
    rolled_back.mkdir()
    shutil.copy(filled, rolled_back / "ledger.sqlite")
    with pytest.raises(ChainBroken):
        verify_audit(rolled_back, later, as_json=False)
    with sqlite3.connect(rolled_back / "ledger.sqlite") as forged:
        forged.execute("DROP TRIGGER events_stay")
        forged.execute(
            "UPDATE events SET canonical = replace(canonical, 'quarantine', 'quarantane') WHERE position = 9"
        )
        forged.execute("UPDATE events SET canonical = CAST(canonical AS BLOB) || x'20' WHERE position = 9")
    forged.close()
    with pytest.raises(CultureOpsError):
        verify_audit(rolled_back, file, as_json=False)


async def _note(file: Path) -> None:
    ledger = SqlLedger.open(file, SteppedClock(1_800_000_000_000), SeededEntropy(3))
    await ledger.append(f"batch:{BATCH_ID}", [NewEvent("noted", {"text": "later"}, OP, Source.HUMAN)], None)
    await ledger.close()


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"{",
        b"{}\n",
        b"[]\n",
        b"a,b\n1,2\n",
        b"\xff\xfe",
        b'"open',
        b"\x00" * 100,
        b'{"position": 1}\n',
        b"{" * 9_999,
    ],
)
def test_a_file_that_is_no_export_is_refused_in_one_line(exported: Path, tmp_path: Path, garbage: bytes) -> None:
    file = tmp_path / "garbage.csv"
    file.write_bytes(garbage)
    with pytest.raises(ConfigError) as refused:
        verify_audit(exported, file, as_json=False)
    assert "\n" not in str(refused.value) and "garbage.csv" in str(refused.value)


def test_an_export_that_was_cut_off_anywhere_is_found(data_dir: Path) -> None:
    file = data_dir / "trail.jsonl"
    export_audit(data_dir, file, Chosen(stream="lot:"), has_bom=False)
    whole = file.read_bytes()
    for end in range(0, len(whole) - 1, 97):
        file.write_bytes(whole[:end])
        with pytest.raises((ConfigError, ChainBroken)):
            verify_audit(data_dir, file, as_json=False)


def test_the_list_names_head_and_cursor_and_an_export_needs_a_name_that_it_knows(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    list_audit(data_dir, Chosen(stream="lot:"), 2, None, oldest_first=True, as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert [row["type"] for row in said["rows"]] == ["lot_received", "lot_released"] and said["cursor"] == 8
    assert HOSTILE in said["rows"][0]["details"]
    list_audit(data_dir, Chosen(stream="lot:"), 2, said["cursor"], oldest_first=True, as_json=False)
    assert "released -> recalled" in capsys.readouterr().out
    for name in ("trail.xlsx", "trail"):
        with pytest.raises(ConfigError, match=r"\.csv or \.jsonl"):
            export_audit(data_dir, data_dir / name, Chosen(), has_bom=False)
    with pytest.raises(ConfigError, match="no such file"):
        list_audit(data_dir / "none", Chosen(), 2, None, oldest_first=True, as_json=True)
