"""Appending to the ledger of a data folder from a command, whether or not a lab is running on it.

A running lab hears of it within a second. What a lab alone says, its alarms, links and sealed hours, is left to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

from cultureops.clock import Clock, SystemClock, SystemEntropy
from cultureops.errors import ConfigError, Unreadable
from cultureops.ledger.keys import KEYS_FOLDER, KeyFolder
from cultureops.ledger.settings import LedgerSettings
from cultureops.ledger.store import SqlLedger

__all__ = [
    "LEDGER_FILE",
    "SCRATCH_FOLDER",
    "SITE_FILE",
    "TELEMETRY_FOLDER",
    "open_ledger_beside",
    "refuse_missing_ledger",
]

LEDGER_FILE: Final = "ledger.sqlite"
TELEMETRY_FOLDER: Final = "telemetry"
SCRATCH_FOLDER: Final = "scratch"
"""What can be made again at any time: no backup takes it."""
SITE_FILE: Final = "site.toml"
"""The site file that a data folder may hold; the demo leaves its own there."""


@asynccontextmanager
async def open_ledger_beside(
    data_dir: Path, clock: Clock | None = None, keys: KeyFolder | None = None
) -> AsyncIterator[SqlLedger]:
    """Open the ledger of a data folder, made when it has none yet, and close it with the block.

    Heads are signed where the key is in ``keys``, by default in the data folder; else the running lab signs them.
    Give ``expected_version`` with each append that a state read before has led to: a running lab appends too. Raises
    ConfigError where there is no such folder, ChainBroken or Unreadable where its history is not whole.
    """
    if not await asyncio.to_thread(data_dir.is_dir):
        raise ConfigError(f"{data_dir}: no such folder; name the data folder of the lab")
    refuse_missing_ledger(data_dir)
    opened = partial(SqlLedger.open, keys=keys or KeyFolder(data_dir / KEYS_FOLDER))
    ledger = await asyncio.to_thread(opened, data_dir / LEDGER_FILE, clock or SystemClock(), SystemEntropy())
    try:
        yield ledger
    finally:
        await ledger.close()


def refuse_missing_ledger(data_dir: Path, settings: LedgerSettings | None = None) -> None:
    """Raise Unreadable where a ledger was and is no more: nobody may begin an empty one in its place.

    That one was there is told by its keys, its anchors and sealed readings.
    """
    ledger = data_dir / LEDGER_FILE
    if ledger.exists() and ledger.stat().st_size:
        return
    settings = settings or LedgerSettings()
    left = [str(settings.key_folder(data_dir).path)] if settings.key_folder(data_dir).made() else []
    left += [str(file) for file in settings.files if file.exists() and file.stat().st_size]
    left += [str(month) for month in sorted((data_dir / TELEMETRY_FOLDER).glob("????-??.sqlite"))]
    left += [str(log) for log in [ledger.with_name(f"{LEDGER_FILE}-wal")] if log.exists() and log.stat().st_size]
    if left:
        raise Unreadable(
            f"{ledger}: is missing or empty, and {', '.join(left[:3])} tell that there was one; nothing was created. "
            "Put the file back where it was, or restore the newest verified backup: `cultureops restore`"
        )
