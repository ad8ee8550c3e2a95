"""A ledger and its secrets move into a database and back, every byte as it was; a kill at any moment costs nothing."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from tests.command_line import cultureops
from tests.kept import write_folder
from tests.postgres import OWNER, ROLE, Database, PostgresServer

from cultureops.access.vault import make_vault, open_vault
from cultureops.clock import SystemClock, SystemEntropy
from cultureops.errors import ConfigError, StorageError, Unreadable
from cultureops.keeping import moving
from cultureops.keeping.ledger_place import database_in
from cultureops.keeping.moving import LEDGER_MOVED, move_to_database, move_to_file
from cultureops.ledger import Actor, NewEvent, Source, SqlLedger
from cultureops.ledger.pointer import POINTER_FILE, point_to, pointed
from cultureops.ledger.settings import LedgerSettings
from cultureops.ledger.verify import read_stream, verify
from cultureops.ledger.whereabouts import Whereabouts, open_reader
from cultureops.recording import ledger_in, open_ledger_beside, refuse_missing_ledger, settle_ledger, storage_of
from cultureops.telemetry.file import lock_for_writing

SITE = """[site]
name = "moved"
[ledger.postgresql]
host = "127.0.0.1"
port = {port}
database = "{name}"
user = "cultureops"
password_file = "{password}"
"""


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with signed heads, readings and a secret, to be copied."""
    folder = tmp_path_factory.mktemp("kept") / "data"
    write_folder(folder, 30)
    make_vault(folder).put("secret-1", "totp", "op-1", b"a seed", 41)
    return folder


@pytest.fixture
def data(kept: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(kept, tmp_path / "data"))


@pytest.fixture
def site(postgres: Database, tmp_path: Path) -> Path:
    file = tmp_path / "site.toml"
    settings = postgres.settings()
    file.write_text(SITE.format(port=settings.port, name=settings.database, password=settings.password_file))
    return file


def rows(where: Whereabouts) -> list[list[tuple[Any, ...]]]:
    queries = ("events ORDER BY position", "heads ORDER BY number", "stamps ORDER BY number", "claims ORDER BY name")
    with closing(open_reader(where)) as connection:
        return [[tuple(row) for row in connection.execute(text(f"SELECT * FROM {query}"))] for query in queries]


def test_there_and_back_every_row_is_the_same(data: Path, site: Path, postgres: Database) -> None:
    before, head = rows(data / "ledger.sqlite"), verify(data / "ledger.sqlite")
    assert all(before[:2]), "events and heads are there to be moved"
    said = cultureops("ledger", "move", "--data-dir", str(data), "--to-postgresql", str(site), "--json")
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout) == {
        "from": str(data / "ledger.sqlite"), "to": postgres.settings().name, "events": head.position, "secrets": 1,
        "position": head.position, "head": head.hash,
    }  # fmt: skip
    events, *others = rows(ledger_in(data))
    assert (events[:-1], others) == (before[0], before[1:])
    (told,) = [event for event in read_stream(ledger_in(data), "node") if event.type == LEDGER_MOVED]
    assert (told.data["ledger_hash"], told.data["to"]) == (head.hash, postgres.settings().name)
    vault = open_vault(data, is_expected=True)
    assert (vault.get("secret-1", "totp", "op-1"), vault.counter("secret-1")) == (b"a seed", 41)
    assert not (data / "ledger.sqlite").exists() and not (data / "access.sqlite").exists()
    (aside,) = data.glob("ledger.sqlite.moved-*")
    assert rows(aside) == before
    with closing(sqlite3.connect(aside)) as old, pytest.raises(sqlite3.IntegrityError, match="was moved to PostgreSQL"):
        old.execute("INSERT INTO events SELECT position + 1, stream, version + 99, canonical, hash FROM events LIMIT 1")
    place = cultureops("ledger", "where", "--data-dir", str(data), "--json")
    assert json.loads(place.stdout) == {"engine": "postgresql", "ledger": postgres.settings().name}
    assert "of which" not in cultureops("verify", "--data-dir", str(data)).stdout
    moved = rows(ledger_in(data))
    vault.put("secret-2", "totp", "op-2", b"another", 1)
    back = cultureops("ledger", "move", "--data-dir", str(data), "--to-sqlite", "--reason", "the server goes")
    assert back.returncode == 0, back.stderr
    assert pointed(data) is None and ledger_in(data) == data / "ledger.sqlite"
    events, *others = rows(data / "ledger.sqlite")
    assert (events[:-1], others) == (moved[0], moved[1:]) and rows(storage_of(postgres.settings())) == moved
    assert open_vault(data, is_expected=True).get("secret-2", "totp", "op-2") == b"another"
    assert cultureops("verify", "--data-dir", str(data)).returncode == 0


