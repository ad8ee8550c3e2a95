"""Where the rows of a ledger are kept: in a SQLite file, or in a PostgreSQL database. What only one of them does stands
in its own module; all that reads and writes rows is the same for both.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from cultureops.ledger.event import Event

__all__ = ["FAILURES", "UNLOCKED", "WAIT_S", "Folding", "Storage", "cause"]

WAIT_S: Final = 5.0
"""How long a transaction waits for another process to end its own."""

# A damaged schema makes SQLite quote bytes that are no text, and sqlite3 then fails over its own message.
FAILURES: Final = (SQLAlchemyError, UnicodeDecodeError)
"""What a storage that can't do as it is told raises."""

UNLOCKED: Final = {"is_unlocked": True}
"""Options of a writer's connection whose transaction only looks, and waits for nobody."""


class Folding(Protocol):
    """Keeps what a storage writes beside its tables from growing without end; for the one thread that writes."""

    def note(self, committed: Iterable[Event]) -> None:
        """Count what a commit added."""
        ...

    def settle(self, writer: Engine) -> None:
        """Do what is due, outside of any transaction; what can't be done waits for the next time."""
        ...

    def close(self) -> None:
        """Let go of the storage."""
        ...


class Storage(Protocol):
    """Where the rows of a ledger are kept."""

    @property
    def name(self) -> str:
        """What messages call it; holds no secret."""
        ...

    @property
    def kind(self) -> str:
        """What it is in a sentence: ``file`` or ``database``."""
        ...

    @property
    def remedy(self) -> str:
        """What to do once it is found damaged, in one sentence."""
        ...

    def engine_version(self, opened: Engine) -> str:
        """The database in use, for reports."""
        ...

    def exists(self) -> bool:
        """Whether there is a ledger: for a database, its tables. Raises Unreadable where nobody can say."""
        ...

    def writer(self, *, is_lab: bool = False) -> Engine:
        """Open this process's one writing connection; each transaction of it holds the write lock of the ledger.

        Those with the options ``UNLOCKED`` do not. A file that is absent is made; raises StorageError or Unreadable,
        in a database also where another ``is_lab`` has it: two would each record every alarm.
        """
        ...

    def reader(self) -> Engine:
        """Open a pool of read-only connections, usable from any thread."""
        ...

    def open_reader(self) -> Connection:
        """Open a ledger read-only beside whoever writes it, all in one transaction; raises Unreadable for none."""
        ...

    def folding(self) -> Folding:
        """Return what keeps its log short."""
        ...

    def state(self, writer: Engine) -> object:
        """Return what is another value once somebody else has appended; costs next to nothing."""
        ...

    def structure(self, connection: Connection) -> str | None:
        """Say what is damaged below the rows, None where nothing is or a server sees to it."""
        ...

    def is_locked(self, error: Exception) -> bool:
        """Whether a transaction gave up because another process held the lock."""
        ...

    def is_lost(self, error: Exception) -> bool:
        """Whether a server, or the way to it, went away."""
        ...


def cause(error: Exception) -> str:
    """Return what the database said, in one line, without statement and parameters."""
    return " ".join(str(getattr(error, "orig", None) or error).split())[:200]
