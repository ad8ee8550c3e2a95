"""How late the event loop comes to what is due: the one number that tells of whatever blocks it."""

from __future__ import annotations

import asyncio
from typing import Final

from cultureops.histogram import Histogram

__all__ = ["LOOK_EVERY_S", "loop_lag"]

LOOK_EVERY_S: Final = 0.25
"""Four wake-ups a second cost nothing that can be measured [OWN]."""


async def loop_lag(into: Histogram) -> None:
    """Measure the lag in real time [s] until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        due_s = loop.time() + LOOK_EVERY_S
        await asyncio.sleep(LOOK_EVERY_S)
        into.take(loop.time() - due_s)
