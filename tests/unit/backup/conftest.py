"""A data folder of a lab that ran over the end of a month, made once, copied for each test."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cultureops.anchor import Anchor
from cultureops.backup.taking import Taken, Wanted, take_backup
from cultureops.clock import HOUR_MS, MINUTE_MS, SeededEntropy, SteppedClock, parse_iso
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.ledger import Actor, NewEvent, Source, SqlLedger
from cultureops.recording import LEDGER_FILE, TELEMETRY_FOLDER
from cultureops.telemetry import ChannelInfo, EmbeddedStore

START = parse_iso("2026-01-31T20:00:00Z")
NOON = parse_iso("2026-02-02T12:00:00Z")
CHANNEL = "incubator_1/co2"

Take = Callable[..., Taken]


def note(number: int) -> NewEvent:
    return NewEvent("noted", {"number": number}, Actor("operator-1", "OP"), Source.HUMAN)


def reading(at: int) -> Reading:
    return Reading(CHANNEL, 5.0 + at % 7 / 10, Quality.GOOD, Reason.NONE, at, at)


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve hours of readings over a month's end, sealed in passes with their roots, and an event for each hour."""
    folder = tmp_path_factory.mktemp("played") / "lab"
    folder.mkdir()

    async def play() -> None:
        clock = SteppedClock(START)
        ledger = SqlLedger.open(folder / LEDGER_FILE, clock, SeededEntropy(7))
        store = EmbeddedStore.open(folder / TELEMETRY_FOLDER)
        store.declare({CHANNEL: ChannelInfo("%")})
        anchor = Anchor(store, ledger)
        for hour in range(12):
            await store.append([reading(clock.now() + minute * MINUTE_MS) for minute in range(60)])
            await ledger.append("note:1", [note(hour)], None)
            clock.advance(HOUR_MS)
            if hour in (2, 6, 9):
                await anchor.settle(clock.now() + 5 * MINUTE_MS)
        await store.close()
        await ledger.close()

    asyncio.run(play())
    (folder / "keys").mkdir()
    (folder / "keys" / "ledger.key").write_bytes(b"secret")
    (folder / "attachments").mkdir()
    (folder / "attachments" / "a1").write_bytes(b"certificate of analysis")
    (folder / "site.toml").write_text('[site]\nname = "lab"\n')
    return folder


@pytest.fixture
def lab(played: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(played, tmp_path / "lab"))


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    folder = tmp_path / "shelf"
    folder.mkdir()
    return folder


@pytest.fixture
def take(lab: Path, shelf: Path) -> Take:
    """Make a backup at noon, or so many days later."""

    def make(days: float = 0.0, **more: object) -> Taken:
        show = more.pop("show", None)
        return take_backup(Wanted(lab, shelf, **more), NOON + round(days * 86_400_000), show)  # type: ignore[arg-type]

    return make
