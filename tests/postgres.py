"""A real PostgreSQL on a free loopback port, with a data folder and a user of its own, and fresh databases on it."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from tests.conftest import absent, require_program
from tests.ports import free_port

from cultureops.ledger.postgres_settings import PostgresSettings

__all__ = ["OWNER", "ROLE", "Database", "PostgresServer", "postgres_program"]

OWNER, ROLE = "owner", "cultureops"
"""Who makes the tables, and whom the lab is."""
_PASSWORDS = {OWNER: "of the owner", ROLE: "of the role of the lab"}
_START_S = 30.0
_GUARDED = ("events", "heads", "stamps")
_UNIQUE = "events_stream_version_key"


def postgres_program(name: str) -> Path:
    """Path of one of the server's programs, which Debian keeps outside of PATH."""
    places = [str(folder) for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    found = shutil.which(name, path=os.pathsep.join([*places, os.environ.get("PATH", "")]))
    if found is None:
        absent(f"{name} of PostgreSQL is not installed; `make services` installs it")
    return Path(found)


@dataclass
class Database:
    """A database with the tables of a ledger, and who may connect to it."""

    server: PostgresServer
    name: str
    is_spoiled: bool = False
    """Whether its tables are no longer as they were made, so that no other test can have it."""
    is_loose: bool = False

    def settings(self, user: str = ROLE) -> PostgresSettings:
        """As the site file has them."""
        password_file = self.server.folder / f"password-{user}"
        return PostgresSettings("127.0.0.1", self.name, user, self.server.port, password_file)

    @contextlib.contextmanager
    def as_(self, user: str = OWNER) -> Iterator[psycopg.Connection[Any]]:
        """Connect, and commit what was done unless it fails."""
        with self.server.connect(self.name, user) as connection:
            yield connection

    @contextlib.contextmanager
    def unguarded(self) -> Iterator[psycopg.Connection[Any]]:
        """Connect as the owner of the tables, whom no grant holds, with their triggers off meanwhile."""
        with self.as_() as connection:
            for table in _GUARDED:
                connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            yield connection
            for table in _GUARDED:
                for when in ("stay", "follow"):
                    connection.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_{when}")

    def execute(self, *statements: str) -> None:
        """Do as the owner of the tables can, whom no trigger and no grant holds."""
        with self.unguarded() as connection:
            for statement in statements:
                connection.execute(statement)

    def loosen(self) -> None:
        """Let the table of events take any version of any stream, until another test gets the database."""
        self.is_loose = True
        self.execute(f"ALTER TABLE events DROP CONSTRAINT IF EXISTS {_UNIQUE}")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """All that a query finds."""
        with self.as_() as connection:
            return connection.execute(query).fetchall()


@dataclass
class PostgresServer:
    """A server that belongs to one process of tests; ``fsync`` stays on, as in a lab."""

    folder: Path
    port: int
    _process: subprocess.Popen[bytes] | None = None
    _free: list[Database] = field(default_factory=list)
    _made: int = 0

    @classmethod
    def create(cls) -> PostgresServer:
        """Make a data folder and start a server on it."""
        server = cls(Path(tempfile.mkdtemp(prefix="cultureops-pg-")), free_port())
        for user, password in _PASSWORDS.items():
            (server.folder / f"password-{user}").write_text(password + "\n", encoding="utf-8")
        if (account := _account()) is not None:
            for path in (server.folder, *server.folder.iterdir()):
                os.chown(path, account.pw_uid, account.pw_gid)
        options = ["--auth=scram-sha-256", f"--username={OWNER}", f"--pwfile={server.folder / f'password-{OWNER}'}"]
        initdb: list[str | Path] = [
            postgres_program("initdb"),
            "--pgdata",
            server.folder / "data",
            "--encoding=UTF8",
            "--locale=C",
        ]
        try:
            subprocess.run(
                [*initdb, *options, "--no-sync", "--no-instructions"],
                check=True, capture_output=True, timeout=60, cwd=server.folder, **_as_account(),
            )  # fmt: skip
            server.start()
            with server.connect("postgres") as connection:
                connection.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{_PASSWORDS[ROLE]}'")
        except BaseException:
            server.destroy()
            raise
        return server

    def start(self) -> None:
        """Start it and wait until it answers; it ends with the thread that starts it, so let that be the main one."""
        self._process = self._begin()
        until = time.monotonic() + _START_S
        while True:
            try:
                self.connect("postgres").close()
                return
            except psycopg.OperationalError:
                if self._process.poll() is not None and self._waits_for_the_dead() and time.monotonic() < until:
                    self._process = self._begin()  # what was killed has not all let go of its memory yet
                elif self._process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError((self.folder / "log").read_text(encoding="utf-8")[-2000:]) from None
                time.sleep(0.02)

    def _begin(self) -> subprocess.Popen[bytes]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.folder),
            "shared_buffers": "32MB",
            "max_connections": "60",
            "autovacuum": "off",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [require_program("setpriv"), "--pdeathsig", "QUIT", postgres_program("postgres"),
                 "-D", self.folder / "data", "-p", str(self.port), *options],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder, **_as_account(),
            )  # fmt: skip

    def _waits_for_the_dead(self) -> bool:
        return "pre-existing shared memory block" in (self.folder / "log").read_text(encoding="utf-8")[-1000:]

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT ends its connections and shuts it down, SIGQUIT as a crash would."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(_START_S)
            self._process = None

    def kill(self) -> None:
        """Kill it and all that it has started at once, as nothing but a cut of the power does."""
        assert self._process is not None
        self._send_all(signal.SIGKILL)
        self._process.wait(_START_S)
        self._process = None

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        """Have it keep its connections and answer nobody."""
        self._send_all(signal.SIGSTOP)
        try:
            yield
        finally:
            self._send_all(signal.SIGCONT)

    @contextlib.contextmanager
    def set(self, **settings: str) -> Iterator[None]:
        """Have it run otherwise for a while, also for those who are connected already."""
        with self.connect("postgres") as connection:
            connection.autocommit = True

            def reload(change: str) -> None:
                connection.execute(f"ALTER SYSTEM {change}")
                connection.execute("SELECT pg_reload_conf()")
                time.sleep(0.1)  # each of its processes takes it in on its own

            for name, value in settings.items():
                reload(f"SET {name} = '{value}'")
            try:
                yield
            finally:
                reload("RESET ALL")

    def _send_all(self, what: signal.Signals) -> None:
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text(encoding="utf-8")
        self._process.send_signal(what)
        for child in children.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), what)

    def destroy(self) -> None:
        """End it and remove all that it had."""
        try:
            self.stop(signal.SIGQUIT)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def connect(self, database: str, user: str = OWNER) -> psycopg.Connection[Any]:
        """Connect as somebody; what is done is committed when the connection is left as a context."""
        return psycopg.connect(
            host="127.0.0.1", port=self.port, dbname=database, user=user, password=_PASSWORDS[user], connect_timeout=5
        )

    def empty_database(self) -> Database:
        """Return a database without any table."""
        self._made += 1
        database = Database(self, f"ledger_{self._made}", is_spoiled=True)
        with self.connect("postgres") as connection:
            connection.autocommit = True
            connection.execute(f"CREATE DATABASE {database.name}")
        return database

    def take(self) -> Database:
        """Return a database that is prepared and without a row."""
        from cultureops.ledger.postgres_schema import prepare

        if self._free:
            return self._free.pop()
        database = self.empty_database()
        prepare(database.settings(OWNER), ROLE)
        database.is_spoiled = False
        return database

    def give_back(self, database: Database) -> None:
        """Have another test get it, empty; one that is spoiled goes."""
        if database.is_spoiled:
            with self.connect("postgres") as connection:
                connection.autocommit = True
                connection.execute(f"DROP DATABASE {database.name} WITH (FORCE)")
            return
        database.execute(*(f"DELETE FROM {table}" for table in (*_GUARDED, "claims", "secrets")))
        if database.is_loose:
            database.execute(f"ALTER TABLE events ADD CONSTRAINT {_UNIQUE} UNIQUE (stream, version)")
            database.is_loose = False
        self._free.append(database)


def _account() -> pwd.struct_passwd | None:
    """Whose the server is: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    absent("no user to run PostgreSQL as")


def _as_account() -> dict[str, Any]:
    account = _account()
    return {} if account is None else {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