MOMENTS = [
    pytest.param(point, moment, marks=() if is_short else (pytest.mark.soak,))
    for point, moment, is_short in (
        ("compare_rows", "before", False),
        ("compare_rows", "after", False),
        ("replace_secrets", "before", False),
        ("replace_secrets", "after", True),
        ("point_to", "before", False),
        ("point_to", "after", True),
        ("_say", "before", False),
        ("_say", "after", False),
        ("rename_durably", "before", False),
        ("rename_durably", "after", True),
    )
]


@pytest.mark.parametrize(("point", "moment"), MOMENTS)
def test_killed_at_any_moment_the_source_is_whole_and_a_second_go_ends_it(
    data: Path, postgres: Database, point: str, moment: str
) -> None:
    before = rows(data / "ledger.sqlite")
    settings = postgres.settings()
    assert killed_at(point, moment, lambda: move_to_database(data, settings, "")) == 9
    assert rows(data / "ledger.sqlite") == before if (data / "ledger.sqlite").exists() else pointed(data) == settings
    if (data / "ledger.sqlite").exists():
        move_to_database(data, settings, "")
    events, *others = rows(ledger_in(data))
    assert (events[:-1], others) == (before[0], before[1:]) and b'"ledger_moved"' in events[-1][3]
    assert open_vault(data, is_expected=True).get("secret-1", "totp", "op-1") == b"a seed"
    moved = rows(ledger_in(data))
    assert killed_at(point, moment, lambda: move_to_file(data, "")) == (0 if point == "point_to" else 9)
    if pointed(data) is not None:
        move_to_file(data, "")
    events, *others = rows(data / "ledger.sqlite")
    assert (events[:-1], others) == (moved[0], moved[1:])
    assert open_vault(data, is_expected=True).get("secret-1", "totp", "op-1") == b"a seed"
    assert rows(storage_of(settings)) == moved


def killed_at(point: str, moment: str, work: Callable[[], object]) -> int:
    """Do some work in a process that is killed before or after it first calls what is named; return how it ended."""
    child = os.fork()
    if child == 0:
        real = getattr(moving, point)

        def deadly(*arguments: object, **named: object) -> None:
            if moment == "after":
                real(*arguments, **named)
            os._exit(9)

        setattr(moving, point, deadly)
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_what_must_not_be_moved_is_refused_and_nothing_changes(
    data: Path, postgres: Database, postgres_server: PostgresServer, kept: Path, tmp_path: Path
) -> None:
    before, settings = rows(data / "ledger.sqlite"), postgres.settings()
    unprepared = postgres_server.empty_database()
    with pytest.raises(ConfigError, match="ledger prepare"):
        move_to_database(data, unprepared.settings(), "")
    postgres_server.give_back(unprepared)
    lock = lock_for_writing(data / "telemetry")
    with pytest.raises(StorageError, match="another process writes"):
        move_to_database(data, settings, "")
    os.close(lock)
    with pytest.raises(ConfigError, match="no such file"):
        move_to_database(tmp_path, settings, "")
    with pytest.raises(ConfigError, match="already"):
        move_to_file(data, "")
    other = tmp_path / "other" / "data"
    write_folder(other, 12)
    move_to_database(other, settings, "")
    with pytest.raises(StorageError, match="another history"):
        move_to_database(data, settings, "")
    assert rows(data / "ledger.sqlite") == before and pointed(data) is None
    with postgres.as_(ROLE), pytest.raises(StorageError, match="1 other program"):
        move_to_file(other, "")
    with pytest.raises(ConfigError, match=r"in PostgreSQL .* already"):
        move_to_database(other, settings, "")


def test_folder_and_site_file_must_agree(data: Path, postgres: Database, tmp_path: Path) -> None:
    settings, new = postgres.settings(), tmp_path / "new"
    new.mkdir()
    with pytest.raises(ConfigError, match=r"ledger move .*--to-postgresql"):
        settle_ledger(data, LedgerSettings(postgresql=settings))
    assert settle_ledger(data, LedgerSettings()) == data / "ledger.sqlite"
    settle_ledger(new, LedgerSettings(postgresql=settings))
    assert pointed(new) == settings
    with pytest.raises(ConfigError, match=r"ledger move .*--to-sqlite"):
        settle_ledger(new, LedgerSettings())
    owner = postgres.settings(OWNER)
    settle_ledger(new, LedgerSettings(postgresql=owner))
    assert pointed(new) == owner, "the same rows by another user are the same ledger"


