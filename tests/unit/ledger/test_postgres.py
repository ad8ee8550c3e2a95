"""What only PostgreSQL has: roles and rights, a condition to be fit in, a server that goes away and comes back."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from tests.conftest import require_program
from tests.dropping import Dropping
from tests.postgres import OWNER, ROLE, Database, PostgresServer

from cultureops.access.secrets_table import SecretsTable
from cultureops.clock import SeededEntropy, SteppedClock
from cultureops.errors import ConfigError, StorageError, Unreadable
from cultureops.ledger import Event, NewEvent, SqlLedger, postgres_connect, postgres_wait, verify
from cultureops.ledger.postgres import WRITE_LOCK, PostgresDatabase
from cultureops.ledger.postgres_schema import REVISION, Condition, prepare, why_not_writable

MakeEvent = Callable[..., NewEvent]
FIT = Condition(150_018, "UTF8", False, "on", "on", REVISION)


FORBIDDEN = [
    "UPDATE events SET canonical = '' WHERE position = 1",
    "DELETE FROM events",
    "TRUNCATE events",
    "DROP TABLE events",
    "UPDATE heads SET size = 1",
    "DELETE FROM stamps",
    "TRUNCATE heads",
    "UPDATE claims SET stream = 'a'",
    "TRUNCATE claims",
    "ALTER TABLE events DISABLE TRIGGER ALL",
    "ALTER TABLE events ADD COLUMN more int",
    "DROP TRIGGER events_stay ON events",
    "DROP FUNCTION ledger_stays CASCADE",
    "CREATE OR REPLACE FUNCTION ledger_stays() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "SET session_replication_role = replica",
    "CREATE TABLE public.other (a int)",
    "CREATE TRIGGER mine BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION ledger_stays()",
    "UPDATE alembic_version SET version_num = '9'",
    f"SET ROLE {OWNER}",
]


def open_at(where: PostgresDatabase) -> SqlLedger:
    return SqlLedger.open(where, SteppedClock(0), SeededEntropy(1))


@pytest.fixture
def where(postgres: Database) -> PostgresDatabase:
    return PostgresDatabase(postgres.settings())


@contextmanager
def spoiled(database: Database, *statements: str) -> Iterator[None]:
    """Change a database in a way that no other test shall meet."""
    database.is_spoiled = True
    with database.as_() as connection:
        for statement in statements:
            connection.execute(statement)
    yield


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ({"server": 130_011}, "older than PostgreSQL 14"),
        ({"encoding": "SQL_ASCII"}, "encoded in SQL_ASCII; make one in UTF8"),
        ({"is_standby": True}, "a standby"),
        ({"fsync": "off"}, "fsync off"),
        ({"synchronous_commit": "off"}, "synchronous_commit is off"),
        ({"revision": None}, "not a ledger; run `cultureops ledger prepare`"),
        ({"revision": "0000"}, "prepared by an older cultureops (step 0000, needed here 0001)"),
        ({"revision": "0002"}, "prepared by a newer cultureops (step 0002, known here 0001); install that one"),
        ({"surplus": ("UPDATE events",)}, "could change the record (UPDATE events)"),
        ({"missing_rights": ("INSERT heads",)}, "may not INSERT heads"),
        ({"strange": ("rule lost on events",)}, "could withhold or lose rows (rule lost on events)"),
        ({"broken_guards": ("events_stay",)}, "guards are not as they were made (events_stay)"),
    ],
)
def test_a_database_that_is_not_fit_to_keep_a_record_is_refused(condition: dict[str, object], said: str) -> None:
    assert why_not_writable(FIT) is None
    found = why_not_writable(dataclasses.replace(FIT, **condition))  # type: ignore[arg-type]
    assert found is not None and said in found and "\n" not in found


def test_the_newest_migration_is_the_one_that_is_asked_for() -> None:
    config = Config()
    config.set_main_option("script_location", "cultureops.ledger:migrations")
    assert ScriptDirectory.from_config(config).get_heads() == [REVISION]


def test_the_role_of_a_lab_can_only_append(postgres: Database) -> None:
    for statement in FORBIDDEN:
        with pytest.raises(psycopg.errors.InsufficientPrivilege), postgres.as_(ROLE) as connection:
            connection.execute(statement)


def test_the_role_of_a_lab_grants_itself_nothing(postgres: Database) -> None:
    with postgres.as_(ROLE) as connection:
        connection.execute(f"GRANT ALL ON events, heads TO {ROLE}")  # PostgreSQL only warns of what it does not do
    with pytest.raises(psycopg.errors.InsufficientPrivilege), postgres.as_(ROLE) as connection:
        connection.execute("UPDATE events SET version = 2")


async def test_what_a_role_may_not_do_is_refused_before_anything_is_recorded(
    postgres: Database, where: PostgresDatabase
) -> None:
    with pytest.raises(StorageError, match=r"could change the record \(DELETE events, OWN events"):
        open_at(PostgresDatabase(postgres.settings(OWNER)))
    with spoiled(postgres, f"GRANT DELETE ON heads TO {ROLE}"), pytest.raises(StorageError, match="DELETE heads"):
        open_at(where)
    prepare(postgres.settings(OWNER), ROLE)
    await open_at(where).close()
    with (
        spoiled(postgres, f"REVOKE INSERT ON stamps FROM {ROLE}"),
        pytest.raises(StorageError, match="may not INSERT stamps; run `cultureops ledger prepare`"),
    ):
        open_at(where)


@pytest.mark.parametrize(
    "change",
    [
        "DROP TRIGGER events_stay ON events",
        pytest.param("ALTER TABLE heads DISABLE TRIGGER heads_follow", marks=pytest.mark.soak),
        "ALTER TABLE heads ENABLE TRIGGER heads_stay",
        "CREATE OR REPLACE FUNCTION ledger_stays() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'",
    ],
)
async def test_guards_that_somebody_changed_stop_the_start_until_they_are_made_anew(
    postgres: Database, where: PostgresDatabase, change: str
) -> None:
    with (
        spoiled(postgres, change),
        pytest.raises(StorageError, match=r"guards are not as they were made \((\w+)\); find out"),
    ):
        open_at(where)
    assert verify(where).position == 0, "reading goes on"
    assert prepare(postgres.settings(OWNER), ROLE) == REVISION
    await open_at(where).close()


def test_a_database_without_tables_or_of_another_step_is_refused(postgres_server: PostgresServer) -> None:
    database = postgres_server.empty_database()
    where = PostgresDatabase(database.settings())
    for use in (open_at, verify):
        with pytest.raises(StorageError, match="a database, but not a ledger; run `cultureops ledger prepare`"):
            use(where)
    assert not where.exists()
    assert prepare(database.settings(OWNER), ROLE) == prepare(database.settings(OWNER), ROLE) == REVISION
    assert where.exists()
    with spoiled(database, "UPDATE alembic_version SET version_num = '0002'"):
        for use in (open_at, verify, lambda where: prepare(database.settings(OWNER), ROLE)):
            with pytest.raises(StorageError, match="prepared by a newer cultureops"):
                use(where)
    with (
        spoiled(database, "UPDATE alembic_version SET version_num = '0000'"),
        pytest.raises(StorageError, match="older"),
    ):
        open_at(where)
    postgres_server.give_back(database)


def test_who_can_not_be_prepared_for_is_named(postgres: Database) -> None:
    owner = postgres.settings(OWNER)
    for role in ("", 'a"; DROP TABLE events', "A B", "x" * 64, OWNER):
        with pytest.raises(ConfigError):
            prepare(owner, role)
    with pytest.raises(StorageError, match="there is no role 'nobody_here'"):
        prepare(owner, "nobody_here")
    with pytest.raises(StorageError, match=r"can't be prepared: .*permission denied"):
        prepare(postgres.settings(ROLE), "pg_monitor")


@pytest.mark.parametrize(
    ("change", "back", "said"),
    [
        ("CREATE RULE r AS ON INSERT TO events DO INSTEAD NOTHING", "DROP RULE r ON events", "rule r on events"),
        (
            "CREATE TRIGGER a BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION ledger_stays()",
            "DROP TRIGGER a ON events",
            "trigger a on events",
        ),
        ("ALTER TABLE heads SET UNLOGGED", "ALTER TABLE heads SET LOGGED", "heads unlogged"),
        (
            "ALTER TABLE events ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE events DISABLE ROW LEVEL SECURITY",
            "row security of events",
        ),
        (
            f"GRANT UPDATE (hash) ON events TO {ROLE}",
            f"REVOKE UPDATE (hash) ON events FROM {ROLE}",
            "UPDATE a column of events",
        ),
        (
            f"GRANT pg_write_server_files TO {ROLE}",
            f"REVOKE pg_write_server_files FROM {ROLE}",
            "be a member of pg_write_server_files",
        ),
        (f"ALTER ROLE {ROLE} CREATEROLE", f"ALTER ROLE {ROLE} NOCREATEROLE", "CREATEROLE"),
        (
            "ALTER FUNCTION ledger_stays() SET search_path = elsewhere",
            "ALTER FUNCTION ledger_stays() SET search_path = pg_catalog, public",
            "ledger_stays",
        ),
    ],
)
async def test_what_could_withhold_rows_or_make_the_role_more_is_refused(
    postgres: Database, where: PostgresDatabase, change: str, back: str, said: str
) -> None:
    with postgres.as_() as owner:
        owner.execute(change)
    try:
        with pytest.raises(StorageError, match=rf"\({said}\)"):
            where.writer()
    finally:
        with postgres.as_() as owner:
            owner.execute(back)
    where.writer().dispose()


async def test_commits_that_could_be_lost_are_refused(postgres: Database, where: PostgresDatabase) -> None:
    with (
        spoiled(postgres, f"ALTER ROLE {ROLE} IN DATABASE {postgres.name} SET synchronous_commit = off"),
        pytest.raises(StorageError, match="synchronous_commit is off"),
    ):
        open_at(where)


async def test_one_lab_at_a_time_runs_on_a_database(
    postgres: Database, where: PostgresDatabase, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_connect, "WAIT_S", 0.2)

    def start() -> SqlLedger:
        return SqlLedger.open(where, SteppedClock(0), SeededEntropy(1), is_lab=True)

    lab, beside = start(), open_at(where)
    with pytest.raises(StorageError, match="another lab runs on it"):
        start()
    await beside.append("a", [make_event()], 0)
    postgres.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'cultureops'")
    other = start()
    for _ in range(2):
        with pytest.raises(StorageError, match="another lab runs on it"):
            await lab.append("a", [make_event()], 1)
    await other.close()
    await lab.append("a", [make_event()], 1)
    with pytest.raises(StorageError, match="another lab runs on it"):
        start()
    await asyncio.gather(lab.close(), beside.close())
    assert verify(where).position == 2


async def test_each_commit_is_durable_however_the_server_is_set_meanwhile(
    postgres_server: PostgresServer, postgres: Database, where: PostgresDatabase, make_event: MakeEvent
) -> None:
    ledger, said = open_at(where), "SELECT current_setting('synchronous_commit')"
    with postgres_server.set(synchronous_commit="off"):
        with ledger._writer.begin() as connection:
            assert connection.exec_driver_sql(said).scalar_one() == "on"
        with SecretsTable(where.settings).begin() as connection:
            assert connection.exec_driver_sql(said).scalar_one() == "on"
    with postgres_server.set(synchronous_commit="remote_write"), ledger._writer.begin() as connection:
        assert connection.exec_driver_sql(said).scalar_one() == "remote_write", "what the house has chosen stays"
    with postgres_server.set(fsync="off"):
        with pytest.raises(StorageError, match=r"fsync off .*; none was recorded"):
            await ledger.append("a", [make_event()], 0)
        with pytest.raises(StorageError, match="fsync off"):
            SecretsTable(where.settings).prepare()
    await ledger.append("a", [make_event()], 0)
    await ledger.close()


def test_a_server_that_does_not_answer_is_one_clear_line(where: PostgresDatabase, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("guess\n", encoding="utf-8")
    (tmp_path / "empty").touch()
    for change, said in (
        ({"port": 1}, "can't be opened: .*refused"),
        ({"database": "absent"}, 'database "absent" does not exist'),
        ({"password_file": tmp_path / "wrong"}, "password authentication failed"),
    ):
        elsewhere = PostgresDatabase(dataclasses.replace(where.settings, **change))  # type: ignore[arg-type]
        for use in (open_at, verify, PostgresDatabase.exists):
            with pytest.raises(Unreadable, match=said) as caught:
                use(elsewhere)
            assert "\n" not in str(caught.value) and "guess" not in str(caught.value)
    for file in ("empty", "absent"):
        with pytest.raises(ConfigError, match=file):
            open_at(PostgresDatabase(dataclasses.replace(where.settings, password_file=tmp_path / file)))
    with pytest.raises(ConfigError, match="no ca_file"):
        open_at(PostgresDatabase(dataclasses.replace(where.settings, host="192.0.2.1")))


def test_a_server_proves_its_name_or_is_not_told_the_password(
    postgres_server: PostgresServer, where: PostgresDatabase, tmp_path: Path
) -> None:
    def known_by(certificate: Path, host: str = "127.0.0.1") -> PostgresDatabase:
        return PostgresDatabase(dataclasses.replace(where.settings, host=host, ca_file=certificate))

    own, other = (_certificate(tmp_path / name) for name in ("own", "other"))
    with pytest.raises(Unreadable, match="does not support SSL"):
        known_by(own).exists()
    folder = postgres_server.folder / "data"
    for file in (own, own.with_suffix(".key")):
        shutil.copy(file, folder)
        shutil.chown(folder / file.name, folder.owner(), folder.group())
    with postgres_server.set(ssl="on", ssl_cert_file=own.name, ssl_key_file=own.with_suffix(".key").name):
        assert known_by(own).exists()
        with pytest.raises(Unreadable, match="certificate verify failed"):
            known_by(other).exists()
        with pytest.raises(Unreadable, match='does not match host name "localhost"'):
            known_by(own, "localhost").exists()


def _certificate(path: Path) -> Path:
    """A certificate for 127.0.0.1 alone, signed by itself, with its key beside it."""
    made, key = path.with_suffix(".crt"), path.with_suffix(".key")
    subject = ["-subj", "/CN=records", "-addext", "subjectAltName=IP:127.0.0.1"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command = [require_program("openssl"), "req", "-x509", *kind, *subject, "-keyout", key, "-out", made]
    subprocess.run(command, check=True, capture_output=True, timeout=20)
    key.chmod(0o600)
    return made


async def test_a_lock_held_too_long_is_named(
    postgres: Database, where: PostgresDatabase, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_connect, "WAIT_S", 0.05)
    ledger = open_at(where)
    with postgres.as_(ROLE) as blocker:
        blocker.execute("SELECT pg_advisory_xact_lock(%s)", [WRITE_LOCK])
        with pytest.raises(StorageError, match="another process has held its lock for 5 s; none was recorded"):
            await ledger.append("a", [make_event()], 0)
        assert await ledger.catch_up() == ()
    await ledger.append("a", [make_event()], 0)
    await ledger.close()
    assert verify(where).position == 1


async def test_a_restart_of_the_server_between_appends_is_not_noticed(
    postgres_server: PostgresServer, where: PostgresDatabase, make_event: MakeEvent
) -> None:
    ledger = open_at(where)
    heard: list[Event] = []
    ledger.on_append.append(heard.extend)
    await ledger.append("a", [make_event()], 0)
    postgres_server.kill()
    try:
        for turn in (lambda: ledger.append("a", [make_event()], 1), ledger.catch_up):
            with pytest.raises(StorageError, match=r"connection was lost: .*; none was recorded, repeat"):
                await turn()
        with pytest.raises(Unreadable, match="can't be read"):
            ledger.read("a")
        with pytest.raises(Unreadable, match="can't be opened"):
            verify(where)
    finally:
        postgres_server.start()
    assert await ledger.catch_up() == ()
    await ledger.append("a", [make_event()], 1)
    assert [event.position for event in heard] == [1, 2] == [event.position for event in ledger.read("a")]
    await ledger.close()
    assert verify(where) == ledger.head()


async def test_a_server_that_hangs_holds_up_a_loop_once_and_a_thread_for_a_while(
    postgres_server: PostgresServer, where: PostgresDatabase, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_wait, "AT_ONCE_S", 0.2)
    monkeypatch.setattr(postgres_connect, "_SILENT_WRITER_S", 0.2)
    ledger = open_at(PostgresDatabase(dataclasses.replace(where.settings, connect_timeout_s=1)))
    await ledger.append("a", [make_event()], 0)
    assert len(ledger.read("a")) == 1
    with postgres_server.hanging():
        asked_at = time.monotonic()
        for _ in range(20):
            with pytest.raises(Unreadable, match=r"silent just now and is not asked .*; read again when"):
                ledger.read("a")
        assert 0.2 <= time.monotonic() - asked_at < 2
        with pytest.raises(StorageError, match=r"connection was lost: .*; none was recorded"):
            await ledger.append("a", [make_event()], 1)
    with pytest.raises(Unreadable, match="silent just now"):
        ledger.read("a")
    await ledger.append("a", [make_event()], 1)
    assert len(ledger.read("a")) == 2, "a thread has heard of it"
    await ledger.close()


@pytest.mark.parametrize("is_passed_on", [True, False], ids=["answer lost", "question lost"])
async def test_a_commit_whose_answer_is_lost_is_never_made_twice(
    where: PostgresDatabase, make_event: MakeEvent, is_passed_on: bool
) -> None:
    """Nobody can know then whether it was made: the stream tells, and what is there counts as another's."""
    with Dropping(where.settings.port) as proxy:
        ledger = open_at(PostgresDatabase(dataclasses.replace(where.settings, port=proxy.port)))
        heard: list[Event] = []
        ledger.on_append.append(heard.extend)
        (first,) = await ledger.append("a", [make_event()], 0)
        proxy.drop_at(b"COMMIT", is_passed_on=is_passed_on)
        with pytest.raises(StorageError, match="may be on record, read the stream again before repeating"):
            await ledger.append("a", [make_event(claims=("place:x",))], 1)
        found = await ledger.catch_up()
        assert ledger.version("a") == len(ledger.read("a")) == 1 + len(found) == (2 if is_passed_on else 1)
        if not is_passed_on:
            found = await ledger.append("a", [make_event(claims=("place:x",))], 1)
        (third,) = await ledger.append("b", [make_event()], 0)
        assert heard == [first, *found, third]
        assert ledger.holder("place:x") == ("a", 2)
        await ledger.close()
        assert verify(where) == ledger.head()


