"""Every forgery, done as root on the files of a finished demo batch, is found and named; its pack tells the same."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.kept import rewritten
from tests.system.playing import play
from tests.system.test_verify import rehash

from cultureops.keeping.verifying import verify_folder
from cultureops.ledger.finding import Kind

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]
BATCH = "B-2026-001"
Fields = dict[str, object]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return the folder of a batch that was closed, and the head that was noted then."""
    data = tmp_path_factory.mktemp("finished") / "data"
    summary, _ = play(data, 7, "--step", "10")
    assert summary["state"] == "CLOSED"
    found = verify_folder(data, [], [], None)
    assert found.findings == [] and found.ledger is not None
    return data, str(found.ledger.head)


@pytest.fixture
def forged(finished: tuple[Path, str], tmp_path: Path) -> tuple[Path, str]:
    return shutil.copytree(finished[0], tmp_path / "data"), finished[1]


def counted(data: Path) -> int:
    """Return the position of a count of the batch."""
    with closing(sqlite3.connect(data / "ledger.sqlite")) as db:
        query = "SELECT min(position) FROM events WHERE stream = ? AND instr(canonical, '\"counted\"')"
        (position,) = db.execute(query, (f"batch:{BATCH}",)).fetchone()
    return int(position)


def by_sql(*statements: str) -> Callable[[Path, int], None]:
    def do(data: Path, at: int) -> None:
        places = {"before": at - 1, "at": at, "after": at + 1}
        rewritten(data / "ledger.sqlite", *(statement.format(**places) for statement in statements))

    return do


def rehashed(data: Path, at: int) -> None:
    def change(fields: Fields) -> Fields:
        counts = fields["data"]
        assert isinstance(counts, dict)
        return fields | {"data": counts | {"viability_pct": 99.9}} if fields["position"] == at else fields

    rehash(data / "ledger.sqlite", change, at)


def a_chunk_less(data: Path, _: int) -> None:
    with closing(sqlite3.connect(next((data / "telemetry").glob("2026-01.sqlite")))) as db:
        db.execute("DELETE FROM chunks WHERE id = (SELECT max(id) FROM chunks)")
        db.commit()


def a_raw_file_edited(data: Path, _: int) -> None:
    file = next(file for file in (data / "attachments").rglob("*") if file.is_file())
    file.chmod(0o644)
    file.write_bytes(file.read_bytes().replace(b"9", b"8", 1))


def overwritten(data: Path, _: int) -> None:
    path = data / "ledger.sqlite"
    content = bytearray(path.read_bytes())
    content[4096 * 3 : 4096 * 6] = b"\xa5" * (4096 * 3)
    path.write_bytes(content)


@pytest.mark.requirement("R2")
@pytest.mark.parametrize(
    ("kind", "forge"),
    [
        ("edited", by_sql("UPDATE events SET canonical = replace(canonical, 'viability_pct\":9', 'viability_pct\":8')"
                          " WHERE position = {at}")),
        ("deleted", by_sql("DELETE FROM events WHERE position = {at}")),
        ("inserted", by_sql("UPDATE events SET position = -position - 1 WHERE position >= {at}",
                            "UPDATE events SET position = -position WHERE position < 0",
                            "INSERT INTO events SELECT {at}, 'batch:Z', 1, canonical, hash FROM events"
                            " WHERE position = {before}")),
        ("reordered", by_sql("UPDATE events SET position = -1 WHERE position = {at}",
                             "UPDATE events SET position = {at} WHERE position = {after}",
                             "UPDATE events SET position = {after} WHERE position = -1")),
        ("truncated", by_sql("DELETE FROM events WHERE position >= {at}")),
        ("rolled back", by_sql("DELETE FROM events WHERE position >= {at}", "DELETE FROM heads WHERE size >= {at}")),
        ("re-hashed", rehashed),
        ("unreadable", overwritten),
    ],
)  # fmt: skip
def test_a_forgery_of_a_finished_batch_is_named_with_its_position(
    forged: tuple[Path, str],
    kind: str,
    forge: Callable[[Path, int], None],
    record_property: Callable[[str, object], None],
) -> None:
    data, noted = forged
    at = counted(data)
    forge(data, at)
    findings = verify_folder(data, [], [noted], None).findings
    assert findings, "not found"
    record_property("first", str(findings[0]))
    assert findings[0].kind == kind
    assert kind == "unreadable" or findings[0].position == at


@pytest.mark.requirement("R2")
@pytest.mark.parametrize("forge", [a_chunk_less, a_raw_file_edited])
def test_readings_and_raw_files_are_covered(forged: tuple[Path, str], forge: Callable[[Path, int], None]) -> None:
    data, noted = forged
    forge(data, 0)
    findings = verify_folder(data, [], [noted], None).findings
    assert findings and {finding.kind for finding in findings} <= {Kind.EDITED, Kind.DELETED}


@pytest.mark.requirement("R16")
def test_the_pack_of_a_finished_batch_tells_the_same_without_cultureops(
    finished: tuple[Path, str], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    data, noted = finished
    pack, folder = tmp_path / "B.zip", tmp_path / "pack"
    command = ("pack", "write", BATCH, "--data-dir", str(data), "--out", str(pack))
    subprocess.run((sys.executable, "-m", "cultureops", *command), check=True, timeout=300, capture_output=True)
    with zipfile.ZipFile(pack) as file:
        file.extractall(folder)
    events = folder / "events.jsonl"
    lines = events.read_bytes().splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if b'"type":"counted"' in line)
    forgeries = {
        "nothing": lines,
        "edited": [*lines[:at], lines[at].replace(b'"viability_pct":9', b'"viability_pct":8'), *lines[at + 1 :]],
        "deleted": [*lines[:at], *lines[at + 1 :]],
        "inserted": [*lines[: at + 1], *lines[at:]],
        "reordered": [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]],
        "unreadable": [*lines[:at], b"\xa5" * len(lines[at]), b"\n", *lines[at + 1 :]],
    }
    for kind, forged_lines in forgeries.items():
        events.chmod(0o644)
        events.write_bytes(b"".join(forged_lines))
        verifier = (sys.executable, "-I", str(folder / "verify_pack.py"), str(folder), "--json", "--head", noted)
        done = subprocess.run(verifier, capture_output=True, text=True, timeout=120, check=False, cwd="/")
        answer = json.loads(done.stdout)
        first = answer["findings"][0]["kind"] if answer["findings"] else "nothing"
        record_property(kind, first)
        assert (first, done.returncode) == (kind, 0 if kind == "nothing" else 1), answer["findings"][:3]
