"""Where messages are kept: on the disk before they are acknowledged, taken up by ``Folder`` once they are whole.

Names count up: ``000017-<start of SHA-256>.astm`` is a whole message, ``.unfinished`` a part of one, ``.foreign`` what
was no ASTM; ``.000017.part`` is one under way. Blocking; call it in one thread.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cultureops.device.driver import CountResult
from cultureops.errors import ProtocolError
from cultureops_drivers.astm_counter.mapping import AstmMapping, counts_of
from cultureops_drivers.astm_counter.record import parse_messages

__all__ = ["KeptMessage", "Spool"]

_NAME: Final = re.compile(r"\.?([0-9]{6,})(?:-([0-9a-f]{16}))?\..+")
_INTERRUPTED: Final = "received in part only when the program ended; the instrument has to send it again"
_WHOLE: Final = ".astm"
_PLACES: Final = ("*", "taken/*/*", "done/*", "rejected/*")


class Spool:
    """The folder of one receiver."""

    def __init__(self, folder: Path, mapping: AstmMapping) -> None:
        self.folder = folder
        self._mapping = mapping
        self._last = 0
        self._first_names: dict[str, str] = {}
        self._reasons: dict[str, str] = {}
        self._foreign: set[str] = set()

    def recover(self) -> None:
        """Make the folder, learn what it holds, and give up on what an earlier run left unfinished."""
        self.folder.mkdir(parents=True, exist_ok=True)
        kept = (path for places in _PLACES for path in self.folder.glob(places))
        for path in sorted(kept, key=lambda path: path.name):
            found = _NAME.fullmatch(path.name)
            if found is None:
                continue
            self._last = max(self._last, int(found[1]))
            if path.suffix == _WHOLE and found[2] and path.parent.name != "rejected":
                self._first_names.setdefault(found[2], path.name)
        for path in sorted(self.folder.glob(".*.part")):
            self.abandon(path, path.name.strip(".").partition(".")[0], _INTERRUPTED)

    def next_number(self) -> str:
        """Return the next name's number."""
        self._last += 1
        return f"{self._last:06d}"

    def refuse(self, data: bytes, reason: str) -> None:
        """Keep what was no ASTM, once for the same bytes."""
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 in self._foreign:
            return
        self._foreign.add(sha256)
        number = self.next_number()
        path = self.folder / f".{number}.part"
        path.write_bytes(data)
        self._name(path, number, ".foreign", reason)

    def finish(self, path: Path, number: str, notes: Sequence[str]) -> None:
        """Give a whole message its name, and a file beside it when something was unusual."""
        name = self._name(path, number, _WHOLE, "")
        if notes:
            (self.folder / "done").mkdir(exist_ok=True)
            (self.folder / "done" / f"{name}.notes.txt").write_text("\n".join((*notes, "")), encoding="utf-8")

    def abandon(self, path: Path, number: str, reason: str) -> None:
        """Give a part of a message its name; it is handed over as rejected.

        Where only the end of the session is missing, the message is whole: its last frame was acknowledged, so that
        the instrument may never send it again.
        """
        try:
            parse_messages(path.read_bytes(), self._mapping.encoding)
        except ProtocolError:
            self._name(path, number, ".unfinished", reason)
        else:
            self._name(path, number, _WHOLE, "")

    def parse(self, contents: bytes, name: str) -> tuple[CountResult, ...]:
        """Read the counts of a whole message; raise ProtocolError for all else, and for a message that came before."""
        if not name.endswith(_WHOLE):
            raise ProtocolError(self._reasons.pop(name, _INTERRUPTED))
        first = self._first_names.setdefault(hashlib.sha256(contents).hexdigest()[:16], name)
        if first != name:
            raise ProtocolError(f"the same message came before as {first}; a new measurement has to be sent anew")
        return counts_of(contents, name, self._mapping)

    def _name(self, path: Path, number: str, suffix: str, reason: str) -> str:
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        name = f"{number}-{sha256[:16]}{suffix}"
        if reason:
            self._reasons[name] = reason
        path.replace(self.folder / name)
        _sync_folder(self.folder)
        return name


class KeptMessage:
    """The message of one session, written part by part."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._number = ""
        self._path = Path()

    def keep(self, text: bytes) -> None:
        """Append a part and return when it is on the disk."""
        if not self._number:
            self._number = self._spool.next_number()
            self._path = self._spool.folder / f".{self._number}.part"
        with self._path.open("ab") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(self._spool.folder)

    def finish(self, notes: Sequence[str]) -> None:
        """Say that the message is whole."""
        number, self._number = self._number, ""
        self._spool.finish(self._path, number, notes)

    def abandon(self, reason: str) -> None:
        """Say that the rest will not come."""
        number, self._number = self._number, ""
        if number:
            self._spool.abandon(self._path, number, reason)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
