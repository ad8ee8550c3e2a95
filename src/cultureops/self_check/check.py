"""The check of cultureops by itself: what it can know at once, and what it has to ask the machine for."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import structlog

from cultureops.access.desk import AccessStatus
from cultureops.alarms.own import (
    LEDGER_BEHIND,
    PEOPLE_NOT_REACHED,
    READINGS_MISSING,
    RECORD_BEHIND,
    RECORD_UNREADABLE,
    ROUTES_FAILING,
    UNPUBLISHED,
    OwnLimits,
    lag_rule,
    own_reading,
    record_rules,
)
from cultureops.alarms.own_access import ACCESS_LOST, ACCOUNTS_LOCKED, SOURCES_SLOWED, access_rules
from cultureops.alarms.own_backup import BACKUP_AGE, BACKUP_FAILED, backup_rules
from cultureops.alarms.own_heads import HEADS_NOT_KEPT, head_rules
from cultureops.alarms.own_machine import (
    CLOCK_JUMP,
    CLOCK_UNSYNCHRONISED,
    DISK_FREE,
    DISK_FREE_SHARE,
    machine_rules,
)
from cultureops.alarms.own_site import SITE_DIFFERS, site_file_rules
from cultureops.alarms.rule import Rule
from cultureops.clock import SECOND_MS, Clock, Instant
from cultureops.device.reading import Reading
from cultureops.kernel_clock import ClockQuality, quality_of
from cultureops.ledger.event import NewEvent
from cultureops.self_check.clock_watch import ClockWatch
from cultureops.self_check.forecast import DiskForecast
from cultureops.self_check.keeping import Durability
from cultureops.self_check.machine import ClockState, ClockStateReader, DiskReader, DiskSpace, disk_space, kernel_clock
from cultureops.telemetry.mirror_lag import LAG_ID

__all__ = ["SelfCheck", "Surroundings"]

log = structlog.get_logger(__name__)

ASK_DEADLINE_S: Final = 5.0
"""A disk that does not answer for so long is not known to have space [OWN]."""


def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the check asks the rest of the program for, each time anew; None is: not there, or nobody knows.

    ``accepted`` counts the readings handed to the store since the start, ``durable`` those that it holds.
    ``published`` says whether the broker has everything as it stands, ``routes_failing`` counts routes to people.
    ``undelivered_s`` is how long an alarm has reached nobody [s], ``record_behind_s`` how far the ledger lags [s].
    ``unreadable_events`` counts the events of the ledger that were set aside since the start. ``backup_age_s`` is how
    old the last good backup is [s], ``backup_failed`` whether the last attempt made none. ``site_differs``
    is whether the site file says something else than what is approved, ``heads_failing_s`` for how long the ledger's
    heads have not been signed or taken to every anchor [s].
    """

    accepted: Callable[[], int]
    durable: Callable[[], int]
    store_failure: Callable[[], Exception | None]
    ledger_failure: Callable[[], Exception | None]
    published: Callable[[], bool | None] = _nothing
    routes_failing: Callable[[], int | None] = _nothing
    undelivered_s: Callable[[], float | None] = _nothing
    record_behind_s: Callable[[], float | None] = _nothing
    unreadable_events: Callable[[], int | None] = _nothing
    backup_age_s: Callable[[], float | None] = _nothing
    backup_failed: Callable[[], bool | None] = _nothing
    access: Callable[[], AccessStatus | None] = _nothing
    site_differs: Callable[[], bool | None] = _nothing
    heads_failing_s: Callable[[], float | None] = _nothing
    is_mirrored: bool = False


