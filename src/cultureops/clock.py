"""Lab time and randomness, always injected.

An instant is a whole number of milliseconds since 1970-01-01T00:00Z. Lab time drives stamps, poll schedules,
back-off, alarm delays and due dates; deadlines of input and output are real seconds and live in the transports.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import os
import random
import time
from datetime import UTC, datetime
from typing import Final, Protocol, TypeAlias
from zoneinfo import ZoneInfo

from cultureops.errors import ConfigError

__all__ = [
    "DAY_MS",
    "HOUR_MS",
    "MINUTE_MS",
    "SECOND_MS",
    "Clock",
    "Entropy",
    "Instant",
    "SeededEntropy",
    "SteppedClock",
    "SystemClock",
    "SystemEntropy",
    "in_zone",
    "iso",
    "local_stamp",
    "local_text",
    "parse_iso",
    "with_offset",
]

Instant: TypeAlias = int

SECOND_MS = 1_000
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000

LONGEST_SLICE_S: Final = 1.0
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def iso(instant: Instant) -> str:
    """Write an instant as ISO 8601 in UTC with milliseconds, e.g. ``2026-01-05T08:00:00.000Z``."""
    stamp = datetime.fromtimestamp(instant // 1000, UTC)
    return f"{stamp:%Y-%m-%dT%H:%M:%S}.{instant % 1000:03d}Z"


def in_zone(instant: Instant, zone: ZoneInfo) -> datetime:
    """Return an instant in a zone; at the very end of all dates, where a zone may have none, in UTC."""
    stamp = datetime.fromtimestamp(instant / 1000, UTC)
    try:
        return stamp.astimezone(zone)
    except OverflowError:
        return stamp


def local_text(instant: Instant, zone: ZoneInfo) -> str:
    """Write an instant for people in a zone, with the zone's own mark, e.g. ``2026-01-05 09:00 CET``."""
    return f"{in_zone(instant, zone):%Y-%m-%d %H:%M %Z}"


def local_stamp(instant: Instant, zone: ZoneInfo) -> str:
    """Write an instant to the second with zone and offset, for a record: ``2026-01-05 09:00:12 CET (UTC+01:00)``."""
    local = in_zone(instant, zone)
    offset = f"{local:%z}"
    return f"{local:%Y-%m-%d %H:%M:%S %Z} (UTC{offset[:3]}:{offset[3:5]})"


def with_offset(instant: Instant, zone: ZoneInfo) -> str:
    """Write an instant in a zone with its offset from UTC, to the second, e.g. ``2026-01-05 09:00:00+01:00``."""
    there = datetime.fromtimestamp(instant / 1000, UTC).astimezone(zone)
    return there.isoformat(sep=" ", timespec="seconds")


def parse_iso(text: str) -> Instant:
    """Read an ISO 8601 date-time that states its offset; raise ConfigError for anything else."""
    try:
        stamp = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{text!r} is not an ISO 8601 date-time; write e.g. 2026-01-05T08:00:00Z") from None
    if stamp.tzinfo is None:
        raise ConfigError(f"{text!r} states no UTC offset; write e.g. 2026-01-05T08:00:00Z")
    since = stamp - _EPOCH
    return since.days * DAY_MS + since.seconds * SECOND_MS + since.microseconds // 1000


class Clock(Protocol):
    """Where lab time comes from."""

    def now(self) -> Instant:
        """Return the present instant [ms]."""
        ...

    async def sleep_until(self, instant: Instant) -> None:
        """Return once lab time has reached the instant, or once it would have if nobody had set it back."""
        ...


class SystemClock:
    """Lab time is the wall clock of this machine."""

    def now(self) -> Instant:
        """Return the present instant [ms]."""
        return time.time_ns() // 1_000_000

    async def sleep_until(self, instant: Instant) -> None:
        """Sleep until the wall clock has reached the instant, a slice at a time, since it may be set meanwhile.

        Whoever sets it back holds nobody up: by the monotonic clock a sleep lasts at most what was asked for when it
        began, and a slice. The slice keeps a clock that is steered gently from waking anybody too early.
        """
        loop = asyncio.get_running_loop()
        remaining_s = (instant - self.now()) / 1000
        longest_until = loop.time() + remaining_s + LONGEST_SLICE_S
        while remaining_s > 0 and (left_s := longest_until - loop.time()) > 0:
            await asyncio.sleep(min(remaining_s, left_s, LONGEST_SLICE_S))
            remaining_s = (instant - self.now()) / 1000


class SteppedClock:
    """Lab time that moves only when someone steps it: demo, training and tests never sleep."""

    def __init__(self, start: Instant) -> None:
        self._now = start
        self._sleepers: list[tuple[Instant, int, asyncio.Future[None]]] = []
        self._tickets = itertools.count()

    def now(self) -> Instant:
        """Return the present instant [ms]."""
        return self._now

    def advance(self, step_ms: int) -> Instant:
        """Move lab time forward by ``step_ms`` (>= 0), wake whoever waited for it, and return the new instant."""
        if step_ms < 0:
            raise ValueError(f"lab time can't be stepped back by {-step_ms} ms")
        self._now += step_ms
        while self._sleepers and self._sleepers[0][0] <= self._now:
            _, _, sleeper = heapq.heappop(self._sleepers)
            if not sleeper.done():
                sleeper.set_result(None)
        return self._now

    async def sleep_until(self, instant: Instant) -> None:
        """Return once somebody has stepped lab time to the instant."""
        if instant <= self._now:
            return
        sleeper = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (instant, next(self._tickets), sleeper))
        await sleeper


class Entropy(Protocol):
    """Where randomness comes from."""

    def bits(self, count: int) -> int:
        """Return ``count`` random bits as a non-negative integer."""
        ...

    def event_id(self, now: Instant) -> str:
        """Return a UUIDv7 (RFC 9562 section 5.7) for an event recorded at ``now``."""
        ...


def _uuid7(now: Instant, random_bits: int) -> str:
    rand_a, rand_b = random_bits >> 62 & 0xFFF, random_bits & (1 << 62) - 1
    number = (now & (1 << 48) - 1) << 80 | 0x7 << 76 | rand_a << 64 | 0b10 << 62 | rand_b
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


class SystemEntropy:
    """Randomness of the operating system."""

    def bits(self, count: int) -> int:
        """Return ``count`` random bits as a non-negative integer."""
        return int.from_bytes(os.urandom((count + 7) // 8)) >> (-count % 8)

    def event_id(self, now: Instant) -> str:
        """Return a UUIDv7 for an event recorded at ``now``."""
        return _uuid7(now, self.bits(74))


class SeededEntropy:
    """Repeatable randomness for the demo and tests; never for a running lab."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def bits(self, count: int) -> int:
        """Return the next ``count`` bits of the seeded sequence."""
        return self._random.getrandbits(count)

    def event_id(self, now: Instant) -> str:
        """Return a UUIDv7 for an event recorded at ``now``, the same for the same seed and order."""
        return _uuid7(now, self.bits(74))
