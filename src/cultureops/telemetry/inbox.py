"""What waits for the writer's thread: the loop puts, the thread takes; bounded."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cultureops.device.channel import ChannelId
from cultureops.device.reading import Reading
from cultureops.telemetry.store import ChannelInfo

__all__ = ["Frame", "Inbox", "Work"]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Readings of one append and the future that says they are durable."""

    readings: Sequence[Reading]
    durable: asyncio.Future[int]


@dataclass(slots=True)
class Work:
    """What one transaction takes; ``flushes`` wait for nothing beyond it, ``ends`` when nothing comes after it."""

    channels: dict[ChannelId, tuple[int, ChannelInfo]] = field(default_factory=dict)
    frames: list[Frame] = field(default_factory=list)
    flushes: list[asyncio.Future[None]] = field(default_factory=list)
    ends: bool = False


class Inbox:
    """Frames in order of arrival, at most ``most_readings`` readings together."""

    def __init__(self, most_readings: int) -> None:
        self._most_readings = most_readings
        self._changed = threading.Condition()
        self._frames: deque[Frame] = deque()
        self._readings = 0
        self._channels: dict[ChannelId, tuple[int, ChannelInfo]] = {}
        self._flushes: list[asyncio.Future[None]] = []
        self._ends = False
        self._is_news = False

    def put(self, frame: Frame) -> list[Frame]:
        """Add a frame; return the oldest ones, which had to make room for it."""
        with self._changed:
            self._frames.append(frame)
            self._readings += len(frame.readings)
            refused = self._make_room()
            self._tell()
        return refused

    def declare(self, channels: Mapping[ChannelId, tuple[int, ChannelInfo]]) -> None:
        """Add channels; they are written before any frame that is put later."""
        with self._changed:
            self._channels |= channels
            self._tell()

    def flush(self, done: asyncio.Future[None]) -> None:
        """Have the future handed out with the last of the frames that wait now."""
        with self._changed:
            self._flushes.append(done)
            self._tell()

    def end(self) -> None:
        """Say that nothing more comes."""
        with self._changed:
            self._ends = True
            self._tell()

    def take(self, most_frames: int, timeout_s: float | None) -> Work:
        """Wait until there is something new, or so many seconds, and take the oldest frames."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_news, timeout_s)
            work = Work(self._channels, [self._frames.popleft() for _ in range(min(most_frames, len(self._frames)))])
            self._readings -= sum(len(frame.readings) for frame in work.frames)
            self._channels = {}
            self._is_news = bool(self._frames)
            if not self._frames:
                work.flushes, self._flushes = self._flushes, []
                work.ends = self._ends
            return work

    def put_back(self, work: Work) -> tuple[list[Frame], Work]:
        """Return work that failed to the front of the line.

        Returns the frames that had to make room, and a look at what waits now with the flushes that need wait no more.
        """
        with self._changed:
            self._channels = work.channels | self._channels
            self._frames.extendleft(reversed(work.frames))
            self._readings += sum(len(frame.readings) for frame in work.frames)
            refused = self._make_room()
            waiting = Work({}, list(self._frames), work.flushes + self._flushes, self._ends)
            self._flushes = []
            self._is_news = False
            return refused, waiting

    def _make_room(self) -> list[Frame]:
        refused: list[Frame] = []
        while self._readings > self._most_readings and len(self._frames) > 1:
            refused.append(self._frames.popleft())
            self._readings -= len(refused[-1].readings)
        return refused

    def _tell(self) -> None:
        self._is_news = True
        self._changed.notify()
