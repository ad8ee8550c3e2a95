"""Backups by the clock: due when they should be, told in the ledger, and with an alarm when they fail."""

import asyncio
from dataclasses import replace
from datetime import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from tests.unit.backup.conftest import Take

from cultureops.alarms.engine import Engine
from cultureops.alarms.own import OwnLimits
from cultureops.backup.nightly import RETRY_MS, Nightly, make_apart
from cultureops.backup.records import FAILED, MADE, STREAM, made, taken_data
from cultureops.backup.schedule import next_due
from cultureops.backup.settings import BackupSettings, backup_from, retention_from
from cultureops.backup.shelf import backups_in
from cultureops.backup.taking import Wanted
from cultureops.clock import DAY_MS, HOUR_MS, SeededEntropy, SteppedClock, iso, parse_iso
from cultureops.config import parse
from cultureops.errors import ConfigError, StorageError
from cultureops.ledger import SqlLedger
from cultureops.ledger.event import JsonValue
from cultureops.self_check import SelfCheck, Surroundings

BERLIN = ZoneInfo("Europe/Berlin")


def due(settings: BackupSettings, last: str) -> str:
    return iso(next_due(settings, BERLIN, parse_iso(last), 0))


def test_it_is_due_at_the_sites_own_time_of_day_on_every_day() -> None:
    nightly = BackupSettings(Path("/b"))
    assert due(nightly, "2026-11-21T12:00:00Z") == "2026-11-22T01:00:00.000Z"
    assert due(nightly, "2026-11-22T01:00:00Z") == "2026-11-23T01:00:00.000Z"
    assert due(nightly, "2026-11-22T00:59:59Z") == "2026-11-22T01:00:00.000Z"
    # Clocks change: one night has no 02:30, another has it twice. Each has one backup.
    late = BackupSettings(Path("/b"), at=time(2, 30))
    assert due(late, "2026-03-28T12:00:00Z") == "2026-03-29T01:30:00.000Z"
    assert due(late, "2026-03-29T01:30:00Z") == "2026-03-30T00:30:00.000Z"
    assert due(late, "2026-10-24T12:00:00Z") == "2026-10-25T00:30:00.000Z"
    assert due(late, "2026-10-25T00:30:00Z") == "2026-10-26T01:30:00.000Z"
    assert due(BackupSettings(Path("/b"), at=None, every_h=6.0), "2026-11-21T12:00:00Z") == "2026-11-21T18:00:00.000Z"
    assert next_due(nightly, BERLIN, None, 77) == 77


@pytest.fixture
def settings(shelf: Path) -> BackupSettings:
    return BackupSettings(shelf)


class Bench:
    """A schedule over a real ledger, with a maker that does as a test says."""

    def __init__(self, settings: BackupSettings, lab: Path) -> None:
        self.clock = SteppedClock(parse_iso("2026-02-02T12:00:00Z"))
        self.ledger = SqlLedger.open(lab / "ledger.sqlite", self.clock, SeededEntropy(3))
        self.error: Exception | None = None
        self.made_at: list[str] = []
        self.nightly = Nightly(settings, lab, None, BERLIN, self.clock, self.ledger, self.make)
        self.ledger.on_append.append(lambda events: [self.nightly.apply(event) for event in events] and None)
        around = Surroundings(
            lambda: 0, lambda: 0, lambda: None, lambda: None, backup_age_s=self.nightly.age_s,
            backup_failed=lambda: self.nightly.failure is not None,
        )  # fmt: skip
        limits = replace(OwnLimits(), backup_age_s=settings.alarm_after_h * 3600)
        self.check = SelfCheck(limits, lab, self.clock, around, watches_machine=False)
        self.engine = Engine(self.check.rules)

    async def make(self, wanted: Wanted, now: int) -> dict[str, JsonValue]:
        if self.error is not None:
            raise self.error
        self.made_at.append(iso(now))
        return {"backup": "b", "made_at": iso(now)}

    def alarms(self) -> set[str]:
        self.engine.evaluate(self.check.readings(self.clock.now()))
        self.engine.tick(self.clock.now())
        return {view.rule.id for view in self.engine.active()}

    @property
    def told(self) -> list[str]:
        return [event.type for event in self.ledger.read(STREAM)]


@pytest.mark.requirement("R17")
async def test_a_backup_that_fails_is_told_raises_an_alarm_and_is_tried_again(
    settings: BackupSettings, lab: Path
) -> None:
    bench = Bench(settings, lab)
    bench.error = StorageError("/b: no backup was made: No space left on device; earlier ones are untouched")
    await bench.nightly.settle(bench.clock.now())
    assert bench.told == [FAILED]
    assert "No space left" in str(bench.ledger.read(STREAM)[0].data["error"])
    assert bench.alarms() == {"cultureops/backup_failed/high"}
    assert not bench.nightly.is_due(bench.clock.advance(RETRY_MS - 1))
    bench.error = None
    await bench.nightly.settle(bench.clock.advance(1))
    assert bench.told == [FAILED, MADE]
    assert bench.nightly.failure is None
    assert not bench.nightly.is_due(bench.clock.now())
    assert bench.nightly.is_due(parse_iso("2026-02-03T01:00:00Z"))
    await bench.ledger.close()


