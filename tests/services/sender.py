"""Mirror a store until killed: python -m tests.services.sender FOLDER URL; says ``drained`` when all is confirmed."""

import asyncio
import sys
from pathlib import Path

from tests.services.conftest import LABELS

from cultureops.clock import SystemClock
from cultureops.telemetry import EmbeddedStore
from cultureops.telemetry.mirror import Mirror
from cultureops.telemetry.mirror_settings import MirrorSettings

__all__: list[str] = []


async def send(folder: Path, url: str) -> None:
    store = EmbeddedStore.open(folder / "telemetry")
    settings = MirrorSettings(url, "-", "lab", resend_window_s=30, timeout_s=5, period_s=0.1)
    mirror = Mirror(store, settings, LABELS, folder, SystemClock())
    async with asyncio.TaskGroup() as work:
        work.create_task(mirror.run())
        await mirror.drain()
        print("drained", flush=True)
        await asyncio.Event().wait()


asyncio.run(send(Path(sys.argv[1]), sys.argv[2]))
