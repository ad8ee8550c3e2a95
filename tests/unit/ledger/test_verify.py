"""Every kind of damage is named with its first bad position; damaged files are told from changed history."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import rfc8785
from tests.ledgers import InDatabase, Kept, Row, rows_of

from cultureops.clock import SeededEntropy, SteppedClock, SystemClock, SystemEntropy
from cultureops.errors import ChainBroken, CultureOpsError, Unreadable
from cultureops.ledger import Head, KeyFolder, NewEvent, SqlLedger, verify
from cultureops.ledger.chain import link
from cultureops.ledger.examine import examine
from cultureops.ledger.head import GENESIS
from cultureops.ledger.known import Known

MakeEvent = Callable[..., NewEvent]


def as_bytes(column: object) -> bytes:
    assert isinstance(column, bytes)
    return column


def forged(canonical: object, **changes: object) -> bytes:
    return rfc8785.dumps(json.loads(as_bytes(canonical)) | changes)


def number(rows: list[Row]) -> list[Row]:
    for position, row in enumerate(rows, 1):
        row[0] = position
    return rows


def rehash(rows: list[Row], first: int = 1) -> list[Row]:
    for index in range(first - 1, len(rows)):
        before = rows[index - 1][4] if index else GENESIS
        rows[index][4] = link(as_bytes(before), as_bytes(rows[index][3]))
    return rows


def edit(rows: list[Row]) -> list[Row]:
    rows[4][3] = forged(rows[4][3], data={"number": 99})
    return rows


def edit_hash(rows: list[Row]) -> list[Row]:
    rows[4][4] = b"\x01" * 32
    return rows


def edit_with_its_hash(rows: list[Row]) -> list[Row]:
    kept = [row[4] for row in rows[5:]]
    rehash(edit(rows), 5)
    for row, chain_hash in zip(rows[5:], kept, strict=True):
        row[4] = chain_hash
    return rows


def edit_with_all_hashes(rows: list[Row]) -> list[Row]:
    return rehash(edit(rows), 5)


def edit_actor_of_last(rows: list[Row]) -> list[Row]:
    rows[11][3] = forged(rows[11][3], actor={"id": "nobody", "role": "technician"})
    return rows


def file_elsewhere(rows: list[Row]) -> list[Row]:
    rows[4][1] = "c"
    return rows


def file_as_other_version(rows: list[Row]) -> list[Row]:
    rows[4][2] = 9
    return rows


def store_as_text(rows: list[Row]) -> list[Row]:
    rows[4][3] = as_bytes(rows[4][3]).decode()
    return rows


def delete(rows: list[Row]) -> list[Row]:
    return rows[:4] + rows[5:]


def delete_first(rows: list[Row]) -> list[Row]:
    return rows[1:]


def delete_and_close_up(rows: list[Row]) -> list[Row]:
    return number(delete(rows))


def delete_and_rehash(rows: list[Row]) -> list[Row]:
    rows = delete_and_close_up(rows)
    for row in rows[4:]:
        row[3] = forged(row[3], position=row[0])
    return rehash(rows, 5)


def insert_forged(rows: list[Row]) -> list[Row]:
    before = as_bytes(rows[3][4])
    canonical = forged(rows[4][3], data={"number": 99})
    return number([*rows[:4], [0, "b", 2, canonical, link(before, canonical)], *rows[4:]])


def insert_unhashed(rows: list[Row]) -> list[Row]:
    return number([*rows[:4], [0, "b", 2, forged(rows[4][3], data={}), b"\x01" * 32], *rows[4:]])


def insert_copy(rows: list[Row]) -> list[Row]:
    return number([*rows[:7], list(rows[2]), *rows[7:]])


def insert_before_all(rows: list[Row]) -> list[Row]:
    return [[0, *rows[0][1:]], *rows]


def swap(rows: list[Row]) -> list[Row]:
    return number([*rows[:4], rows[5], rows[4], *rows[6:]])


def move_to_end(rows: list[Row]) -> list[Row]:
    rows[4][0] = 13
    return rows


def claim_gap_in_stream(rows: list[Row]) -> list[Row]:
    rows[4][2] = 3
    rows[4][3] = forged(rows[4][3], version=3)
    return rehash(rows, 5)


TAMPERINGS = [
    (edit, "position 5: edited"),
    (edit_hash, "position 5: edited"),
    (edit_with_its_hash, "position 5: edited"),
    (edit_with_all_hashes, "position 5: edited"),
    (edit_actor_of_last, "position 12: edited"),
    (file_elsewhere, "position 5: edited"),
    (file_as_other_version, "position 5: edited"),
    (store_as_text, "position 5: edited"),
    (delete, "position 5: deleted"),
    (delete_first, "position 1: deleted"),
    (delete_and_close_up, "position 5: deleted"),
    (delete_and_rehash, "position 7: deleted"),
    (insert_forged, "position 6: inserted"),
    (insert_unhashed, "position 5: inserted"),
    (insert_copy, "position 8: inserted"),
    (insert_before_all, "position 1: inserted"),
    (swap, "position 5: reordered"),
    (move_to_end, "position 5: reordered"),
    (claim_gap_in_stream, "position 5: deleted"),
]


@pytest.mark.parametrize(("tamper", "named"), TAMPERINGS, ids=lambda case: getattr(case, "__name__", ""))
def test_tampering_is_named(written: Kept, tamper: Callable[[list[Row]], list[Row]], named: str) -> None:
    if tamper is store_as_text and isinstance(written, InDatabase):
        pytest.skip("a column of PostgreSQL holds nothing but its own type")
    written.rewrite(tamper(rows_of(written)))
    with pytest.raises(ChainBroken, match=named) as caught:
        verify(written.where)
    assert "\n" not in str(caught.value)
    with pytest.raises(ChainBroken, match=named):
        SqlLedger.open(written.where, SystemClock(), SystemEntropy())


def test_rewriting_the_same_rows_is_no_tampering(written: Kept) -> None:
    head = verify(written.where)
    written.rewrite(rows_of(written))
    assert verify(written.where) == head


def test_only_a_known_head_shows_a_cut_off_tail_and_a_history_written_anew(written: Kept) -> None:
    known = verify(written.where)
    rows = rows_of(written)
    assert verify(written.where, known) == known
    assert verify(written.where, Head(0)) == known
    written.rewrite(rows[:9])
    assert verify(written.where).position == 9
    with pytest.raises(ChainBroken, match=r"position 10: rolled back: the (file|database) ends at position 9"):
        verify(written.where, known)
    rows[11][3] = forged(rows[11][3], data={"number": 99})
    written.rewrite(rehash(rows, 12))
    assert verify(written.where).position == 12
    with pytest.raises(ChainBroken, match="re-hashed: positions 1 to 12 follow"):
        verify(written.where, known)


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("DELETE FROM events WHERE position > 3", "position 4: truncated: positions 4 to 6 are gone; heads in this"),
        ("UPDATE heads SET signed_at = 1", "head 1: edited: position 6: not signed by key"),
        ("DELETE FROM heads", "the head of position 6 is missing here; the anchor has it"),
        ("UPDATE events SET stream = 'z' WHERE position = 2", "position 2: edited"),
    ],
)
async def test_what_is_done_to_signed_records_is_named(
    kept: Kept, clock: SteppedClock, make_event: MakeEvent, tmp_path: Path, statement: str, named: str
) -> None:
    keys = KeyFolder(tmp_path / "keys")
    ledger = SqlLedger.open(kept.where, clock, SeededEntropy(1), keys=keys)
    await ledger.introduce_key()
    await ledger.append("a", [make_event() for _ in range(5)], None)
    head = await ledger.sign_head()
    assert head is not None and head.size == 6
    kept.edit("DELETE FROM heads WHERE size < 6", "UPDATE heads SET number = 1")
    await ledger.close()
    anchor = [Known("the anchor", head, ledger.public_key(head.key_id))]
    assert examine(kept.where, anchor).findings == ()
    kept.edit(statement)
    found = examine(kept.where, anchor).findings
    assert named in str(found[0]), found
    if "heads" not in statement:
        with pytest.raises(ChainBroken, match=named[:22]):
            SqlLedger.open(kept.where, clock, SeededEntropy(1), keys=keys)


async def test_a_database_put_back_whole_is_named_by_an_anchor(
    kept: Kept, clock: SteppedClock, make_event: MakeEvent, tmp_path: Path
) -> None:
    ledger = SqlLedger.open(kept.where, clock, SeededEntropy(1), keys=KeyFolder(tmp_path / "keys"))
    await ledger.introduce_key()
    await ledger.append("a", [make_event()], None)
    await ledger.sign_head()
    heads = kept.query("SELECT max(size) FROM heads")[0][0]
    await ledger.append("a", [make_event(claims=("place:x",))], None)
    head = await ledger.sign_head()
    assert head is not None
    await ledger.close()
    kept.edit("DELETE FROM events WHERE position > 2", f"DELETE FROM heads WHERE size > {heads}", "DELETE FROM claims")
    assert examine(kept.where).findings == ()
    (found,) = examine(kept.where, [Known("the anchor", head, ledger.public_key(head.key_id))]).findings
    assert f"position 3: rolled back: the {kept.kind} ends at position 2; the anchor stands for 3" in str(found)


def test_a_file_that_is_absent_a_folder_or_empty_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for name, complaint in [("absent", "no such file"), (".", "no such file"), ("empty", "not a ledger")]:
        with pytest.raises(Unreadable, match=complaint):
            verify(tmp_path / name)


def test_a_truncated_file_and_a_shot_page_are_unreadable(path: Path, written: Kept) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - 4096])
    with pytest.raises(Unreadable, match=r"malformed|can't be read|is damaged"):
        verify(path)
    path.write_bytes(whole[:4096] + os.urandom(4096) + whole[8192:])
    with pytest.raises(Unreadable):
        verify(path)


def snapshot(path: Path) -> list[bytes]:
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    rows = connection.execute("SELECT canonical, hash FROM events ORDER BY position").fetchall()
    for stream in "abc":
        query = "SELECT canonical, hash FROM events WHERE stream = ? AND version > 0 ORDER BY version"
        rows += connection.execute(query, (stream,)).fetchall()
    connection.close()
    return [column for row in rows for column in row]


def test_a_flipped_bit_is_named_or_harmless(path: Path, written: Kept, tmp_path: Path) -> None:
    whole, expected = path.read_bytes(), snapshot(path)
    dice = random.Random(20260105)
    named = 0
    for round_ in range(1000):
        folder = tmp_path / str(round_)
        folder.mkdir()
        flipped = folder / "ledger.sqlite"
        offset = dice.randrange(len(whole))
        damaged = bytearray(whole)
        damaged[offset] ^= 1 << dice.randrange(8)
        flipped.write_bytes(damaged)
        try:
            verify(flipped)
        except (ChainBroken, Unreadable) as error:
            assert "\n" not in str(error)
            named += 1
        else:
            assert snapshot(flipped) == expected, f"byte {offset}"
        shutil.rmtree(folder)
    assert named > 50


def test_a_flipped_bit_in_any_event_is_named(path: Path, written: Kept) -> None:
    whole = path.read_bytes()
    dice = random.Random(7)
    for position, _, _, stored, _ in rows_of(written):
        canonical = as_bytes(stored)
        start = whole.index(canonical)
        damaged = bytearray(whole)
        damaged[start + dice.randrange(len(canonical))] ^= 1 << dice.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(ChainBroken, match=f"position {position}: edited"):
            verify(path)


@contextmanager
def without_privileges() -> Iterator[None]:
    """Root may do everything; be nobody for a moment."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_read_only_media_can_be_verified_and_forbidden_files_are_unreadable(path: Path, written: Kept) -> None:
    head = verify(path)
    with tempfile.TemporaryDirectory() as folder:
        media = Path(folder)
        copy = media / "ledger.sqlite"
        copy.write_bytes(path.read_bytes())
        copy.chmod(0o444)
        media.chmod(0o555)
        with without_privileges():
            assert verify(copy) == head
        copy.chmod(0o000)
        with without_privileges(), pytest.raises(Unreadable, match="can't be read"):
            verify(copy)
        with without_privileges(), pytest.raises(CultureOpsError, match="can't be opened"):
            SqlLedger.open(copy, SystemClock(), SystemEntropy())
        media.chmod(0o755)
