"""The micrographs of a lab: uploaded for a batch, read in a process apart, kept among the raw files by their hash."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from cultureops.attachments import STREAM, Attachments, keep_on_record, kept_in
from cultureops.batch.batch import stream_of
from cultureops.errors import CultureOpsError
from cultureops.field import printable
from cultureops.imaging.apart import MOST_BYTES
from cultureops.ledger.event import Actor, Event, Source
from cultureops.ledger.ledger import Ledger
from cultureops.web.batch.micrograph import Micrograph

__all__ = ["ABOUT", "MicrographShelf"]

ABOUT: Final = "about"
"""The field of the event of a kept file that names the stream of the batch it was uploaded for."""
DEADLINE_S: Final = 60.0
MOST_READ: Final = 32
"""How many readings are remembered; each is less than a megabyte, and can be had again from the kept file."""
LONGEST_NAME: Final = 120


class MicrographShelf:
    """See ``web.micrograph.Micrographs``; one image is read at a time."""

    most_bytes = MOST_BYTES

    def __init__(self, ledger: Ledger, attachments: Attachments) -> None:
        self._ledger = ledger
        self._attachments = attachments
        self._read: OrderedDict[str, Micrograph] = OrderedDict()
        self._reading = asyncio.Lock()
        self._kept: dict[str, Event] = {}
        self._version = 0

    async def keep(self, contents: bytes, file_name: str, actor: Actor, batch_id: str) -> str:
        """Read an image, keep it and return its SHA-256; nothing is kept of what can't be read."""
        name = printable(Path(file_name).name)[:LONGEST_NAME] or "image"
        if not contents:
            raise CultureOpsError(f"{name}: the file is empty; choose the image again")
        if len(contents) > MOST_BYTES:
            raise CultureOpsError(f"{name}: larger than {MOST_BYTES // 2**20} MiB; export it smaller")
        read = await self._read_apart(contents, name)
        stream = stream_of(batch_id)
        sha256 = await keep_on_record(
            self._ledger, self._attachments, contents, name, actor, Source.HUMAN, about=stream
        )
        owner = (await self._events())[sha256].data.get(ABOUT, stream)
        if owner != stream:
            raise CultureOpsError(
                f"{name}: this very picture was uploaded for {str(owner).removeprefix('batch:')}; choose the right one"
            )
        self._remember(sha256, read)
        return sha256

    async def read(self, sha256: str) -> Micrograph:
        """Return a kept image's reading."""
        if (known := self._read.get(sha256)) is not None:
            self._read.move_to_end(sha256)
            return known
        contents, name = await self.original(sha256)
        return self._remember(sha256, await self._read_apart(contents, name))

    async def original(self, sha256: str) -> tuple[bytes, str]:
        """Return a kept image as it came, and what its file was called."""
        contents = await asyncio.to_thread(self._attachments.read, sha256)
        event = (await self._events()).get(sha256)
        return contents, "image" if event is None else str(event.data.get("source_file", "image"))

    async def about(self, batch_id: str) -> Mapping[str, str]:
        """Return the SHA-256 of every image that was uploaded for a batch, with who did, the oldest first."""
        stream, events = stream_of(batch_id), await self._events()
        return {name: event.actor.id for name, event in events.items() if event.data.get(ABOUT) == stream}

    async def _events(self) -> Mapping[str, Event]:
        """Return the events of kept files by SHA-256, those read before and what came since."""
        fresh = await asyncio.to_thread(self._ledger.read, STREAM, self._version)
        for sha256, event in kept_in(fresh).items():
            self._kept.setdefault(sha256, event)
        self._version = max(self._version, max((event.version for event in fresh), default=0))
        return self._kept

    def _remember(self, sha256: str, read: Mapping[str, Any]) -> Micrograph:
        made = Micrograph(
            sha256=sha256,
            width=read["width"],
            height=read["height"],
            confluence_pct=read["confluence_pct"],
            low_pct=read["low"],
            high_pct=read["high"],
            unsure=read["unsure"],
            reason=read["reason"],
            method=read["method"],
            parameters=read["parameters"],
            picture=read["picture"],
            mask=read["mask"],
        )
        self._read[sha256] = made
        while len(self._read) > MOST_READ:
            self._read.popitem(last=False)
        return made

    async def _read_apart(self, contents: bytes, name: str) -> dict[str, Any]:
        """Read bytes in a process of its own, within a deadline; raises CultureOpsError."""
        try:
            async with asyncio.timeout(DEADLINE_S), self._reading:
                folder = await asyncio.to_thread(_laid_out, contents)
                with folder:
                    said: dict[str, Any] = json.loads(await _said(Path(folder.name), name))
                    if "error" in said:
                        raise CultureOpsError(said["error"])
                    pictures = await asyncio.to_thread(_pictures, Path(folder.name))
                    return said | pictures
        except TimeoutError:
            raise CultureOpsError(f"{name}: could not be read within {DEADLINE_S:g} s; export it smaller") from None
        except ValueError:
            raise CultureOpsError(f"{name}: reading it took more memory or time than it may; export it") from None


def _laid_out(contents: bytes) -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix="cultureops-image-", ignore_cleanup_errors=True)
    (Path(folder.name) / "image").write_bytes(contents)
    return folder


def _pictures(folder: Path) -> dict[str, bytes]:
    return {"picture": (folder / "picture.jpg").read_bytes(), "mask": (folder / "mask.png").read_bytes()}


async def _said(folder: Path, name: str) -> bytes:
    """Run the process and return what it said; it ends with whoever waits for it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cultureops.imaging.apart", str(folder / "image"), name, str(folder)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        said, _ = await process.communicate()
        return said
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
