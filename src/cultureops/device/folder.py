"""The folder an instrument exports to: files that are whole, each taken once."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from cultureops.device.driver import RejectedFile, Result
from cultureops.errors import DriverTimeout, NotConnected

__all__ = ["VISIT_DEADLINE_S", "Folder", "FolderSource", "Parse", "moved", "one_line", "set_aside"]

Parse: TypeAlias = Callable[[bytes, str], Sequence[Result]]
"""``parse(contents, file_name)``; raises anything for a bad file."""

VISIT_DEADLINE_S: Final = 120.0
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
    finished files into the folder. Blocking; call it in a thread.
    """

    def __init__(self, path: Path, parse: Parse, *, atomic: bool) -> None:
        self.path = path
        self._parse = parse
        self._atomic = atomic
        self._looks: dict[str, _Look] = {}

    def take(self) -> tuple[Result, ...]:
        """Read what is new, by file name; raises NotConnected when the folder can't be read or written."""
        outcomes: list[Result] = []
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

    def _take_file(self, path: Path) -> Sequence[Result]:
        contents = path.read_bytes()
        sha256 = hashlib.sha256(contents).hexdigest()
        (self.path / DONE).mkdir(exist_ok=True)
        try:
            results = self._parse(contents, path.name)
        except (
            Exception
        ) as error:  # the parser may be foreign code on foreign bytes: whatever it raises, the file is bad
            return [set_aside(path, self.path, sha256, one_line(error))]
        moved(path, self.path / DONE, sha256)
        return results


class FolderSource:
    """A ResultSource over a folder, which is read in a thread of its own: a parser may take seconds to load."""

    def __init__(self, device: str, folder: Folder, deadline_s: float = VISIT_DEADLINE_S) -> None:
        self.device = device
        self._folder = folder
        self._deadline_s = deadline_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"{device}-files")
        self._visit: asyncio.Future[tuple[Result, ...]] | None = None

    async def close(self) -> None:
        """Do nothing: a folder is not held open."""

    async def collect(self) -> Sequence[Result]:
        """Return the results and rejections of the files that are new, by file name.

        A visit that outlives the deadline or its caller goes on, and the next call returns what it found. Raises
        DriverTimeout, and NotConnected when the folder can't be read or written.
        """
        if self._visit is None:
            self._visit = asyncio.get_running_loop().run_in_executor(self._thread, self._folder.take)
        visit = self._visit
        try:
            async with asyncio.timeout(self._deadline_s):
                await asyncio.wait([visit])
        except TimeoutError:
            raise DriverTimeout(
                f"{self.device}: {self._folder.path} was not read within {self._deadline_s:g} s; asked again next time"
            ) from None
        self._visit = None
        return visit.result()


def set_aside(path: Path, folder: Path, sha256: str, error: str) -> RejectedFile:
    """Move a file into ``rejected/`` of a folder, with the reason beside it."""
    (folder / REJECTED).mkdir(exist_ok=True)
    target = moved(path, folder / REJECTED, sha256)
    record = f"file: {path.name}\nsha256: {sha256}\nerror: {error}\n"
    target.with_name(f"{target.name}.error.txt").write_text(record, encoding="utf-8")
    return RejectedFile(path.name, sha256, str(target.relative_to(folder)), error)


def moved(path: Path, folder: Path, sha256: str) -> Path:
    """Move a file; where another of its name lies already, the new one carries the start of its hash in its name."""
    target = folder / path.name
    if target.exists():
        target = folder / f"{path.stem}.{sha256[:12]}{path.suffix}"
    return path.replace(target)


def one_line(error: Exception) -> str:
    """Say in one line what went wrong [up to 500 characters]."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:500]
