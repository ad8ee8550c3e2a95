"""The folder a counter exports to: files that are whole, each taken once. Blocking; call it in a thread."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from cultureops.device.driver import CountResult, RejectedFile
from cultureops.errors import NotConnected

__all__ = ["Folder", "Parse"]

Parse: TypeAlias = Callable[[bytes, str], Sequence[CountResult]]
"""``parse(contents, file_name)``; raises anything for a bad file."""

DONE: Final = "done"
REJECTED: Final = "rejected"
_UNFINISHED: Final = (".tmp", ".part", ".crdownload")


@dataclass(frozen=True, slots=True)
class _Look:
    """What a file looked like: size [bytes] and time of last change [ns]."""

    size: int
    changed_ns: int


class Folder:
    """The new files of one folder; read ones go to ``done/``, bad ones to ``rejected/`` with the reason beside them.

    A file is read once it looks the same at two visits, or at the first when ``atomic``: the instrument renames
    finished files into the folder.
    """

    def __init__(self, path: Path, parse: Parse, *, atomic: bool) -> None:
        self.path = path
        self._parse = parse
        self._atomic = atomic
        self._looks: dict[str, _Look] = {}

    def take(self) -> tuple[CountResult | RejectedFile, ...]:
        """Read what is new, by file name; raises NotConnected when the folder can't be read or written."""
        outcomes: list[CountResult | RejectedFile] = []
        try:
            for path in self._whole_files():
                outcomes += self._take_file(path)
        except OSError as error:
            if not outcomes:
                raise NotConnected(f"{self.path}: {error.strerror or error}; check that the folder is shared") from None
        return tuple(outcomes)

    def _whole_files(self) -> list[Path]:
        before, self._looks = self._looks, {}
        whole: list[Path] = []
        for path in sorted(self.path.iterdir()):
            if path.name.startswith((".", "~")) or path.suffix.lower() in _UNFINISHED or not path.is_file():
                continue
            state = path.stat()
            look = _Look(state.st_size, state.st_mtime_ns)
            if self._atomic or before.get(path.name) == look:
                whole.append(path)
            else:
                self._looks[path.name] = look
        return whole

    def _take_file(self, path: Path) -> Sequence[CountResult | RejectedFile]:
        contents = path.read_bytes()
        sha256 = hashlib.sha256(contents).hexdigest()
        (self.path / DONE).mkdir(exist_ok=True)
        (self.path / REJECTED).mkdir(exist_ok=True)
        try:
            results = self._parse(contents, path.name)
        except Exception as error:  # the parser is foreign code on foreign bytes: whatever it raises, the file is bad
            return [self._reject(path, sha256, _one_line(error))]
        _move(path, self.path / DONE, sha256)
        return results

    def _reject(self, path: Path, sha256: str, error: str) -> RejectedFile:
        moved = _move(path, self.path / REJECTED, sha256)
        record = f"file: {path.name}\nsha256: {sha256}\nerror: {error}\n"
        moved.with_name(f"{moved.name}.error.txt").write_text(record, encoding="utf-8")
        return RejectedFile(path.name, sha256, str(moved.relative_to(self.path)), error)


def _move(path: Path, folder: Path, sha256: str) -> Path:
    """Move a file; where another of its name lies already, the new one carries the start of its hash in its name."""
    target = folder / path.name
    if target.exists():
        target = folder / f"{path.stem}.{sha256[:12]}{path.suffix}"
    return path.replace(target)


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:500]
