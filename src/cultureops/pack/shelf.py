"""Packs that people ask for on a page: made one at a time by a process of their own, kept for a day to be fetched.

The process works at a low priority, so that no instrument waits for it, and ends with the lab, or once nobody has asked
how far it is for a while. They lie in the data folder's scratch, which no backup takes: a pack can be made again.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import structlog

from cultureops.batch.batch import stream_of
from cultureops.clock import Clock, Instant, SystemClock, iso
from cultureops.errors import ConfigError, CultureOpsError, StorageError
from cultureops.recording import SCRATCH_FOLDER

__all__ = ["KEPT_S", "Make", "PackFile", "PackOrder", "PackShelf", "PackWork", "make_apart"]

log = structlog.get_logger(__name__)

KEPT_S: Final = 86_400.0
"""How long a pack lies ready; real time, whatever the lab's clock does."""
UNWATCHED_S: Final = 300.0
"""How long the work goes on while nobody asks for it."""
DEADLINE_S: Final = 3_600.0
"""A pack that takes longer hangs: a disk that does not answer [OWN]."""
LOOK_EVERY_S: Final = 5.0
PROGRAM: Final = "cultureops.keeping.pack_program"
_FOLDER: Final = "packs"
_MAKING: Final = "making"
_TOLD: Final = ".json"


@dataclass(frozen=True, slots=True)
class PackFile:
    """A pack that lies ready: size [bytes], SHA-256 [hex], when it was made [ms UTC] and for whom.

    ``head`` and ``key_id`` are the ledger's head that proves it and the key that signed it: to be noted elsewhere.
    """

    name: str
    batch_id: str
    made_at: Instant
    asked_by: str
    size: int
    sha256: str
    events: int
    head: str
    key_id: str


@dataclass(frozen=True, slots=True)
class PackWork:
    """A pack under way, ``done`` of ``steps``; or the last one that failed or was given up, which ``failure`` says."""

    batch_id: str
    asked_by: str
    done: int = 0
    steps: int = 4
    failure: str = ""


@dataclass(frozen=True, slots=True)
class PackOrder:
    """What a process is to make; ``now`` is the lab's time where it is not this machine's [ms UTC]."""

    data_dir: Path
    batch_id: str
    out: Path
    site: Path | None
    now: Instant | None


Make = Callable[[PackOrder, Callable[[int, int], None]], Awaitable[dict[str, Any]]]
"""Makes a pack, tells how many steps of how many are done, and returns size, SHA-256, events, head and key."""


