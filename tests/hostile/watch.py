"""How a loop and its memory fare meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Watch", "watched"]

_EVERY_S = 0.005
_PAGE = os.sysconf("SC_PAGE_SIZE")


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE / 1e6


@dataclass
class Watch:
    """The worst so far: processor time [ms] and time by the wall [ms] between two looks of 5 ms, memory grown [MB].

    The former says how long the loop was kept from everybody else, whatever the machine is busy with besides.
    """

    cpu_ms: float = 0.0
    wall_ms: float = 0.0
    grown_mb: float = 0.0


@contextlib.asynccontextmanager
async def watched() -> AsyncIterator[Watch]:
    """Watch the loop that this runs in; what the tests have loaded is not for the garbage collector to look through."""
    gc.collect()
    gc.freeze()
    seen, began_mb = Watch(), resident_mb()

    async def look() -> None:
        cpu_s, wall_s = time.thread_time(), time.monotonic()
        while True:
            await asyncio.sleep(_EVERY_S)
            cpu_s, cpu_before_s = time.thread_time(), cpu_s
            wall_s, wall_before_s = time.monotonic(), wall_s
            seen.cpu_ms = max(seen.cpu_ms, 1000 * (cpu_s - cpu_before_s))
            seen.wall_ms = max(seen.wall_ms, 1000 * (wall_s - wall_before_s - _EVERY_S))
            seen.grown_mb = max(seen.grown_mb, resident_mb() - began_mb)

    looking = asyncio.create_task(look())
    try:
        yield seen
    finally:
        gc.unfreeze()
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
