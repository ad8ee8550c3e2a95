"""Raw files that events name by their SHA-256: count files, images, loggers' traces, kept as they came and for good.

A file lies at ``attachments/ab/abcd...`` below the data folder, named after its own hash, and is durable before the
ledger says so (stream ``attachments``). The name is the proof: whatever is read is hashed again. Nothing is ever
replaced, moved away or purged.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from cultureops.durable_file import sync_folder
from cultureops.errors import ClaimTaken, StorageError, Unreadable
from cultureops.field import printable
from cultureops.ledger.event import Actor, Event, JsonValue, NewEvent, Source
from cultureops.ledger.finding import Finding, Kind
from cultureops.ledger.ledger import Ledger

__all__ = ["FOLDER", "KEPT", "MOST_BYTES", "STREAM", "Attachments", "keep_on_record", "kept_in"]

FOLDER: Final = "attachments"
STREAM: Final = "attachments"
KEPT: Final = "attachment_kept"
MOST_BYTES: Final = 512 * 1024 * 1024
"""A raw file that is larger is refused: it is read into memory as a whole."""
_CLAIM: Final = "attachment:"
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_UNFINISHED: Final = ".new-"


class Attachments:
    """The raw files of one data folder, by SHA-256 [64 hex digits]; blocking, from any thread or process."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / FOLDER

    def path(self, sha256: str) -> Path:
        """Return where a file of this hash lies or would lie; raises StorageError for what is no hash."""
        if not _SHA256.fullmatch(sha256):
            raise StorageError(f"{sha256[:80]!r} is no SHA-256; give 64 hex digits in lower case")
        return self._folder / sha256[:2] / sha256

    def holds(self, sha256: str) -> bool:
        """Say whether there is a file of this name, whatever its bytes."""
        return self.path(sha256).is_file()

    def keep(self, contents: bytes) -> str:
        """Keep bytes and return their SHA-256 once they are durable; the same bytes are kept once.

        Raises StorageError when they can't be written or are too many, Unreadable when a file of that name holds
        something else: it is evidence, and stays.
        """
        if len(contents) > MOST_BYTES:
            raise StorageError(f"a raw file of {len(contents):,} bytes; {MOST_BYTES:,} are kept at most")
        sha256 = hashlib.sha256(contents).hexdigest()
        target = self.path(sha256)
        if target.exists():
            self.read(sha256)
            return sha256
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=_UNFINISHED, dir=target.parent)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(contents)
                    file.flush()
                    os.fchmod(descriptor, 0o444)
                    os.fsync(descriptor)
                Path(name).replace(target)
            except BaseException:
                with suppress(OSError):
                    Path(name).unlink(missing_ok=True)
                raise
            for folder in (target.parent, self._folder, self._folder.parent):
                sync_folder(folder)
        except OSError as error:
            raise StorageError(f"{target}: can't be written: {error.strerror or error}; nothing was recorded") from None
        return sha256

    def read(self, sha256: str) -> bytes:
        """Return a file's bytes; raises StorageError when it is not there, Unreadable when it is not what it was."""
        path = self.path(sha256)
        if path.exists() and not path.is_file():
            raise Unreadable(f"{path}: is no plain file; leave it as evidence and restore it from a verified backup")
        try:
            contents = path.read_bytes()
        except FileNotFoundError:
            raise StorageError(f"{path}: is not there; restore it from a verified backup") from None
        except OSError as error:
            raise Unreadable(f"{path}: can't be read: {error.strerror or error}; restore it from a backup") from None
        if hashlib.sha256(contents).hexdigest() != sha256:
            raise Unreadable(f"{path}: holds other bytes than were kept; leave it as evidence and restore a backup")
        return contents

    def names(self) -> Iterator[Path]:
        """Yield everything that lies in the store, by name, but for what a write under way has not named yet.

        A link is yielded as one, wherever it leads; what lies behind it is not looked through.
        """
        if self._folder.is_dir():
            for path in sorted(self._folder.rglob("*")):
                if path.is_symlink() or not (path.name.startswith(_UNFINISHED) or path.is_dir()):
                    yield path

    def check(self, events: Iterable[Event] = ()) -> Iterator[Finding]:
        """Hash every file again and yield what is wrong: edited, unreadable, foreign, or on record and gone.

        ``events`` are those of the stream ``attachments``.
        """
        for path in self.names():
            place = f"{FOLDER}/{path.relative_to(self._folder)}"
            if path.is_symlink() or not path.is_file():
                yield Finding(Kind.INSERTED, place, "is a link or no plain file; what it leads to is nobody's evidence")
                continue
            if not _SHA256.fullmatch(path.name) or path != self.path(path.name):
                yield Finding(Kind.INSERTED, place, "lies in the store of raw files, which names nothing so")
                continue
            try:
                with path.open("rb") as file:
                    found = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as error:
                yield Finding(Kind.UNREADABLE, place, f"can't be read: {error.strerror or error}")
                continue
            if found != path.name:
                yield Finding(Kind.EDITED, place, "holds other bytes than were kept under this hash")
        for sha256, event in kept_in(events).items():
            if not self.holds(sha256):
                kept = f"{event.data.get('source_file')}, which was kept, is gone"
                yield Finding(Kind.DELETED, f"{FOLDER}/{sha256[:2]}/{sha256}", kept, event.position)


def kept_in(events: Iterable[Event]) -> dict[str, Event]:
    """Return, by SHA-256, the events that say of a raw file that it was kept."""
    return {str(event.data.get("sha256")): event for event in events if event.type == KEPT}


async def keep_on_record(
    ledger: Ledger,
    attachments: Attachments,
    contents: bytes,
    file_name: str,
    actor: Actor,
    source: Source,
    *,
    about: str = "",
) -> str:
    """Keep a raw file, say so in the ledger, and return its SHA-256; a file that is on record is not noted again.

    ``about`` is the stream that it was handed over for, where somebody said so. Call it before the event that names the
    file. Raises what ``Attachments.keep`` and the ledger raise.
    """
    sha256 = await asyncio.to_thread(attachments.keep, contents)
    claim = _CLAIM + sha256
    if ledger.holder(claim) is None:
        size, name = len(contents), printable(file_name)
        data: dict[str, JsonValue] = {"sha256": sha256, "size_bytes": size, "source_file": name}
        if about:
            data["about"] = about
        with suppress(ClaimTaken):  # another process has just kept the same bytes
            await ledger.append(STREAM, [NewEvent(KEPT, data, actor, source, claims=(claim,))], None)
    return sha256