class PackShelf:
    """The packs of one data folder; of one event loop."""

    def __init__(self, data_dir: Path, site: Path | None, clock: Clock, make: Make | None = None) -> None:
        self._data_dir, self._site, self._clock = data_dir, site, clock
        self._folder = data_dir / SCRATCH_FOLDER / _FOLDER
        self._make = make or make_apart
        self._work: PackWork | None = None
        self._task: asyncio.Task[None] | None = None
        self._asked_at = 0.0

    def work(self) -> PackWork | None:
        """Return what is under way, or how the last one failed; asking keeps the work going."""
        self._asked_at = time.monotonic()
        return self._work

    @property
    def is_busy(self) -> bool:
        """Whether a pack is being made."""
        return self._task is not None and not self._task.done()

    def start(self, batch_id: str, asked_by: str) -> None:
        """Begin to make a pack of a batch; raises ConfigError while another one is made, BatchError for no id."""
        stream_of(batch_id)
        if self.is_busy and self._work is not None:
            raise ConfigError(
                f"the pack of {self._work.batch_id} is being made; one at a time: wait for it, or stop it"
            )
        self._work = PackWork(batch_id, asked_by)
        self._asked_at = time.monotonic()
        self._task = asyncio.create_task(self._make_one(self._work), name=f"pack of {batch_id}")

    async def stop(self) -> None:
        """Give up what is under way and wait until nothing of it is left."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])

    async def listed(self, batch_id: str) -> tuple[PackFile, ...]:
        """Return the packs of a batch that lie ready, the newest first; those older than a day go."""
        return await asyncio.to_thread(self._listed, batch_id)

    def path(self, name: str) -> Path | None:
        """Return where a pack lies, None where there is none of this name."""
        path = self._folder / name
        return path if path.name == name and name.endswith(".zip") and path.is_file() else None

    async def _make_one(self, work: PackWork) -> None:
        making = self._folder / _MAKING
        name = f"audit-pack-{work.batch_id}-{iso(self._clock.now())[:19].replace(':', '')}Z.zip"
        order = PackOrder(self._data_dir, work.batch_id, making / name, self._site, self._own_time())
        try:
            await asyncio.to_thread(_empty, making)
            async with asyncio.timeout(DEADLINE_S):
                told = await self._while_watched(self._make(order, self._show))
            made = PackFile(name, work.batch_id, self._clock.now(), work.asked_by, **told)
            await asyncio.to_thread(self._keep, order.out, made)
            self._work = None
        except asyncio.CancelledError:
            self._fail(work, "it was stopped")
            raise
        except TimeoutError:
            self._fail(work, f"no pack within {DEADLINE_S / 60:.0f} min; look at the machine's disks")
        except (CultureOpsError, OSError) as error:
            self._fail(work, str(error))
        finally:
            await asyncio.to_thread(shutil.rmtree, making, ignore_errors=True)

    async def _while_watched(self, making: Awaitable[dict[str, Any]]) -> dict[str, Any]:
        """Wait for the work for as long as anybody asks for it; raises CultureOpsError when nobody does."""
        task = asyncio.ensure_future(making)
        try:
            while not task.done():
                await asyncio.wait([task], timeout=LOOK_EVERY_S)
                if not task.done() and time.monotonic() - self._asked_at > UNWATCHED_S:
                    raise CultureOpsError(f"nobody waited for it for {UNWATCHED_S / 60:.0f} min; make it again")
            return task.result()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait([task])

    def _show(self, done: int, steps: int) -> None:
        if self._work is not None:
            self._work = replace(self._work, done=done, steps=steps)

    def _fail(self, work: PackWork, why: str) -> None:
        log.warning("no pack was made", batch=work.batch_id, why=why)
        self._work = replace(self._work or work, failure=why)

    def _own_time(self) -> Instant | None:
        return None if isinstance(self._clock, SystemClock) else self._clock.now()

    def _keep(self, out: Path, made: PackFile) -> None:
        """Put a finished pack on the shelf: what tells of it first, so that no pack lies there unexplained."""
        told = self._folder / (made.name + _TOLD)
        told.write_text(json.dumps(asdict(made)), encoding="utf-8")
        out.replace(self._folder / made.name)

    def _listed(self, batch_id: str) -> tuple[PackFile, ...]:
        found: list[PackFile] = []
        for path in self._folder.glob(f"*.zip{_TOLD}"):
            pack = path.with_name(path.name.removesuffix(_TOLD))
            with suppress(OSError, ValueError, TypeError):  # another request may have swept it a moment ago
                if time.time() - path.stat().st_mtime > KEPT_S:
                    pack.unlink(missing_ok=True)
                    path.unlink(missing_ok=True)
                elif pack.is_file():
                    found.append(PackFile(**json.loads(path.read_text(encoding="utf-8"))))
        return tuple(
            sorted((f for f in found if f.batch_id == batch_id), key=lambda f: (f.made_at, f.name), reverse=True)
        )


def _empty(folder: Path) -> None:
    """Make a folder of which nothing is left from before."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    except OSError as error:
        raise StorageError(f"{folder}: can't be made: {error}") from None


async def make_apart(order: PackOrder, show: Callable[[int, int], None]) -> dict[str, Any]:
    """Make a pack in a process of its own; raises CultureOpsError with what that one said.

    Cancelled, it ends the process and waits for its end.
    """
    told = {name: None if value is None else str(value) for name, value in asdict(order).items()} | {"now": order.now}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", PROGRAM, json.dumps(told),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    answer: dict[str, Any] = {}
    try:
        assert process.stdout is not None
        async for line in process.stdout:
            answer = json.loads(line)
            if "done" in answer:
                show(int(answer["done"]), int(answer["steps"]))
        await process.wait()
    except ValueError:
        raise StorageError(f"the pack of {order.batch_id}: its process said what can't be read") from None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if process.stdin is not None:
            process.stdin.close()
    if "error" in answer:
        raise CultureOpsError(str(answer["error"]))
    if "sha256" not in answer:
        raise StorageError(f"the pack of {order.batch_id}: its process ended by itself ({process.returncode})")
    return answer
