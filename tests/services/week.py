"""Live through some lab days with a mirror, until killed: python -m tests.services.week FOLDER URL DAYS WINDOW_S.

Says ``lived`` when the store holds every reading of those days, and ``drained`` when the server has confirmed them.
The clock of the mirror runs a hundred times as fast as the world's, so that its back-off does not take hours.
"""

import asyncio
import sys
from pathlib import Path

from tests.services.conftest import CHANNELS, LABELS, START, readings

from cultureops.clock import HOUR_MS, Instant, SystemClock
from cultureops.telemetry import EmbeddedStore
from cultureops.telemetry.mirror import Mirror
from cultureops.telemetry.mirror_settings import MirrorSettings

__all__: list[str] = []

STEP_S, HOUR_S, DAY_S = 10, 3600, 86_400
FAST = 100


class FastClock(SystemClock):
    """Lab time that passes a hundred times as fast."""

    async def sleep_until(self, instant: Instant) -> None:
        await asyncio.sleep(max(0, instant - self.now()) / 1000 / FAST)


async def live(folder: Path, url: str, days: float, window_s: float) -> None:
    store = EmbeddedStore.open(folder / "telemetry")
    settings = MirrorSettings(url, "-", "lab", resend_window_s=window_s, timeout_s=5, period_s=0.1)
    mirror = Mirror(store, settings, LABELS, folder, FastClock())
    store.declare(CHANNELS)
    async with asyncio.TaskGroup() as work:
        work.create_task(mirror.run())
        last = store.latest().get("incubator_1/temperature")
        begun = 0 if last is None else ((last.received_time - START) // 1000 // HOUR_S) * HOUR_S
        for second in range(begun, round(days * DAY_S), STEP_S):
            if not second % HOUR_S and second:
                await store.flush()
                await store.seal(START + (second - HOUR_S) * 1000 // HOUR_MS * HOUR_MS)
            store.append(readings(second))
        await store.flush()
        print("lived", flush=True)
        await mirror.drain()
        print("drained", flush=True)
        await asyncio.Event().wait()


asyncio.run(live(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), float(sys.argv[4])))
