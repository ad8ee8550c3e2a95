"""Packs are made one at a time, given up when nobody waits, kept for a day, and nothing unfinished is left behind."""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cultureops.clock import SteppedClock, parse_iso
from cultureops.errors import BatchError, ConfigError, StorageError
from cultureops.pack import shelf as shelves
from cultureops.pack.shelf import PackOrder, PackShelf, make_apart

START = parse_iso("2026-01-05T08:00:00Z")
DEADLINE_S = 10.0


class Maker:
    """Makes packs as it is told to: at once, when let go on, or not."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.error: Exception | None = None
        self.ended = 0

    async def __call__(self, order: PackOrder, show: Callable[[int, int], None]) -> dict[str, Any]:
        order.out.write_bytes(b"half")
        show(2, 4)
        try:
            await self.go_on.wait()
        finally:
            self.ended += 1
        if self.error is not None:
            raise self.error
        order.out.write_bytes(b"whole")
        return {"size": 5, "sha256": "ab", "events": 7, "head": "7:cd", "key_id": "k"}


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.005)


def left(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


async def test_a_pack_is_made_listed_and_swept_after_a_day(tmp_path: Path) -> None:
    maker = Maker()
    shelf = PackShelf(tmp_path, None, SteppedClock(START), maker)
    assert shelf.work() is None and await shelf.listed("B-1") == ()
    shelf.start("B-1", "quality-1")
    await until(lambda: (work := shelf.work()) is not None and work.done == 2)
    with pytest.raises(ConfigError, match="one at a time"):
        shelf.start("B-2", "quality-1")
    assert await shelf.listed("B-1") == (), "half a pack is none"
    maker.go_on.set()
    await until(lambda: not shelf.is_busy)
    (pack,) = await shelf.listed("B-1")
    assert (pack.batch_id, pack.asked_by, pack.size, pack.sha256, pack.made_at) == ("B-1", "quality-1", 5, "ab", START)
    path = shelf.path(pack.name)
    assert path is not None and path.read_bytes() == b"whole" and await shelf.listed("B-2") == ()
    for name in ("nobody.zip", f"../packs/{pack.name}", f"{pack.name}.json", "", ".."):
        assert shelf.path(name) is None, name
    old = time.time() - shelves.KEPT_S - 1
    os.utime(f"{path}.json", (old, old))
    assert await shelf.listed("B-1") == () and left(tmp_path) == []


async def test_what_fails_is_stopped_or_waited_for_by_nobody_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker = Maker()
    shelf = PackShelf(tmp_path, None, SteppedClock(START), maker)
    maker.error = StorageError("the disk is full")
    maker.go_on.set()
    shelf.start("B-1", "quality-1")
    await until(lambda: not shelf.is_busy)
    work = shelf.work()
    assert work is not None and work.failure == "the disk is full" and left(tmp_path) == []
    maker.go_on.clear()
    shelf.start("B-1", "quality-1")
    await until(lambda: maker.ended == 1 and left(tmp_path) != [])
    await shelf.stop()
    work = shelf.work()
    assert work is not None and work.failure == "it was stopped" and left(tmp_path) == [] and maker.ended == 2
    monkeypatch.setattr(shelves, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(shelves, "UNWATCHED_S", 0.0)
    shelf.start("B-1", "quality-1")
    await until(lambda: not shelf.is_busy)
    work = shelf.work()
    assert work is not None and "nobody waited" in work.failure and left(tmp_path) == [] and maker.ended == 3
    with pytest.raises(BatchError):
        shelf.start("../B-1", "quality-1")


async def test_the_process_of_a_pack_is_ended_with_whoever_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = tmp_path / "slow.py"
    said.write_text(
        "import json, sys, time\norder = json.loads(sys.argv[1])\n"
        "print(json.dumps({'done': 1, 'steps': 4}), flush=True)\n"
        "time.sleep(0 if order['batch_id'] == 'ends' else 600)\n"
    )
    monkeypatch.setattr(shelves, "PROGRAM", "slow")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    shown: list[tuple[int, int]] = []

    def order(batch_id: str) -> PackOrder:
        return PackOrder(tmp_path, batch_id, tmp_path / "x.zip", None, START)

    with pytest.raises(StorageError, match="ended by itself"):
        await make_apart(order("ends"), lambda done, steps: shown.append((done, steps)))
    task = asyncio.create_task(make_apart(order("slow"), lambda done, steps: shown.append((done, steps))))
    await until(lambda: len(shown) == 2)
    task.cancel()
    async with asyncio.timeout(DEADLINE_S):
        with pytest.raises(asyncio.CancelledError):
            await task
    assert shown == [(1, 4), (1, 4)]