def test_a_database_that_lost_the_ledger_is_never_taken_for_a_new_one(
    data: Path, postgres: Database, tmp_path: Path
) -> None:
    settings = postgres.settings()
    move_to_database(data, settings, "")
    refuse_missing_ledger(data)
    postgres.execute("TRUNCATE events, heads, stamps, claims")
    with pytest.raises(Unreadable, match=r"is missing or empty, and .*keys"):
        refuse_missing_ledger(data)
    (data / POINTER_FILE).unlink()
    with pytest.raises(Unreadable, match="is missing or empty"):
        refuse_missing_ledger(data)
    (data / POINTER_FILE).write_text('{"postgresql": {"host": 5}}')
    with pytest.raises(ConfigError, match="does not say where the ledger is"):
        ledger_in(data)
    point_to(data, settings)
    (data / "ledger.sqlite").write_bytes(b"")
    with pytest.raises(ConfigError, match="has both"):
        ledger_in(data)


def test_the_printed_roles_and_prepared_tables_are_enough_for_a_lab(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    file, owner, password = tmp_path / "site.toml", "cultureops_owner", tmp_path / "password"
    password.write_text("of both\n")
    text = SITE.format(port=postgres_server.port, name="records", password=password)
    file.write_text(text.replace('user = "cultureops"', 'user = "cultureops_lab"'))
    printed = cultureops("ledger", "prepare", str(file), "--owner", owner, "--sql")
    assert printed.returncode == 0 and "PASSWORD '" not in printed.stdout
    with postgres_server.connect("postgres") as ruler:
        ruler.autocommit = True
        for statement in printed.stdout.splitlines():
            if not statement.startswith(("\\", "--")):
                ruler.execute(statement)
        for role in (owner, "cultureops_lab"):
            ruler.execute(f"ALTER ROLE {role} PASSWORD 'of both'")
    own = cultureops("ledger", "prepare", str(file), "--owner", "cultureops_lab", "--password-file", str(password))
    assert own.returncode == 2 and "must not own the record" in own.stderr
    settings = database_in(file)
    with pytest.raises(ConfigError, match="ledger prepare"):
        settle_ledger(tmp_path, LedgerSettings(postgresql=settings))
    done = cultureops("ledger", "prepare", str(file), "--owner", owner, "--password-file", str(password))
    assert done.returncode == 0 and "may read and append, and nothing else" in done.stdout, done.stderr
    settle_ledger(tmp_path, LedgerSettings(postgresql=settings))
    make_vault(tmp_path).put("a", "totp", "op-1", b"seed")

    async def note() -> None:
        async with open_ledger_beside(tmp_path) as ledger:
            await ledger.append("note:1", [NewEvent("noted", {}, Actor("op-1", "OP"), Source.HUMAN)], 0)

    asyncio.run(note())
    assert verify(ledger_in(tmp_path)).position == 1
    with postgres_server.connect("postgres") as ruler:
        ruler.autocommit = True
        ruler.execute("DROP DATABASE records WITH (FORCE)")


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_long_ledger_moves_through_kills_at_random(
    postgres: Database, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """100,000 events, moved there by a process that is killed at random until it comes through, and back."""
    data, moment, settings = tmp_path / "data", random.Random(20261122), postgres.settings()
    asyncio.run(write_long(data, 100_000))
    before, kills, took_s = rows(data / "ledger.sqlite"), 0, 0.0
    while pointed(data) is None or (data / "ledger.sqlite").exists():
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            try:
                move_to_database(data, settings, "")
                os._exit(0)
            finally:
                os._exit(1)
        if kills < 12:
            time.sleep(moment.uniform(0.1, 12.0))
            os.kill(child, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code in (0, -signal.SIGKILL)
        if code:
            kills += 1
            assert not (data / "ledger.sqlite").exists() or rows(data / "ledger.sqlite") == before
        took_s = time.monotonic() - began
    events, *others = rows(ledger_in(data))
    assert (events[:100_000], others) == (before[0], before[1:])
    began = time.monotonic()
    move_to_file(data, "")
    back_s = time.monotonic() - began
    record_property("kills", kills)
    record_property("events", 100_000)
    record_property("to_postgresql_s", round(took_s, 1))
    record_property("to_sqlite_s", round(back_s, 1))


async def write_long(data: Path, count: int) -> None:
    data.mkdir()
    ledger = SqlLedger.open(data / "ledger.sqlite", SystemClock(), SystemEntropy())
    actor = Actor("operator-1", "OP")
    for first in range(0, count, 1000):
        page = [NewEvent("noted", {"number": first + one}, actor, Source.HUMAN) for one in range(1000)]
        await ledger.append(f"note:{first // 1000 % 10}", page, None)
    await ledger.close()