class SelfCheck:
    """Tells how cultureops and its machine stand, as readings for the alarm engine; ``rules`` are what they are for.

    ``watches_machine`` False leaves out disk, clock and everything that depends on real time: where lab time is
    stepped, two runs must tell the same.
    """

    def __init__(
        self,
        limits: OwnLimits,
        data_dir: Path,
        clock: Clock,
        around: Surroundings,
        site_rules: Iterable[Rule] = (),
        *,
        watches_machine: bool,
        read_disk: DiskReader = disk_space,
        read_clock: ClockStateReader = kernel_clock,
        monotonic: Callable[[], float] = time.monotonic,
        deadline_s: float = ASK_DEADLINE_S,
    ) -> None:
        self._data_dir, self._clock, self._around = data_dir, clock, around
        self._watches_machine = watches_machine
        self._read_disk, self._read_clock, self._monotonic = read_disk, read_clock, monotonic
        self._deadline_s = deadline_s
        has_lag_rule = any(rule.channel == LAG_ID for rule in site_rules)
        lag_rules = (lag_rule(LAG_ID, limits),) if around.is_mirrored and not has_lag_rule else ()
        backed_up = () if limits.backup_age_s is None else backup_rules(limits.backup_age_s)
        of_machine = machine_rules(limits) if watches_machine else ()
        of_heads = () if around.heads_failing_s() is None else head_rules()
        of_site = () if around.site_differs() is None else site_file_rules()
        self.rules = (
            *(*record_rules(limits), *access_rules(), *lag_rules, *backed_up),
            *(*of_site, *of_heads, *of_machine),
        )
        self._durability, self._clock_watch, self._forecast = Durability(), ClockWatch(), DiskForecast()
        self._durable_before = around.durable()
        self._unpublished_since: Instant | None = None
        self._asking: asyncio.Future[tuple[DiskSpace | None, ClockState | None]] | None = None
        self._disk: DiskSpace | None = None
        self._machine_clock: ClockState | None = None
        self._problem: str | None = None
        self._has_asked = False
        self._jumps: deque[NewEvent] = deque()

    def readings(self, now: Instant) -> list[Reading]:
        """Return how things stand now; never blocks. A fact that nobody knows has no reading."""
        around = self._around
        found = [own_reading(LEDGER_BEHIND, float(around.ledger_failure() is not None), now)]
        if (is_published := around.published()) is not None:
            found.append(own_reading(UNPUBLISHED, self._unpublished_s(is_published, now), now))
        if (failing := around.routes_failing()) is not None:
            found.append(own_reading(ROUTES_FAILING, float(failing), now))
        if (undelivered_s := around.undelivered_s()) is not None:
            found.append(own_reading(PEOPLE_NOT_REACHED, undelivered_s, now))
        if (behind_s := around.record_behind_s()) is not None:
            found.append(own_reading(RECORD_BEHIND, behind_s, now))
        if (unreadable := around.unreadable_events()) is not None:
            found.append(own_reading(RECORD_UNREADABLE, float(unreadable), now))
        if (age_s := around.backup_age_s()) is not None:
            found.append(own_reading(BACKUP_AGE, age_s, now))
        if (has_failed := around.backup_failed()) is not None:
            found.append(own_reading(BACKUP_FAILED, float(has_failed), now))
        if (differs := around.site_differs()) is not None:
            found.append(own_reading(SITE_DIFFERS, float(differs), now))
        if (failing_s := around.heads_failing_s()) is not None:
            found.append(own_reading(HEADS_NOT_KEPT, failing_s, now))
        if (access := around.access()) is not None:
            found.append(own_reading(ACCOUNTS_LOCKED, float(len(access.locked)), now))
            found.append(own_reading(SOURCES_SLOWED, float(len(access.slowed_sources)), now))
            found.append(own_reading(ACCESS_LOST, float(bool(access.problem)), now))
        if self._watches_machine:
            found += self._of_machine(now)
        return found

    def take_events(self) -> tuple[NewEvent, ...]:
        """Hand over the leaps of the clock for the ledger's stream ``clock``; what can't be recorded comes back."""
        events = tuple(self._jumps)
        self._jumps.clear()
        return events

    def give_back(self, events: Iterable[NewEvent]) -> None:
        """Take back events that the ledger could not take, before those that came since."""
        self._jumps.extendleft(reversed(tuple(events)))

    async def refresh(self) -> None:
        """Ask the machine for disk and clock, beside the loop; what does not answer in time is not known.

        Never raises. A disk that hangs keeps one thread waiting, and is asked no further until it has answered.
        """
        if not self._watches_machine:
            return
        if self._asking is None:
            self._asking = self._ask()
        done, _ = await asyncio.wait({self._asking}, timeout=self._deadline_s)
        self._has_asked = True
        if not done:
            self._disk, self._problem = None, f"{self._data_dir}: no answer in {self._deadline_s:g} s"
            return
        answer, self._asking = self._asking, None
        try:
            self._disk, self._machine_clock = answer.result()
        except OSError as error:
            self._disk, self._problem = None, f"{self._data_dir}: {error}"
            return
        self._problem = None
        if self._disk is not None:
            self._forecast.note(self._disk.free_gb, self._monotonic())

    def health(self) -> dict[str, object]:
        """Return what is known of disk and clock, and what is not."""
        if not self._watches_machine:
            return {"machine": "not watched: lab time is stepped"}
        clock = self._machine_clock
        return {
            "disk": None if self._disk is None else asdict(self._disk),
            "disk_problem": self._problem,
            "disk_full_in_d": self._forecast.days_left(),
            "clock": "unknown: this machine does not say whether its clock is synchronised"
            if self._has_asked and clock is None
            else None if clock is None else asdict(clock) | {"quality": quality_of(clock).value},
        }  # fmt: skip

    def _unpublished_s(self, is_published: bool, now: Instant) -> float:
        if is_published or self._unpublished_since is None or now < self._unpublished_since:
            self._unpublished_since = None if is_published else now
        return 0.0 if self._unpublished_since is None else (now - self._unpublished_since) / SECOND_MS

    def _of_machine(self, now: Instant) -> list[Reading]:
        at = self._monotonic()
        around = self._around
        durable, is_failing = around.durable() - self._durable_before, around.store_failure() is not None
        missing = self._durability.missing(around.accepted(), durable, at, is_failing=is_failing)
        jump = self._clock_watch.look(self._clock.now(), at)
        if jump is not None:
            log.warning("the machine's clock leapt", leap_s=jump.leap_s)
            self._jumps.append(jump.event)
        found = [
            own_reading(READINGS_MISSING, float(missing), now),
            own_reading(CLOCK_JUMP, 0.0 if jump is None else abs(jump.leap_s), now),
        ]
        if self._disk is not None:
            found.append(own_reading(DISK_FREE, self._disk.free_gb, now))
            found.append(own_reading(DISK_FREE_SHARE, self._disk.free_pct, now))
        if (state := self._machine_clock) is not None:
            is_off = quality_of(state) is ClockQuality.UNSYNCED
            found.append(own_reading(CLOCK_UNSYNCHRONISED, float(is_off), now))
        return found

    def _ask(self) -> asyncio.Future[tuple[DiskSpace | None, ClockState | None]]:
        """Ask in a thread that holds nobody up, not even the end of the program."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[tuple[DiskSpace | None, ClockState | None]] = loop.create_future()

        def ask() -> None:
            try:
                found = self._read_disk(self._data_dir), self._read_clock()
            except OSError as error:
                tell(answer.set_exception, error)
            else:
                tell(answer.set_result, found)

        def tell(settle: Callable[..., None], outcome: object) -> None:
            with suppress(RuntimeError):  # the loop has ended, and with it whoever waited
                loop.call_soon_threadsafe(settle, outcome)

        threading.Thread(target=ask, name="self-check", daemon=True).start()
        return answer
