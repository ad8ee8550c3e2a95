"""Where the ledger of a data folder is, and appending to it from a command, whether or not a lab is running on it.

The folder tells: its ledger is the file in it, or the database that its pointer names. A running lab hears of what a
command appends within a second. What a lab alone says, its alarms, links and sealed hours, is left to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import Final

from cultureops.clock import Clock, SystemClock, SystemEntropy
from cultureops.errors import ConfigError, Unreadable
from cultureops.ledger.keys import KEYS_FOLDER, KeyFolder
from cultureops.ledger.pointer import POINTER_FILE, point_to, pointed
from cultureops.ledger.postgres_settings import PostgresSettings
from cultureops.ledger.settings import LedgerSettings
from cultureops.ledger.storage import Storage
from cultureops.ledger.store import SqlLedger
from cultureops.ledger.table import last_row
from cultureops.ledger.whereabouts import Whereabouts, storage_at

__all__ = [
    "LEDGER_FILE",
    "MOVED",
    "PREPARE",
    "SCRATCH_FOLDER",
    "SITE_FILE",
    "TELEMETRY_FOLDER",
    "existing_ledger_in",
    "has_ledger",
    "ledger_in",
    "open_ledger_beside",
    "refuse_missing_ledger",
    "settle_ledger",
    "storage_of",
]

LEDGER_FILE: Final = "ledger.sqlite"
PREPARE: Final = "prepare it: `cultureops ledger prepare SITE.toml --owner USER`"
TELEMETRY_FOLDER: Final = "telemetry"
MOVED: Final = ".moved-"
"""Stands behind the name of a file whose content was moved elsewhere, and before the date."""
SCRATCH_FOLDER: Final = "scratch"
"""What can be made again at any time: no backup takes it."""
SITE_FILE: Final = "site.toml"
"""The site file that a data folder may hold; the demo leaves its own there."""


def has_ledger(data_dir: Path) -> bool:
    """Whether a data folder has a ledger or says where it is; no server is asked. Raises ConfigError."""
    return pointed(data_dir) is not None or (data_dir / LEDGER_FILE).is_file()


def ledger_in(data_dir: Path) -> Whereabouts:
    """Return where the ledger of a data folder is, or would be made; no server is asked.

    Raises ConfigError for a folder that says two things, or something that nobody understands.
    """
    database, file = pointed(data_dir), data_dir / LEDGER_FILE
    if database is None:
        return file
    if file.exists():
        raise ConfigError(
            f"{data_dir}: has both {LEDGER_FILE} and {POINTER_FILE}, of {database.name}: a move was cut short, "
            "or somebody put a file there; give the same `cultureops ledger move` again, it ends what was begun"
        )
    return storage_of(database)


def storage_of(database: PostgresSettings) -> Storage:
    """Return the storage of a ledger that is in a database; no server is asked."""
    from cultureops.ledger.postgres import PostgresDatabase  # a lab on a file has no use for it

    return PostgresDatabase(database)


def existing_ledger_in(data_dir: Path) -> Whereabouts:
    """Return where the ledger of a data folder is; raises ConfigError where there is none, for those who only ask."""
    where = ledger_in(data_dir)
    if isinstance(where, Path) and not where.is_file():
        raise ConfigError(f"{where}: no such file; name the data folder of the lab with --data-dir")
    return where


@asynccontextmanager
async def open_ledger_beside(
    data_dir: Path, clock: Clock | None = None, keys: KeyFolder | None = None, origin: str | None = None
) -> AsyncIterator[SqlLedger]:
    """Open the ledger of a data folder, made as ``origin``'s when it has none yet, and close it with the block.

    Heads are signed where the key is in ``keys``, by default in the data folder; else the running lab signs them.
    Give ``expected_version`` with each append that a state read before has led to: a running lab appends too. Raises
    ConfigError where there is no such folder, ChainBroken or Unreadable where its history is not whole.
    """
    if not await asyncio.to_thread(data_dir.is_dir):
        raise ConfigError(f"{data_dir}: no such folder; name the data folder of the lab")
    refuse_missing_ledger(data_dir)
    opened = partial(SqlLedger.open, origin=origin, keys=keys or KeyFolder(data_dir / KEYS_FOLDER))
    ledger = await asyncio.to_thread(opened, ledger_in(data_dir), clock or SystemClock(), SystemEntropy())
    try:
        yield ledger
    finally:
        await ledger.close()


def refuse_missing_ledger(data_dir: Path, settings: LedgerSettings | None = None) -> None:
    """Raise Unreadable where a ledger was and is no more: nobody may begin an empty one in its place.

    That one was there is told by its keys, its anchors, sealed readings, and what a move has left.
    """
    where = ledger_in(data_dir)
    if where.exists() and where.stat().st_size if isinstance(where, Path) else _has_events(where):
        return
    settings, file = settings or LedgerSettings(), data_dir / LEDGER_FILE
    left = [str(settings.key_folder(data_dir).path)] if settings.key_folder(data_dir).made() else []
    left += [str(anchor) for anchor in settings.files if anchor.exists() and anchor.stat().st_size]
    left += [str(month) for month in sorted((data_dir / TELEMETRY_FOLDER).glob("????-??.sqlite"))]
    left += [str(log) for log in [file.with_name(f"{LEDGER_FILE}-wal")] if log.exists() and log.stat().st_size]
    left += [str(moved) for moved in sorted(data_dir.glob(f"{LEDGER_FILE}{MOVED}*"))]
    if not left:
        return
    if isinstance(where, Path):
        remedy = "Put the file back where it was, or restore the newest verified backup: `cultureops restore`"
    else:
        remedy = "Name the right database, have it put back, or restore the newest verified backup and move it there"
    raise Unreadable(
        f"{storage_at(where).name}: is missing or empty, and {', '.join(left[:3])} tell that there was one; "
        f"nothing was created. {remedy}"
    )


def settle_ledger(data_dir: Path, settings: LedgerSettings) -> Whereabouts:
    """Return where a lab's ledger is by folder and site file, which must agree; a new folder learns it from the file.

    Blocks, and asks the server where there is one. Raises ConfigError where the two differ or the database is not
    prepared, Unreadable where a ledger was and is no more.
    """
    wanted, told = settings.postgresql, pointed(data_dir)
    if wanted is not None and not has_ledger(data_dir):
        if not storage_of(wanted).exists():
            raise ConfigError(f"{wanted.name}: holds no tables of a ledger; {PREPARE}")
        if not _has_events(storage_of(wanted)):
            refuse_missing_ledger(data_dir, settings)
        point_to(data_dir, wanted)
    elif wanted is not None and told is not None and told.is_same_database(wanted):
        if told.data() != wanted.data():
            point_to(data_dir, wanted)  # the same rows, by another user, password or certificate
    elif wanted is not None or told is not None:
        raise _apart(data_dir, told, wanted)
    refuse_missing_ledger(data_dir, settings)
    return ledger_in(data_dir)


def _apart(data_dir: Path, told: PostgresSettings | None, wanted: PostgresSettings | None) -> ConfigError:
    """Say what to do where the data folder has its ledger elsewhere than the site file says."""
    here = f"{data_dir / LEDGER_FILE}" if told is None else told.name
    there = "in the data folder" if wanted is None else f"in {wanted.name}"
    to = "--to-sqlite" if wanted is None or told is not None else "--to-postgresql SITE.toml"
    return ConfigError(
        f"{data_dir}: its ledger is {here}, by the site file it is {there}; mend [ledger.postgresql], or move the "
        f"ledger: `cultureops ledger move --data-dir {data_dir} {to}`"
    )


def _has_events(storage: Storage) -> bool:
    with closing(storage.open_reader()) as connection:
        return last_row(connection) is not None