async def test_none_for_too_long_is_an_alarm_of_its_own_also_where_no_attempt_ended(
    settings: BackupSettings, lab: Path
) -> None:
    bench = Bench(settings, lab)
    assert bench.alarms() == set()
    bench.clock.advance(49 * HOUR_MS + 1)
    assert bench.alarms() == {"cultureops/backup_age/high"}
    await bench.ledger.close()


async def test_a_backup_that_was_made_by_a_clock_that_ran_ahead_puts_off_neither_the_next_nor_the_alarm(
    settings: BackupSettings, lab: Path
) -> None:
    bench = Bench(settings, lab)
    ahead = made({"backup": "b", "made_at": iso(bench.clock.now() + 400 * DAY_MS)}, "schedule")
    await bench.ledger.append(STREAM, [ahead], None)
    assert bench.nightly.is_due(bench.clock.now())
    assert bench.alarms() == {"cultureops/backup_age/high"}
    await bench.nightly.settle(bench.clock.now())
    assert bench.nightly.age_s() == 0 and not bench.nightly.is_due(bench.clock.advance(HOUR_MS))


async def test_one_made_by_a_command_counts_too_also_after_a_restart(
    settings: BackupSettings, lab: Path, take: Take
) -> None:
    bench = Bench(settings, lab)
    await bench.ledger.append(STREAM, [made(taken_data(take()), "command")], None)
    assert not bench.nightly.is_due(bench.clock.now() + HOUR_MS)
    again = Nightly(settings, lab, None, BERLIN, bench.clock, bench.ledger, bench.make)
    for event in bench.ledger.read_all():
        again.apply(event)
    assert not again.is_due(bench.clock.now() + HOUR_MS)
    assert again.is_due(bench.clock.now() + DAY_MS)
    await bench.ledger.close()


async def test_it_runs_until_cancelled(settings: BackupSettings, lab: Path) -> None:
    bench = Bench(settings, lab)
    running = asyncio.create_task(bench.nightly.run())
    async with asyncio.timeout(10):
        for _ in range(26 * 60):
            bench.clock.advance(60_000)
            for _ in range(3):
                await asyncio.sleep(0)
            if len(bench.made_at) == 2:
                break
            if bench.nightly.is_due(bench.clock.now()):
                await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert bench.made_at[0].startswith("2026-02-02T12:0")
    assert bench.made_at[1].startswith("2026-02-03T01:0")
    await bench.ledger.close()


async def test_a_process_of_its_own_makes_it(lab: Path, shelf: Path) -> None:
    async with asyncio.timeout(30):
        answer = await make_apart(Wanted(lab, shelf), parse_iso("2026-02-02T12:00:00Z"))
    assert [folder.name for folder in backups_in(shelf)] == [answer["backup"]]


@pytest.mark.soak
async def test_a_process_of_its_own_says_what_went_wrong(lab: Path, shelf: Path) -> None:
    async with asyncio.timeout(60):
        with pytest.raises(ConfigError, match="make the folder, or mount it"):
            await make_apart(Wanted(lab, shelf / "unmounted"), 0)


async def test_cancelled_it_ends_the_process_and_leaves_no_backup(lab: Path, shelf: Path) -> None:
    making = asyncio.create_task(make_apart(Wanted(lab, shelf), 0))
    await asyncio.sleep(0.05)
    making.cancel()
    async with asyncio.timeout(10):
        with pytest.raises(asyncio.CancelledError):
            await making
    assert backups_in(shelf) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('folder = "backups"', "absolute path"),
        ("", "folder: is missing"),
        ('folder = "/b"\nat = "25:00"', "time of day such as 02:00"),
        ('folder = "/b"\nat = "2"', "time of day such as 02:00"),
        ('folder = "/b"\nat = "02:00"\nevery_h = 6', "not both"),
        ('folder = "/b"\nevery_h = 0', "from 0.25 to 168"),
        ('folder = "/b"\nkeep = 1', "from 2 to"),
        ('folder = "/b"\nkepp = 10', "kepp"),
    ],
)
def test_a_section_that_can_not_be_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        backup_from(parse(f"[backup]\n{text}", "site.toml").table("backup"))


def test_sections_and_their_defaults() -> None:
    assert backup_from(None) is None
    table = parse('[backup]\nfolder = "/b"\nevery_h = 6\n[retention]\ntelemetry_years = 35', "site.toml")
    found = backup_from(table.table("backup"))
    assert found is not None and (found.at, found.every_h, found.alarm_after_h) == (None, 6.0, 13.0)
    assert retention_from(table.table("retention")).telemetry_years == 35
    assert retention_from(None).records_years == 30
