"""Backups by the clock beside a running lab: made by a process of their own, told in the ledger, missed with an alarm.

The process works at a low priority and ends with the lab; killed at any point it leaves earlier backups as they were.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import structlog

from cultureops.backup.records import FAILED, MADE, STREAM, failed, made
from cultureops.backup.schedule import next_due
from cultureops.backup.settings import BackupSettings
from cultureops.backup.taking import Wanted
from cultureops.clock import HOUR_MS, MINUTE_MS, SECOND_MS, Clock, Instant, parse_iso
from cultureops.errors import ConfigError, CultureOpsError, StorageError
from cultureops.ledger.event import Event, JsonValue, NewEvent
from cultureops.ledger.ledger import Ledger

__all__ = ["BackupStatus", "Nightly", "make_apart"]

log = structlog.get_logger(__name__)

LOOK_EVERY_MS: Final = MINUTE_MS
RETRY_MS: Final = 30 * MINUTE_MS
"""After a failure; the disk may have been full or away for a while [OWN]."""
DEADLINE_S: Final = 12 * 3600.0
"""A backup that takes longer hangs: a share that does not answer [OWN]."""
CLOCK_STEP_MS: Final = HOUR_MS
"""A clock that is set back by more was wrong before; by less, a backup is soon due again anyway [OWN]."""
PROGRAM: Final = "cultureops.backup.program"

Make = Callable[[Wanted, Instant], Awaitable[dict[str, JsonValue]]]


@dataclass(frozen=True, slots=True)
class BackupStatus:
    """How backups stand: where they go, when the last good one was made [ms UTC], how old it is [s], what failed since.

    Without any backup yet ``age_s`` is how long the lab has run; the alarm comes beyond ``alarm_after_s`` [s].
    """

    folder: str
    last_good_at: Instant | None
    age_s: float
    alarm_after_s: float
    failure: str | None


class Nightly:
    """Makes the backups that a site file asks for; ``apply`` hears the ledger, also of those that a command makes."""

    def __init__(
        self, settings: BackupSettings, data_dir: Path, site_file: Path | None, zone: ZoneInfo, clock: Clock,
        ledger: Ledger, make: Make | None = None,
    ) -> None:  # fmt: skip
        self._settings, self._zone, self._clock, self._ledger = settings, zone, clock, ledger
        self._wanted = Wanted(
            data_dir, settings.folder, site_file, settings.keep, settings.keep_d, settings.reread_d
        )  # fmt: skip
        self._make = make or make_apart
        self._begun = clock.now()
        self._last_good: Instant | None = None
        self._retry_at: Instant = 0
        self.failure: str | None = None
        """Why the last attempt made none; None after one that did."""

    def apply(self, event: Event) -> None:
        """Hear an event of the ledger: what was made, or failed, whoever began it."""
        if event.stream != STREAM:
            return
        if event.type == MADE:
            self._last_good, self.failure = parse_iso(str(event.data["made_at"])), None
        elif event.type == FAILED:
            self.failure = str(event.data["error"])

    def is_due(self, now: Instant) -> bool:
        """Whether a backup is to be made now."""
        last = None if self._last_good is None or _lies_ahead(self._last_good, now) else self._last_good
        retry_at = 0 if self._retry_at > now + RETRY_MS else self._retry_at
        return now >= max(next_due(self._settings, self._zone, last, min(self._begun, now)), retry_at)

    async def settle(self, now: Instant) -> None:
        """Make the backup that is due and record what became of it; raises what the ledger raises."""
        if not self.is_due(now):
            return
        self._retry_at = now + RETRY_MS
        event = await self._attempt(now)
        await self._ledger.append(STREAM, [event], None)
        if event.type == MADE:
            self._retry_at = 0

    async def run(self) -> None:
        """Make backups until cancelled; what can't be recorded now is tried with the next one."""
        while True:
            now = self._clock.now()
            try:
                await self.settle(now)
            except CultureOpsError as error:
                self.failure = str(error)
                log.error("a backup could not be recorded", error=str(error))
            await self._clock.sleep_until(max(self._clock.now(), now) + LOOK_EVERY_MS)

    def age_s(self) -> float:
        """Return how old the last good backup is [s]; without one, how long the lab has run."""
        now, since = self._clock.now(), self._begun if self._last_good is None else self._last_good
        if _lies_ahead(since, now):  # nobody knows how old it is: it counts as too old
            return self._settings.alarm_after_h * HOUR_MS / SECOND_MS + 1.0
        return max(0.0, (now - since) / SECOND_MS)

    def status(self) -> BackupStatus:
        """Return how backups stand."""
        most_s = self._settings.alarm_after_h * HOUR_MS / SECOND_MS
        return BackupStatus(str(self._settings.folder), self._last_good, self.age_s(), most_s, self.failure)

    async def _attempt(self, now: Instant) -> NewEvent:
        try:
            async with asyncio.timeout(DEADLINE_S):
                return made(await self._make(self._wanted, now), "schedule")
        except TimeoutError:
            error: Exception = StorageError(f"{self._wanted.shelf}: no backup within {DEADLINE_S / 3600:g} h")
        except (CultureOpsError, OSError) as raised:
            error = raised
        log.error("no backup was made", error=str(error))
        return failed(str(self._wanted.shelf), str(error), "schedule")


def _lies_ahead(instant: Instant, now: Instant) -> bool:
    """Whether a clock was wrong when it wrote an instant: that must not put off the next backup, nor the alarm."""
    return instant > now + CLOCK_STEP_MS


async def make_apart(wanted: Wanted, now: Instant) -> dict[str, JsonValue]:
    """Make a backup in a process of its own; raises StorageError with what that one said.

    Cancelled, it ends the process and waits for its end.
    """
    order = {key: str(value) if isinstance(value, Path) else value for key, value in _fields(wanted).items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", PROGRAM, json.dumps(order | {"now": now}),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        said = await process.stdout.read()
        await process.wait()
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if process.stdin is not None:
            process.stdin.close()
    try:
        answer: dict[str, Any] = json.loads(said)
    except ValueError:
        raise StorageError(f"{wanted.shelf}: the backup's process ended by itself ({process.returncode})") from None
    if "error" in answer:
        raise (ConfigError if answer["is_use"] else StorageError)(answer["error"])
    return answer


def _fields(wanted: Wanted) -> dict[str, Any]:
    return {name: getattr(wanted, name) for name in Wanted.__slots__}
