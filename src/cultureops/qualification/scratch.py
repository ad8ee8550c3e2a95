"""A scratch folder with small labs in it, for what is tried in a qualification."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from cultureops.anchor import Anchor
from cultureops.clock import HOUR_MS, MINUTE_MS, SteppedClock, SystemEntropy, parse_iso
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.ledger import Actor, NewEvent, Source, SqlLedger
from cultureops.ledger.head import Head
from cultureops.recording import LEDGER_FILE, TELEMETRY_FOLDER
from cultureops.telemetry import ChannelInfo, EmbeddedStore

__all__ = ["CHANNEL", "START", "Scratch", "note", "record"]

START: Final = parse_iso("2026-01-05T08:00:00Z")
CHANNEL: Final = "incubator_1/co2"
_ACTOR: Final = Actor("operator-1", "OP")


@dataclass
class Scratch:
    """A folder that is empty at the beginning; each check leaves its own folder in it. ``zone`` is the site's."""

    folder: Path
    zone: ZoneInfo
    _played: tuple[Head, tuple[Reading, ...]] | None = None

    def sub(self, name: str) -> Path:
        """Make a folder for one check."""
        made = self.folder / name
        made.mkdir()
        return made

    async def lab(self, name: str) -> tuple[Path, Head, tuple[Reading, ...]]:
        """Make a data folder for one check: three hours of a lab, with the ledger's head and what was stored."""
        first = self.folder / "lab"
        if self._played is None:
            first.mkdir()
            self._played = await _play(first)
        return (Path(shutil.copytree(first, self.folder / name)), *self._played)


def note(number: int) -> NewEvent:
    """Return an event to try things with."""
    return NewEvent("noted", {"number": number}, _ACTOR, Source.HUMAN)


async def record(folder: Path, count: int = 12) -> Head:
    """Write a ledger of events in three streams and return its head."""
    clock = SteppedClock(START)
    ledger = SqlLedger.open(folder / LEDGER_FILE, clock, SystemEntropy())
    try:
        for number in range(count):
            await ledger.append(f"note:{number % 3}", [note(number)], None)
            clock.advance(MINUTE_MS)
        return ledger.head()
    finally:
        await ledger.close()


def _reading(at: int) -> Reading:
    return Reading(CHANNEL, 5.0 + at % 7 / 10, Quality.GOOD, Reason.NONE, at, at)


async def _play(folder: Path) -> tuple[Head, tuple[Reading, ...]]:
    """Play three hours of a lab: readings and events, sealed by the hour with their roots."""
    clock, written = SteppedClock(START), []
    ledger = SqlLedger.open(folder / LEDGER_FILE, clock, SystemEntropy())
    store = EmbeddedStore.open(folder / TELEMETRY_FOLDER)
    try:
        store.declare({CHANNEL: ChannelInfo("%")})
        anchor = Anchor(store, ledger)
        for hour in range(3):
            readings = [_reading(clock.now() + minute * MINUTE_MS) for minute in range(60)]
            written += readings
            await store.append(readings)
            await ledger.append("note:1", [note(hour)], None)
            await anchor.settle(clock.advance(HOUR_MS) + 5 * MINUTE_MS)
        return ledger.head(), tuple(written)
    finally:
        await store.close()
        await ledger.close()
