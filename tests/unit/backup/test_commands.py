"""What the commands on backups and retention print, record and refuse."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.unit.backup.conftest import NOON, Take

from cultureops.backup.records import CHECKED, FAILED, MADE, RESTORED, STREAM
from cultureops.backup.settings import RetentionSettings
from cultureops.clock import SteppedClock, iso, parse_iso
from cultureops.errors import ConfigError, StorageError
from cultureops.keeping.backups import check_backup, list_backups, make_backup, restore_to
from cultureops.keeping.retention import beyond_retention
from cultureops.ledger.verify import read_stream
from cultureops.recording import LEDGER_FILE

Caught = pytest.CaptureFixture[str]


def told(folder: Path) -> list[str]:
    return [event.type for event in read_stream(folder / LEDGER_FILE, STREAM)]


def test_made_listed_tried_and_restored_with_a_record_of_each(
    lab: Path, shelf: Path, tmp_path: Path, capsys: Caught
) -> None:
    make_backup(lab, shelf, None, 0, tmp_path / "keys.json", as_json=True)
    made = json.loads(capsys.readouterr().out)
    assert made["readings"] == 720 and made["ledger_position"] == 15
    check_backup(shelf, lab, "15:" + made["ledger_hash"], tmp_path, as_json=True)
    tried = json.loads(capsys.readouterr().out)
    assert (tried["events"], tried["roots"]) == (15, 3)
    assert tried["recovery_time_s"] > 0
    assert told(lab) == [MADE, CHECKED]
    new = tmp_path / "new"
    restore_to(shelf, new, None, tmp_path / "keys.json", as_json=False, clock=SteppedClock(NOON))
    assert "recovery point: data until" in capsys.readouterr().out
    assert told(new) == [RESTORED]
    (restored,) = read_stream(new / LEDGER_FILE, STREAM)
    assert restored.data["manifest_sha256"] == made["manifest_sha256"]
    assert (restored.data["ledger_position"], restored.position) == (15, 16)
    list_backups(shelf, as_json=True)
    (row,) = json.loads(capsys.readouterr().out)
    assert row["manifest_sha256"] == made["manifest_sha256"]


def test_a_failure_is_on_record_and_wrong_use_is_not(lab: Path, shelf: Path, take: Take) -> None:
    with pytest.raises(ConfigError, match="--to: expected the folder"):
        make_backup(lab, None, None, 0, None, as_json=False)
    assert told(lab) == []
    with closing(sqlite3.connect(lab / "telemetry" / "2026-02.sqlite")) as month, month:
        month.execute(
            "UPDATE chunks SET payload = CAST(payload || x'00' AS BLOB) WHERE id = (SELECT max(id) FROM chunks)"
        )
    with pytest.raises(StorageError):
        make_backup(lab, shelf, None, 0, None, as_json=False)
    assert told(lab) == [FAILED]


@pytest.mark.requirement("R16")
def test_retention_only_reports_and_nothing_is_deleted(lab: Path) -> None:
    files = {path: path.stat().st_size for path in lab.rglob("*") if path.is_file()}
    after = parse_iso("2056-02-15T00:00:00Z")
    assert beyond_retention(lab, RetentionSettings(), NOON).months == ()
    found = beyond_retention(lab, RetentionSettings(), after)
    assert (found.months, found.batches) == (("2026-01",), ())
    assert iso(found.records_before) == "2026-02-15T00:00:00.000Z"
    assert beyond_retention(lab, RetentionSettings(), parse_iso("2056-01-31T00:00:00Z")).months == ()
    assert {path: path.stat().st_size for path in lab.rglob("*") if path.is_file()}.items() >= files.items()