@pytest.mark.soak
async def test_who_waits_for_the_lock_hears_of_a_server_that_is_killed(
    postgres_server: PostgresServer, postgres: Database, where: PostgresDatabase, make_event: MakeEvent
) -> None:
    ledger = open_at(where)
    blocker = postgres_server.connect(postgres.name)
    blocker.execute("SELECT pg_advisory_xact_lock(%s)", [WRITE_LOCK])
    waiting = asyncio.create_task(ledger.append("a", [make_event()], 0))
    while not postgres.rows("SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
        await asyncio.sleep(0.001)
    await asyncio.to_thread(postgres_server.kill)
    postgres_server.start()
    with pytest.raises(StorageError, match="none was recorded"):
        await waiting
    blocker.close()
    await ledger.append("a", [make_event()], 0)
    await ledger.close()
    assert verify(where).position == 1


async def test_a_snapshot_stays_what_it_was_while_others_append(where: PostgresDatabase, make_event: MakeEvent) -> None:
    ledger = open_at(where)
    await ledger.append("a", [make_event()], 0)
    with where.open_reader() as connection:
        before = connection.exec_driver_sql("SELECT max(position) FROM events").scalar_one()
        await ledger.append("a", [make_event()], 1)
        assert connection.exec_driver_sql("SELECT max(position) FROM events").scalar_one() == before == 1
        with pytest.raises(Exception, match="read-only transaction"):
            connection.exec_driver_sql("DELETE FROM claims")
    await ledger.close()


def test_two_threads_that_read_at_once_are_both_served(where: PostgresDatabase, make_event: MakeEvent) -> None:
    ledger = open_at(where)
    asyncio.run(ledger.append("a", [make_event() for _ in range(20)], 0))
    counts: list[int] = []
    readers = [threading.Thread(target=lambda: counts.append(len(ledger.read("a")))) for _ in range(20)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert counts == [20] * 20
    asyncio.run(ledger.close())


def test_a_lab_on_sqlite_loads_nothing_of_it() -> None:
    code = "import sys, cultureops.ledger; print(*(name for name in ('psycopg', 'alembic') if name in sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert said.stdout.strip() == ""


def test_the_name_in_messages_holds_no_secret(where: PostgresDatabase) -> None:
    assert re.fullmatch(rf"PostgreSQL {ROLE}@127\.0\.0\.1:\d+/ledger_\d+", where.name)
    assert "role of the lab" not in repr(where)
