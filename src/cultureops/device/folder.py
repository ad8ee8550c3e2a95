"""The folder an instrument exports to: files that are whole, each taken once."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from cultureops.device.driver import RejectedFile, Result
from cultureops.errors import DriverTimeout, NotConnected, StorageError

__all__ = ["VISIT_DEADLINE_S", "Folder", "FolderSource", "Parse", "one_line"]

Parse: TypeAlias = Callable[[bytes, str], Sequence[Result]]
"""``parse(contents, file_name)``; raises anything for a bad file."""

VISIT_DEADLINE_S: Final = 120.0
TAKEN: Final = "taken"
DONE: Final = "done"
REJECTED: Final = "rejected"
_SHORT_HASH: Final = 12
_UNFINISHED: Final = (".tmp", ".part", ".crdownload")


@dataclass(frozen=True, slots=True)
class _Look:
    """What a file looked like: size [bytes] and time of last change [ns]."""

    size: int
    changed_ns: int


@dataclass(frozen=True, slots=True)
class _Held:
    """A file that was read: where it belongs, why it was rejected (or empty), and its results not on record yet."""

    target: Path
    sha256: str
    error: str
    unrecorded: list[Result]


class Folder:
    """The new files of one folder; read ones end in ``done/``, bad ones in ``rejected/`` with the reason beside them.

    A file is read once it looks the same at two visits, or at the first when ``atomic``: the instrument renames
    finished files into the folder. It moves to ``taken/`` before it is read and leaves it when all its results are
    released: what still lies there when the program ends is read again at the next start, so that nothing is lost
    between the folder and the record. Blocking; call it in one thread.
    """

    def __init__(self, path: Path, parse: Parse, *, atomic: bool) -> None:
        self.path = path
        self._parse = parse
        self._atomic = atomic
        self._looks: dict[str, _Look] = {}
        self._held: dict[Path, _Held] = {}
        self._promised: set[Path] = set()

    def take(self) -> tuple[Result, ...]:
        """Read what is new, by file name; raises NotConnected when the folder can't be read or written."""
        outcomes: list[Result] = []
        try:
            for path, held in list(self._held.items()):
                self._put_away(path, held)
            for path in self._whole_files():
                self._bring_in(path)
            for path in sorted((self.path / TAKEN).glob("*/*"), key=lambda path: path.name):
                if path not in self._held:
                    outcomes += self._read(path)
        except OSError as error:
            if not outcomes:
                raise NotConnected(f"{self.path}: {error.strerror or error}; check that the folder is shared") from None
        return tuple(outcomes)

    def release(self, result: Result) -> None:
        """Note that a result is on record, and put its file away after the last one; never raises."""
        for path, held in self._held.items():
            if result in held.unrecorded:
                held.unrecorded.remove(result)
                self._put_away(path, held)
                break

    def contents(self, result: Result) -> bytes | None:
        """Return the bytes that a result was read from; None when they are not held, or no longer what they were.

        Raises StorageError when the file can't be read just now.
        """
        for path, held in self._held.items():
            if result in held.unrecorded:
                try:
                    contents = path.read_bytes()
                except FileNotFoundError:
                    return None
                except OSError as error:
                    raise StorageError(f"{path}: can't be read again: {error.strerror or error}") from None
                return contents if hashlib.sha256(contents).hexdigest() == result.source_sha256 else None
        return None

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

    def _bring_in(self, path: Path) -> None:
        """Move a file to a shelf named after its hash: another one of its name never replaces it."""
        shelf = self.path / TAKEN / hashlib.sha256(path.read_bytes()).hexdigest()[:_SHORT_HASH]
        shelf.mkdir(parents=True, exist_ok=True)
        path.replace(shelf / path.name)

    def _read(self, path: Path) -> Sequence[Result]:
        contents, name, error = path.read_bytes(), _shown(path.name), ""
        sha256 = hashlib.sha256(contents).hexdigest()
        results: list[Result] = []
        try:
            results += self._parse(contents, name)
        except Exception as refusal:  # perhaps foreign code on foreign bytes: whatever it raises, the file is bad
            error = one_line(refusal)
        target = self._free(self.path / (REJECTED if error else DONE), path, sha256)
        if error:
            results = [RejectedFile(name, sha256, _shown(str(target.relative_to(self.path))), error)]
        self._held[path] = _Held(target, sha256, error, list(results))
        self._promised.add(target)
        return results

    def _free(self, folder: Path, path: Path, sha256: str) -> Path:
        """Return where a file belongs; where its name is taken, a new one carries the start of its hash."""
        target = folder / path.name
        if target in self._promised or target.exists():
            target = folder / f"{path.stem}.{sha256[:_SHORT_HASH]}{path.suffix}"
        return target

    def _put_away(self, path: Path, held: _Held) -> None:
        """Move a file out of ``taken/`` once all of it is on record; where that fails it is tried again."""
        if held.unrecorded:
            return
        with contextlib.suppress(OSError):
            held.target.parent.mkdir(exist_ok=True)
            path.replace(held.target)
            del self._held[path]
            self._promised.discard(held.target)
            if held.error:
                record = f"file: {_shown(path.name)}\nsha256: {held.sha256}\nerror: {held.error}\n"
                held.target.with_name(f"{held.target.name}.error.txt").write_text(record, encoding="utf-8")
            path.parent.rmdir()  # where another file of the same bytes lies, it stays


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

    async def contents(self, result: Result) -> bytes | None:
        """Return the bytes that a result was read from, as ``Folder`` does; raises StorageError."""
        reading = asyncio.get_running_loop().run_in_executor(self._thread, self._folder.contents, result)
        try:
            async with asyncio.timeout(self._deadline_s):
                return await asyncio.shield(reading)
        except TimeoutError:
            raise StorageError(
                f"{self.device}: {result.source_file} was not read again within {self._deadline_s:g} s; tried again"
            ) from None

    def release(self, result: Result) -> None:
        """Note that a result is on record; its file is put away in the folder's own thread, however slow the disk."""
        self._thread.submit(self._folder.release, result)


def _shown(name: str) -> str:
    """Return a file name as it can be written down: what is no text, or no sign of one, as ``\\x..`` or ``?``."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def one_line(error: Exception) -> str:
    """Say in one line what went wrong [up to 500 characters]."""
    return _shown(f"{type(error).__name__}: {' '.join(str(error).split())}"[:500])
