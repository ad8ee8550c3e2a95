"""What waits for the writer's thread: the loop puts, the thread takes; bounded."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from cultureops.device.channel import ChannelId
from cultureops.telemetry.frame import MAX_READINGS, Rows, together
from cultureops.telemetry.store import ChannelInfo

__all__ = ["Append", "Cut", "Inbox", "Work"]


@dataclass(frozen=True, slots=True, eq=False)
class Append:
    """Readings of one append, taken apart, and the future that says they are durable."""

    rows: Rows
    durable: asyncio.Future[int]

    @property
    def size(self) -> int:
        """How many readings."""
        return len(self.rows.channel)


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """A wish to seal, once everything put before it is durable; ``after`` counts the appends before it."""

    after: int
    before_hour: int
    done: asyncio.Future[int]


@dataclass(slots=True)
class Work:
    """What one transaction takes; ``flushes`` wait for nothing beyond it, ``ends`` when nothing comes after it."""

    channels: dict[ChannelId, tuple[int, ChannelInfo]] = field(default_factory=dict)
    appends: list[Append] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)
    flushes: list[asyncio.Future[None]] = field(default_factory=list)
    ends: bool = False

    @property
    def rows(self) -> Rows | None:
        """All readings in order of arrival, None where there are none."""
        return together([append.rows for append in self.appends]) if self.appends else None


class _Bell:
    """Rung by one thread, heard by another: once, however often it was rung meanwhile; half the cost of a Condition."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def ring(self) -> None:
        with suppress(RuntimeError):  # it rings already
            self._lock.release()

    def hear(self, timeout_s: float | None) -> None:
        self._lock.acquire(timeout=-1 if timeout_s is None else timeout_s)


class Inbox:
    """Appends in order of arrival, at most ``most_readings`` readings together.

    A taker that comes back within ``gather_s`` waits out that time for more to come, so that many small appends share
    one transaction.
    """

    def __init__(self, most_readings: int, gather_s: float) -> None:
        self._most_readings = most_readings
        self._gather_s = gather_s
        self._lock = threading.Lock()
        self._bell = _Bell()
        self._appends: deque[Append] = deque()
        self._readings = 0
        self._gone = 0
        self._channels: dict[ChannelId, tuple[int, ChannelInfo]] = {}
        self._cuts: deque[Cut] = deque()
        self._flushes: list[asyncio.Future[None]] = []
        self._ends = False
        self._is_news = False
        self._taken_at = 0.0

    def put(self, append: Append) -> list[Append]:
        """Add an append; return the oldest ones, which had to make room for it."""
        with self._lock:
            self._appends.append(append)
            self._readings += append.size
            refused = self._make_room()
            self._tell()
        return refused

    def declare(self, channels: Mapping[ChannelId, tuple[int, ChannelInfo]]) -> None:
        """Add channels; they are written before any append that is put later."""
        with self._lock:
            self._channels |= channels
            self._tell()

    def cut(self, before_hour: int, done: asyncio.Future[int]) -> None:
        """Have the wish handed out with the last of the appends that wait now."""
        with self._lock:
            self._cuts.append(Cut(self._gone + len(self._appends), before_hour, done))
            self._tell()

    def flush(self, done: asyncio.Future[None]) -> None:
        """Have the future handed out with the last of the appends that wait now."""
        with self._lock:
            self._flushes.append(done)
            self._tell()

    def nudge(self) -> None:
        """Have the taker look around."""
        with self._lock:
            self._tell()

    def end(self) -> None:
        """Say that nothing more comes."""
        with self._lock:
            self._ends = True
            self._tell()

    def take(self, most_appends: int, timeout_s: float | None) -> Work:
        """Wait until there is something new, or so many seconds, and take the oldest appends: one frame's worth."""
        if not self._is_news:
            self._bell.hear(timeout_s)
        self._gather()
        with self._lock:
            work = Work(self._channels)
            until = self._cuts[0].after - self._gone if self._cuts else most_appends
            size = 0
            while self._appends and len(work.appends) < min(most_appends, until):
                size += self._appends[0].size
                if size > MAX_READINGS:
                    break
                work.appends.append(self._appends.popleft())
            self._gone += len(work.appends)
            self._readings -= sum(append.size for append in work.appends)
            self._channels = {}
            while self._cuts and self._cuts[0].after <= self._gone:
                work.cuts.append(self._cuts.popleft())
            self._is_news = bool(self._appends)
            if not self._appends:
                work.flushes, self._flushes = self._flushes, []
                work.ends = self._ends
            self._taken_at = time.monotonic()
            return work

    def _gather(self) -> None:
        until = self._taken_at + self._gather_s
        while not (self._ends or self._flushes or self._cuts) and (wait_s := until - time.monotonic()) > 0:
            self._bell.hear(wait_s)

    def put_back(self, work: Work) -> tuple[list[Append], Work]:
        """Return work that failed to the front of the line.

        Returns the appends that had to make room, and a look at what waits now with the wishes that need wait no more.
        """
        with self._lock:
            self._channels = work.channels | self._channels
            self._appends.extendleft(reversed(work.appends))
            self._gone -= len(work.appends)
            self._readings += sum(append.size for append in work.appends)
            refused = self._make_room()
            cuts, flushes = [*work.cuts, *self._cuts], work.flushes + self._flushes
            waiting = Work({}, list(self._appends), cuts, flushes, self._ends)
            self._cuts.clear()
            self._flushes = []
            self._is_news = False
            return refused, waiting

    def _make_room(self) -> list[Append]:
        refused: list[Append] = []
        while self._readings > self._most_readings and len(self._appends) > 1:
            refused.append(self._appends.popleft())
            self._readings -= refused[-1].size
        self._gone += len(refused)
        return refused

    def _tell(self) -> None:
        self._is_news = True
        self._bell.ring()
