"""The mirror: follows the store by one durable cursor and hands every reading to an InfluxDB server.

It never stands in the way of a reading: it reads what is durable already, in a task of its own. The cursor moves when
the server has confirmed; a point sent twice is one point there. A server that is away is waited for, however long.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import structlog

from cultureops.clock import SECOND_MS, Clock, Instant
from cultureops.device.channel import ChannelId
from cultureops.errors import StorageError
from cultureops.telemetry.follow import Cursor, Extract
from cultureops.telemetry.influx import InfluxWriter, Unavailable
from cultureops.telemetry.line_protocol import Encoder, Labels
from cultureops.telemetry.mirror_files import CursorFile, Quarantine
from cultureops.telemetry.mirror_handover import Writer, hand_over
from cultureops.telemetry.mirror_settings import MirrorSettings
from cultureops.telemetry.mirror_window import ResendWindow
from cultureops.telemetry.store import ChannelInfo

__all__ = ["Followed", "Mirror", "MirrorStatus", "mirroring"]

log = structlog.get_logger(__name__)

READINGS_A_LOOK: Final = 10_000
LINES_A_CALL: Final = 5_000
SAVE_EVERY_S: Final = 1.0
LONGEST_BACK_OFF_S: Final = 60.0
LONGEST_RETRY_AFTER_S: Final = 3600.0
CURSOR_FILE: Final = "mirror-cursor.json"
QUARANTINE_FILE: Final = "mirror-quarantine.jsonl"


class Followed(Protocol):
    """The store, as far as the mirror sees it."""

    @property
    def durable(self) -> tuple[int, str]:
        """Number and hash of the last durable frame."""
        ...

    async def follow(self, cursor: Cursor, most_readings: int) -> Extract:
        """Return the durable readings after the cursor."""
        ...

    def channels(self) -> Mapping[ChannelId, ChannelInfo]:
        """Return every channel that was ever declared."""
        ...


@dataclass(frozen=True, slots=True)
class MirrorStatus:
    """How far the mirror is behind, and what became of what it sent.

    ``lag_s`` is the age of the oldest reading that is not confirmed [s of lab time], ``backlog_readings`` how many are
    not. ``quarantined`` lines were refused, ``outlived`` ones are older than the bucket keeps them.
    """

    target: str
    backlog_readings: int | None
    lag_s: float
    sent: int
    quarantined: int
    outlived: int
    last_error: str | None


@dataclass(frozen=True, slots=True)
class _Part:
    """One extract, encoded; ``number`` counts the looks into the store, ``oldest_ms`` is when its first came."""

    number: int
    asked_at: Instant
    bodies: tuple[bytes, ...]
    readings: int
    oldest_ms: Instant
    next: Cursor
    remaining: int


class Mirror:
    """Keeps one bucket like the store; ``run`` is its task."""

    def __init__(
        self, store: Followed, settings: MirrorSettings, labels: Labels, folder: Path, clock: Clock,
        writer: Writer | None = None,
    ) -> None:  # fmt: skip
        self._store = store
        self._settings = settings
        self._clock = clock
        self._encoder = Encoder(labels)
        self._writer = InfluxWriter(settings) if writer is None else writer
        self._cursor_file = CursorFile(folder / CURSOR_FILE, settings.target)
        self._quarantine = Quarantine(folder / QUARANTINE_FILE)
        self._window = ResendWindow(settings.resend_window_s)
        self._position = self._saved = self._begin()
        self._saved_at_s = 0.0
        self._failures = 0
        self._looks = self._synced_look = 0
        self._synced = asyncio.Condition()
        self._wake = asyncio.Event()
        self._synced_until = clock.now()
        self._backlog: int | None = None
        self._sent = self._quarantined = self._outlived = 0
        self._error: str | None = None

    def status(self) -> MirrorStatus:
        """Return how far the mirror is."""
        return MirrorStatus(
            target=self._settings.target,
            backlog_readings=self._backlog,
            lag_s=max(0, self._clock.now() - self._synced_until) / SECOND_MS,
            sent=self._sent,
            quarantined=self._quarantined,
            outlived=self._outlived,
            last_error=self._error,
        )

    async def run(self) -> None:
        """Mirror until cancelled; nothing that goes wrong ends it."""
        try:
            while True:
                await self._rest(await self._pass())
        finally:
            self._writer.close()

    async def drain(self) -> None:
        """Return once everything that is durable now was confirmed; ``run`` must be running."""
        wanted = self._looks + 1
        self._wake.set()
        async with self._synced:
            await self._synced.wait_for(lambda: self._synced_look >= wanted)

    def _begin(self) -> Cursor:
        """Return the stored cursor, or the beginning where it is ahead of a store that was restored from a backup."""
        cursor = self._cursor_file.load()
        if cursor.frame <= self._store.durable[0]:
            return cursor
        log.warning("the mirror is ahead of the store; it is filled again from the first reading", cursor=cursor)
        return Cursor()

    async def _pass(self) -> float:
        """Send all there is and return how long to wait before the next try [s of lab time]."""
        try:
            await self._catch_up()
        except Exception as error:
            return self._failed(error)
        self._error = None
        return 0.0

    def _failed(self, error: Exception) -> float:
        if not isinstance(error, StorageError | OSError):
            log.exception("the mirror met what it was not made for")
        if self._error is None:
            log.warning("the mirror waits", target=self._settings.target, error=str(error))
        self._error = str(error)
        asked_s = error.retry_after_s if isinstance(error, Unavailable) else None
        if isinstance(error, Unavailable) and error.interrupted:
            self._position = self._window.go_back(self._position)
        back_off_s = min(2.0 ** min(self._failures, 16), LONGEST_BACK_OFF_S)
        self._failures += 1
        return back_off_s if asked_s is None else min(max(asked_s, back_off_s), LONGEST_RETRY_AFTER_S)

    async def _rest(self, back_off_s: float) -> None:
        """Wait a period of real time, or until somebody wants everything sent, and what is left of the back-off."""
        until = self._clock.now() + round(back_off_s * SECOND_MS)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.period_s):
                await self._wake.wait()
        self._wake.clear()
        await self._clock.sleep_until(until)

    async def _catch_up(self) -> None:
        """Send part after part; while one is under way the next is read and encoded."""
        ahead: asyncio.Task[_Part] | None = None
        try:
            while True:
                before = self._position
                part = await (self._look(before) if ahead is None else ahead)
                self._backlog = part.readings + part.remaining
                self._synced_until = min(part.oldest_ms, part.asked_at)
                ahead = asyncio.create_task(self._look(part.next)) if part.next != before else None
                await self._send(part)
                await self._save(is_idle=ahead is None)
                if ahead is None:
                    await self._tell_synced(part)
                    return
                if self._position != part.next:
                    await _end(ahead)
                    ahead = None
        finally:
            await _end(ahead)

    async def _look(self, after: Cursor) -> _Part:
        self._looks += 1
        number, asked_at = self._looks, self._clock.now()
        extract = await self._store.follow(after, READINGS_A_LOOK)
        points = extract.rows.points
        oldest_ms = int(points.received_ms.min()) if points.size else asked_at
        bodies = await asyncio.to_thread(self._encode, extract)
        return _Part(number, asked_at, bodies, points.size, oldest_ms, extract.next, extract.remaining)

    def _encode(self, extract: Extract) -> tuple[bytes, ...]:
        return tuple(self._encoder.bodies(extract.rows, extract.names, self._store.channels(), LINES_A_CALL))

    async def _send(self, part: _Part) -> None:
        """Hand a part over and move on, or back when the server may have been restarted meanwhile."""
        breaks = self._writer.breaks
        for body in part.bodies:
            await self._hand_over(body)
        self._failures, self._error = 0, None
        if self._writer.breaks != breaks and self._settings.resend_window_s:
            self._position = self._window.go_back(self._position)
            return
        if part.bodies:
            self._window.confirmed(self._position, asyncio.get_running_loop().time())
        self._position = part.next
        self._sent += part.readings
        self._backlog = part.remaining

    async def _hand_over(self, body: bytes) -> None:
        outcome = await hand_over(self._writer, body)
        self._outlived += outcome.outlived
        if refused := outcome.refused:
            await asyncio.to_thread(self._quarantine.add, refused, self._clock.now())
            self._quarantined += len(refused)
            log.warning("the mirror's server refuses lines; they are put aside", lines=len(refused), said=refused[0][1])

    async def _save(self, *, is_idle: bool) -> None:
        now_s = asyncio.get_running_loop().time()
        safe = self._window.safe(self._position)
        if safe != self._saved and (is_idle or now_s - self._saved_at_s >= SAVE_EVERY_S):
            await asyncio.to_thread(self._cursor_file.save, safe)
            self._saved, self._saved_at_s = safe, now_s

    async def _tell_synced(self, part: _Part) -> None:
        self._synced_until = part.asked_at
        async with self._synced:
            self._synced_look = part.number
            self._synced.notify_all()


@asynccontextmanager
async def mirroring(mirror: Mirror | None) -> AsyncIterator[None]:
    """Run a mirror, if there is one, beside the block."""
    if mirror is None:
        yield
        return
    task = asyncio.create_task(mirror.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _end(task: asyncio.Task[_Part] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
