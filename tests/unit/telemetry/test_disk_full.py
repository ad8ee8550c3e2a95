"""A disk with no room left: nothing is called durable, and readings are kept again once there is room."""

import json
import subprocess
import sys
from pathlib import Path

from cultureops.clock import HOUR_MS
from cultureops.telemetry import EmbeddedStore
from cultureops.telemetry.exchange import check

START = 1_767_600_000_000 // HOUR_MS * HOUR_MS
CHILD = f"""
import asyncio, json, os, resource, sys
from pathlib import Path
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.errors import StorageError
from cultureops.telemetry import ChannelInfo, EmbeddedStore

def row(at):
    return [Reading("a/t", float(at), Quality.GOOD, Reason.NONE, {START} + at, {START} + at)]

async def main():
    path = Path(sys.argv[1])
    store = EmbeddedStore.open(path)
    store.declare({{"a/t": ChannelInfo("Cel")}})
    durable = {{}}
    for at in range(50):
        durable[at] = await store.append(row(at))
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    room = 30_000  # of the write-ahead log, which is folded in long before it would need more
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, unlimited[1]))
    refused = []
    for at in range(50, 100):
        try:
            durable[at] = await store.append(row(at))
        except StorageError:
            refused.append(at)
    seen = [store.durable[0], store.count(), str(store.failure), store.latest()["a/t"].value]
    shown = (await store.series("a/t", {START}, {START} + 1000)).value.size
    resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    durable[100] = await store.append(row(100))
    after = str(store.failure)
    os.write(1, json.dumps([durable, refused, seen, shown, after]).encode())
    if sys.argv[2] == "close":
        await store.close()
    os._exit(0)

asyncio.run(main())
"""


async def full_disk(path: Path, end: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", CHILD, str(path), end], capture_output=True, text=True, timeout=40, check=True
    )
    durable, refused, (seq, count, failure, latest), shown, after = json.loads(run.stdout)
    room_for = 100 - len(refused)
    assert 50 <= room_for < 100 and refused == list(range(room_for, 100))
    assert (seq, count, shown) == (room_for, room_for, room_for)
    assert latest == 99.0
    assert "readings can't be kept" in failure and after == "None"
    frames = durable.pop("100")  # all that waited is one frame, or some
    assert frames > room_for and durable == {str(at): at + 1 for at in range(room_for)}
    found = check(path)
    assert (found.frames, found.readings) == (frames, 101)
    store = EmbeddedStore.open(path)
    assert (await store.series("a/t", START, START + 1000)).value.tolist() == [float(at) for at in range(101)]
    await store.close()


async def test_a_full_disk_loses_nothing_once_there_is_room(tmp_path: Path) -> None:
    await full_disk(tmp_path / "telemetry", "close")


async def test_a_full_disk_then_a_crash_loses_nothing_durable(tmp_path: Path) -> None:
    await full_disk(tmp_path / "telemetry", "die")
