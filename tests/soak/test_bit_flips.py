"""A bit falls over in any file of a kept folder: verify names it, or nothing that anybody reads has changed."""

from __future__ import annotations

import io
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.kept import ANCHOR, write_folder

from cultureops.errors import CultureOpsError
from cultureops.keeping.verifying import verify_folder
from cultureops.ledger.finding import Kind
from cultureops.telemetry.exchange import UTC, kept_readings, write_csv

NAMED = {Kind.EDITED, Kind.UNREADABLE}
_ALL_TIME = 253_402_300_800_000


def data_files(root: Path) -> list[Path]:
    """Return the files that hold data: not the index of a log, not a lock, not a private key."""
    wanted = (".sqlite", "-wal")
    return [file for file in sorted(root.rglob("*")) if file.name.endswith(wanted) and file.stat().st_size]


def read_all(data: Path) -> tuple[object, ...]:
    """Return every event, by position and by stream, and every reading, as anybody who asks is told."""
    with closing(sqlite3.connect(f"{(data / 'ledger.sqlite').as_uri()}?mode=ro", uri=True)) as db:
        by_position = db.execute("SELECT canonical, hash FROM events ORDER BY position").fetchall()
        names = [name for (name,) in db.execute("SELECT DISTINCT stream FROM events ORDER BY stream")]
        query = "SELECT canonical FROM events WHERE stream = ? AND version > 0 ORDER BY version"
        by_stream = [db.execute(query, (name,)).fetchall() for name in names]
    text = io.StringIO()
    write_csv(kept_readings(data / "telemetry", None, 0, _ALL_TIME), text, UTC)
    return by_position, by_stream, text.getvalue()


def flip_each(data: Path, anchor: Path, flips: int, seed: int) -> dict[str, int]:
    """Flip bits one at a time, each put right before the next, and return what became of them."""
    expected, files = read_all(data), [*data_files(data), anchor]
    assert verify_folder(data, [anchor], [], None).findings == []
    without_last = last_commit_undone(str(expected[2]))
    dice = random.Random(seed)
    sizes = [file.stat().st_size for file in files]
    became = {"edited": 0, "unreadable": 0, "harmless": 0, "last commit": 0}
    for _ in range(flips):
        # Half of them by size, half by file, so that the small ones have their share.
        (file,) = dice.choices(files, sizes if dice.random() < 0.5 else None)
        offset, bit = dice.randrange(file.stat().st_size), 1 << dice.randrange(8)
        shm = file.with_name(f"{file.name.removesuffix('-wal')}-shm")
        flip(file, offset, bit)
        try:
            shm.unlink(missing_ok=True)
            findings = verify_folder(data, [anchor], [], None).findings
            where = f"{file.name}, byte {offset}, bit {bit}"
            assert {finding.kind for finding in findings} <= NAMED, f"{where}: {[str(one) for one in findings]}"
            if findings:
                became[findings[0].kind] += 1
            else:
                try:
                    found: tuple[object, ...] = read_all(data)
                except (CultureOpsError, sqlite3.Error) as error:
                    raise AssertionError(f"{where}: not named, and {error}") from None
                if found != expected and file.name == "journal.sqlite-wal":
                    # A bit in the very last commit of a log looks like a cut of the power while it was written.
                    assert (found[:2], found[2]) == (expected[:2], without_last), where
                    became["last commit"] += 1
                else:
                    assert found == expected, where
                    became["harmless"] += 1
        finally:
            flip(file, offset, bit)
            shm.unlink(missing_ok=True)
    return became


def last_commit_undone(export: str) -> str:
    """Return an export without the readings that arrived last."""
    header, *lines = export.splitlines(keepends=True)
    newest = max(line.split(",")[6] for line in lines)
    return header + "".join(line for line in lines if line.split(",")[6] != newest)


def flip(file: Path, offset: int, bit: int) -> None:
    with file.open("r+b") as opened:
        opened.seek(offset)
        (byte,) = opened.read(1)
        opened.seek(offset)
        opened.write(bytes([byte ^ bit]))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("flipped")
    write_folder(root / "data", events=18, running=root / "running")
    return root


def test_sixty_flipped_bits_are_named_or_harmless(made: Path) -> None:
    became = flip_each(made / "data", made / ANCHOR, 30, 1)
    while_running = flip_each(made / "running", made / ANCHOR, 30, 2)
    assert became["edited"] + became["unreadable"] > 3 and while_running["edited"] + while_running["unreadable"] > 3


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ["data", "running"])
def test_ten_thousand_flipped_bits_are_named_or_harmless(
    made: Path, name: str, record_property: Callable[[str, object], None]
) -> None:
    became = flip_each(made / name, made / ANCHOR, 5_000, 20_260_131)
    for kind, count in became.items():
        record_property(kind, count)
    assert became["edited"] > 100 and became["unreadable"] > 100
