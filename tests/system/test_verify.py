"""Every forgery of a kept folder, done as somebody who rules the machine, is found and named as what it is."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import rfc8785
from tests.command_line import cultureops
from tests.kept import ANCHOR, START, rewritten, write_folder

from cultureops.clock import SeededEntropy, SteppedClock, SystemClock, SystemEntropy
from cultureops.config import parse
from cultureops.errors import ChainBroken, ConfigError, CultureOpsError, SignatureInvalid, StorageError, Unreadable
from cultureops.keeping.verifying import Verified, verify_folder
from cultureops.ledger import Actor, KeyFolder, NewEvent, Source, SqlLedger
from cultureops.ledger.chain import link
from cultureops.ledger.event import draft, seal
from cultureops.ledger.finding import Kind
from cultureops.ledger.head import GENESIS, PrintedHead, parse_head
from cultureops.ledger.key_chain import STREAM, introduction
from cultureops.ledger.keys import SigningKey
from cultureops.ledger.settings import ledger_from
from cultureops.recording import open_ledger_beside

OPERATOR = Actor("operator-1", "OP")
NEW = NewEvent("noted", {}, OPERATOR, Source.HUMAN)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("kept")
    write_folder(root / "data")
    return root


@pytest.fixture
def kept(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "kept")
    return tmp_path / "kept"


def ledger_of(kept: Path) -> Path:
    return kept / "data" / "ledger.sqlite"


def verified(kept: Path, *heads: str, with_anchor: bool = True) -> Verified:
    return verify_folder(kept / "data", [kept / ANCHOR] if with_anchor else [], heads, None)


def first(kept: Path, *heads: str, with_anchor: bool = True) -> tuple[Kind, int | None]:
    findings = verified(kept, *heads, with_anchor=with_anchor).findings
    assert findings, "not found"
    return findings[0].kind, findings[0].position


def rehash(path: Path, change: Callable[[dict[str, object]], dict[str, object]], first_position: int) -> None:
    """Change events from a position on and write chain and stream hashes anew, as a forger does who knows all of it."""
    rewritten(path)
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT position, canonical, hash FROM events ORDER BY position").fetchall()
        before, tips = GENESIS, {}
        for position, canonical, _ in rows:
            fields = json.loads(canonical)
            if position >= first_position:
                fields = change(fields)
                fields["previous_stream_hash"] = tips.get(fields["stream"], GENESIS).hex()
            canonical = rfc8785.dumps(fields)
            before = tips[fields["stream"]] = link(before, canonical)
            db.execute("UPDATE events SET canonical = ?, hash = ? WHERE position = ?", (canonical, before, position))
        db.commit()


def test_what_is_as_it_was_written_is_told_so(kept: Path) -> None:
    found = verified(kept)
    assert found.findings == []
    assert found.ledger is not None and found.telemetry is not None
    assert found.ledger.unsigned == 0 and found.ledger.heads > 50 and found.ledger.signatures == 6
    assert found.anchored > 50 and found.roots == 5 and found.telemetry.sealed_readings > 0


SWAP = (
    "UPDATE events SET position = -1 WHERE position = 30",
    "UPDATE events SET position = 30 WHERE position = 31",
    "UPDATE events SET position = 31 WHERE position = -1",
)
INSERT = (
    "UPDATE events SET position = -position - 1 WHERE position >= 30",
    "UPDATE events SET position = -position WHERE position < 0",
    "INSERT INTO events SELECT 30, 'batch:Z', 1, canonical, hash FROM events WHERE position = 29",
)


@pytest.mark.requirement("R2")
@pytest.mark.parametrize(
    ("statements", "kind", "position"),
    [
        (["UPDATE events SET canonical = replace(canonical, '96.5', '69.5') WHERE position = 30"], Kind.EDITED, 30),
        (["UPDATE events SET canonical = CAST(canonical AS BLOB) || x'20' WHERE position = 30"], Kind.EDITED, 30),
        (["DELETE FROM events WHERE position = 30"], Kind.DELETED, 30),
        (["DELETE FROM events WHERE position BETWEEN 30 AND 40"], Kind.DELETED, 30),
        (INSERT, Kind.INSERTED, 30),
        (SWAP, Kind.REORDERED, 30),
        (["DELETE FROM events WHERE position > 40"], Kind.TRUNCATED, 41),
        (["DELETE FROM events"], Kind.TRUNCATED, 1),
        (["DELETE FROM events WHERE position > 40", "DELETE FROM heads WHERE size > 40"], Kind.ROLLED_BACK, 41),
        (["UPDATE heads SET root = zeroblob(32) WHERE size = 30"], Kind.EDITED, 30),
        (["DELETE FROM heads WHERE size > 30"], Kind.HEAD, None),
        (["DELETE FROM heads WHERE size = 30"], Kind.HEAD, None),
        (["DROP TABLE heads"], Kind.HEAD, None),
        (["DELETE FROM claims"], Kind.EDITED, None),
    ],
)
def test_each_forgery_by_sql_is_named(kept: Path, statements: list[str], kind: Kind, position: int | None) -> None:
    rewritten(ledger_of(kept), *statements)
    found = first(kept)
    assert found[0] == kind
    assert position is None or found[1] == position


def test_a_history_written_anew_is_rehashed_and_its_first_position_named(kept: Path) -> None:
    def change(fields: dict[str, object]) -> dict[str, object]:
        data = fields["data"]
        assert isinstance(data, dict)
        return fields if fields["position"] != 30 or "number" not in data else fields | {"data": data | {"number": 99}}

    rehash(ledger_of(kept), change, 30)
    assert first(kept, with_anchor=False) == (Kind.REHASHED, 30)
    # Who takes the heads away as well is caught by what was kept elsewhere.
    rewritten(ledger_of(kept), "DELETE FROM heads")
    assert first(kept)[0] == Kind.REHASHED


def test_a_whole_folder_put_back_is_shown_by_an_anchor_or_by_paper_alone(kept: Path, made: Path) -> None:
    write_folder(kept / "older" / "data", events=30)
    shutil.rmtree(kept / "data")
    shutil.copytree(kept / "older" / "data", kept / "data")
    shutil.copy(kept / "older" / ANCHOR, kept / "own.jsonl")
    assert verify_folder(kept / "data", [kept / "own.jsonl"], [], None).findings == []
    assert first(kept)[0] in (Kind.ROLLED_BACK, Kind.REHASHED)
    printed = printed_head(made)
    assert first(kept, printed, with_anchor=False)[0] == Kind.ROLLED_BACK


def printed_head(kept: Path) -> str:
    found = verified(kept).ledger
    assert found is not None
    return str(PrintedHead.of(found.head.position, bytes.fromhex(found.root)))


def test_a_printed_head_is_typed_off_paper_and_a_slip_is_no_alarm(kept: Path) -> None:
    printed = printed_head(kept)
    assert verified(kept, printed.lower().replace("0", "o"), with_anchor=False).findings == []
    slip = printed[:-2] + ("A" if printed[-2] != "A" else "B") + printed[-1]
    with pytest.raises(CultureOpsError, match="mistyped"):
        verified(kept, slip)
    with pytest.raises(StorageError, match="not a printed head"):
        parse_head("66-AAAAA")


@pytest.mark.requirement("R6")
async def test_a_signature_copied_to_another_record_is_invalid(kept: Path) -> None:
    async with open_ledger_beside(kept / "data") as ledger:
        signed = next(event for event in ledger.read_all() if "signatures" in event.data)
        forged = NewEvent("counted", {"number": 7, "signatures": signed.data["signatures"]}, OPERATOR, Source.HUMAN)
        (event,) = await ledger.append("batch:C", [forged], None)
    assert first(kept) == (Kind.SIGNATURE, event.position)


def test_a_key_that_nobody_vouches_for_is_refused_and_named(kept: Path) -> None:
    event = introduction(SigningKey.make(SystemEntropy()).public)

    async def append() -> None:
        async with open_ledger_beside(kept / "data") as ledger:
            await ledger.append(STREAM, [event], None)

    with pytest.raises(SignatureInvalid, match="without a person's name and reason"):
        asyncio.run(append())
    with closing(sqlite3.connect(ledger_of(kept))) as db:
        (last, before) = db.execute("SELECT position, hash FROM events ORDER BY position DESC LIMIT 1").fetchone()
        (previous,) = db.execute("SELECT hash FROM events WHERE stream = ?", (STREAM,)).fetchone()
        fields = draft(event, STREAM, SeededEntropy(5).event_id(START), START, "local")
        canonical = seal(fields, STREAM, last + 1, 2, previous)
        row = (last + 1, STREAM, 2, canonical, link(before, canonical))
        db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?)", row)
        db.commit()
    assert first(kept) == (Kind.KEY, last + 1)


async def test_an_anchor_line_that_was_changed_is_named_and_the_others_hold(kept: Path) -> None:
    lines = (kept / ANCHOR).read_text().splitlines(keepends=True)
    lines[9] = lines[9].replace('"size":', '"size":1')
    lines[12] = "{\n"
    (kept / ANCHOR).write_text("".join(lines) + '{"cut off while it was wri')
    found = verified(kept).findings
    assert sorted((finding.kind, finding.where.rpartition(":")[2]) for finding in found) == [
        (Kind.EDITED, "10"),
        (Kind.UNREADABLE, "13"),
    ]


@pytest.mark.requirement("R2")
def test_as_admin_update_and_delete_by_sql_are_denied_and_by_file_detected(kept: Path) -> None:
    path = ledger_of(kept)
    statements = [
        "UPDATE events SET stream = 'x'", "DELETE FROM events", "UPDATE heads SET size = 1", "DELETE FROM heads",
        "INSERT OR REPLACE INTO events SELECT position, stream, version, x'00', hash FROM events WHERE position = 3",
    ]  # fmt: skip
    with closing(sqlite3.connect(path)) as db:
        for statement in statements:
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                db.execute(statement)
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"viability_pct":96.5', b'"viability_pct":69.5', 1))
    assert first(kept)[0] == Kind.EDITED


@pytest.mark.requirement("R2")
async def test_the_services_own_connections_refuse_to_change_anything(kept: Path) -> None:
    ledger = SqlLedger.open(ledger_of(kept), SystemClock(), SystemEntropy())
    connections = [ledger._writer, ledger._reader]
    for engine in connections:
        with engine.connect() as connection:
            raw = connection.connection.driver_connection
            assert isinstance(raw, sqlite3.Connection)
            for statement in (
                "UPDATE events SET stream = 'x'", "DELETE FROM events", "DROP TABLE events", "DELETE FROM heads",
                "DROP TRIGGER events_stay", "ALTER TABLE events RENAME TO old", "PRAGMA writable_schema = 1",
                "PRAGMA user_version = 1", "ATTACH DATABASE ':memory:' AS other", "CREATE TABLE more (a)",
                "UPDATE stamps SET size = 1", "PRAGMA journal_mode = DELETE", "DELETE FROM sqlite_master",
            ):  # fmt: skip
                with pytest.raises(sqlite3.DatabaseError, match=r"not authorized|may not be modified|prohibited"):
                    raw.execute(statement)
    await ledger.append("batch:A", [NEW], None)
    await ledger.close()
    assert first_or_none(kept) is None


def first_or_none(kept: Path) -> Kind | None:
    findings = verified(kept).findings
    return findings[0].kind if findings else None


@pytest.mark.parametrize("left", ["keys", "telemetry", "log"])
async def test_a_missing_ledger_is_refused_and_nothing_is_made_in_its_place(kept: Path, left: str) -> None:
    data = kept / "data"
    log = ledger_of(kept).with_name("ledger.sqlite-wal")
    ledger_of(kept).unlink()
    log.unlink(missing_ok=True)
    for other in {"keys", "telemetry"} - {left}:
        shutil.rmtree(data / other)
    if left == "log":
        log.write_bytes(b"\x37")
    with pytest.raises(Unreadable, match=r"is missing or empty, and .* nothing was created.*cultureops restore"):
        async with open_ledger_beside(data):
            pass
    assert not ledger_of(kept).exists()


async def test_rot_in_the_middle_makes_opening_refuse_with_what_to_do(kept: Path) -> None:
    path = ledger_of(kept)
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"number":30', b'"number":31', 1))
    with pytest.raises(ChainBroken, match=r"position \d+: edited: .*cultureops verify --data-dir .*verified backup"):
        SqlLedger.open(path, SystemClock(), SystemEntropy())
    assert path.read_bytes() == content.replace(b'"number":30', b'"number":31', 1)


@pytest.mark.parametrize(
    ("statements", "kind"),
    [
        (["DELETE FROM events WHERE position > 40"], "truncated"),
        (["UPDATE heads SET signature = zeroblob(64) WHERE number = (SELECT max(number) FROM heads)"], None),
    ],
)
def test_opening_looks_at_the_newest_head(kept: Path, statements: list[str], kind: str | None) -> None:
    rewritten(ledger_of(kept), *statements)
    if kind is None:
        asyncio.run(SqlLedger.open(ledger_of(kept), SteppedClock(START), SeededEntropy(1)).close())
    else:
        with pytest.raises(ChainBroken, match=kind):
            SqlLedger.open(ledger_of(kept), SystemClock(), SystemEntropy())


async def test_keys_rotate_and_a_lost_one_is_replaced_by_a_person_for_ever_visible(kept: Path) -> None:
    folder = KeyFolder(kept / "data" / "keys")
    (before,) = folder.made()
    admin = Actor("admin-1", "AD")
    async with open_ledger_beside(kept / "data") as ledger:
        after = await ledger.rotate_key(admin, "the yearly change")
        assert folder.made() == (after,) and after != before
        await ledger.append("batch:A", [NEW], None)
        await ledger.sign_head()
        assert ledger.signed_heads()[-1].key_id == after
    folder.destroy(after)
    async with open_ledger_beside(kept / "data") as ledger:
        await ledger.append("batch:A", [NEW], None)
        assert await ledger.sign_head() is not None
        assert "is missing" in (ledger.signing().problem or "")
        with pytest.raises(StorageError, match="is missing"):
            await ledger.rotate_key(admin, "lost")
        with pytest.raises(StorageError, match="needs a reason"):
            await ledger.introduce_key(admin, " ")
        await ledger.introduce_key(admin, "the disk with the key broke")
        assert ledger.signing().unsigned == 0
    found = verified(kept)
    assert found.findings == [] and found.ledger is not None
    assert [entry.how for entry in found.ledger.keys] == ["key_introduced", "key_rotated", "key_introduced"]
    assert (found.ledger.keys[2].actor, found.ledger.keys[2].reason) == ("admin-1", "the disk with the key broke")


def test_the_command_names_each_finding_and_exits_by_what_it_found(kept: Path) -> None:
    sound = cultureops("verify", "--data-dir", str(kept / "data"), "--anchor", str(kept / ANCHOR), "--json")
    assert sound.returncode == 0 and json.loads(sound.stdout)["findings"] == []
    rewritten(ledger_of(kept), "DELETE FROM events WHERE position = 30")
    broken = cultureops("verify", "--data-dir", str(kept / "data"), "--json")
    assert broken.returncode == 1
    assert json.loads(broken.stdout)["findings"][0] | {"detail": ""} == {
        "kind": "deleted", "where": "position 30", "detail": "", "position": 30,
    }  # fmt: skip
    assert broken.stderr.count("\n") == 1


def test_wrong_use_is_told_from_damage(kept: Path) -> None:
    with pytest.raises(ConfigError, match="no such folder"):
        verify_folder(kept / "nowhere", [], [], None)
    with pytest.raises(ConfigError, match=r"--head: .*not a printed head"):
        verified(kept, "12")
    with pytest.raises(ConfigError, match="no such file"):
        verify_folder(kept / "data", [], [], kept / "no.toml")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('keys = "nowhere"', "is no folder"),
        ("keys = 5", "expected a text"),
        ("[[ledger.anchor]]", "either file or tsa"),
        ('[[ledger.anchor]]\nfile = "a"\ntsa = "http://x/"', "either file or tsa"),
        ('[[ledger.anchor]]\nfile = "."', "is a folder"),
        ('[[ledger.anchor]]\ntsa = "x"', "expected an address"),
        ('[[ledger.anchor]]\ntsa = "http://x/"', "certificate"),
        ('[[ledger.anchor]]\ntsa = "http://x/"\ncertificate = "none.pem"', "no such file"),
        ('anker = "x"', "unknown key"),
    ],
)
def test_a_wrong_section_is_named_with_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=rf"site.toml:\d+: .*{complaint}"):
        ledger_from(parse(f"[ledger]\n{text}\n", "site.toml").optional_table("ledger"), tmp_path)
