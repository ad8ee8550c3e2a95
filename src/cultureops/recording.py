"""Appending to the ledger of a data folder from a command, whether or not a lab is running on it.

A running lab hears of it within a second. What a lab alone says, its alarms, links and sealed hours, is left to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from cultureops.clock import Clock, SystemClock, SystemEntropy
from cultureops.errors import ConfigError
from cultureops.ledger.store import SqlLedger

__all__ = ["LEDGER_FILE", "SITE_FILE", "TELEMETRY_FOLDER", "open_ledger_beside"]

LEDGER_FILE: Final = "ledger.sqlite"
TELEMETRY_FOLDER: Final = "telemetry"
SITE_FILE: Final = "site.toml"
"""The site file that a data folder may hold; the demo leaves its own there."""


@asynccontextmanager
async def open_ledger_beside(data_dir: Path, clock: Clock | None = None) -> AsyncIterator[SqlLedger]:
    """Open the ledger of a data folder, made when it has none yet, and close it with the block.

    Give ``expected_version`` with each append that a state read before has led to: a running lab appends too. Raises
    ConfigError where there is no such folder, ChainBroken or Unreadable where its history is not whole.
    """
    if not await asyncio.to_thread(data_dir.is_dir):
        raise ConfigError(f"{data_dir}: no such folder; name the data folder of the lab")
    ledger = await asyncio.to_thread(SqlLedger.open, data_dir / LEDGER_FILE, clock or SystemClock(), SystemEntropy())
    try:
        yield ledger
    finally:
        await ledger.close()
