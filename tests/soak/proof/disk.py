"""A disk that keeps only what it was told to keep: recorded system calls, replayed up to a cut of the power.

*Contents* (bytes, length) of a file are safe once a sync of that file has come back. *Names* (create, rename, unlink,
make a folder) and modes are safe by one of two grades:

- ``strict``, what POSIX gives: once a sync of the folder that holds the name has come back; modes with the file.
- ``journaled``, what ext4 and XFS do: names change in one order, and a sync of anything makes all changes before safe.

A sync that fails makes nothing safe, and what it should have written is clean for the kernel from then on: no later
sync makes it safe either.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from proof.calls import Call

__all__ = ["SYNCS", "Cut", "Grade", "Image", "Recording", "Survival", "snapshot"]

Grade = Literal["strict", "journaled"]
Survival = Literal["drop", "rand"]
NEVER: Final = 1 << 62
MEMORY_ONLY: Final = "-shm"
NEW_FILE_MODE: Final = 0o644
SYNCS: Final = frozenset({"fsync", "fdatasync"})
OF_NO_MATTER: Final = frozenset({"openat", "open", "write", "mmap"})


@dataclass(frozen=True, slots=True)
class Image:
    """What lies in a folder: contents and modes of files by path, and folders."""

    files: Mapping[Path, tuple[bytes, int]]
    folders: frozenset[Path] = frozenset()

    def moved(self, origin: Path, root: Path) -> Image:
        """Return the same under another folder."""
        files = {root / path.relative_to(origin): file for path, file in self.files.items()}
        return Image(files, frozenset(root / folder.relative_to(origin) for folder in self.folders))

    def write_to(self, root: Path, origin: Path) -> None:
        """Make the files under ``root`` that were seen under ``origin``."""
        for folder in sorted(self.folders):
            (root / folder.relative_to(origin)).mkdir(parents=True, exist_ok=True)
        for path, (content, mode) in self.files.items():
            target = root / path.relative_to(origin)
            target.write_bytes(content)
            target.chmod(mode)


@dataclass(frozen=True, slots=True)
class Cut:
    """The power goes when line ``at`` of the trace is written; ``sector`` [bytes] tears writes, 0 does not."""

    at: int
    survival: Survival
    grade: Grade
    sector: int
    seed: int


@dataclass(slots=True, eq=False)
class _Change:
    begin: int
    safe: dict[str, int] = field(default_factory=lambda: {"strict": NEVER, "journaled": NEVER})
    is_lost_track_of: bool = False


@dataclass(slots=True, eq=False)
class _Content(_Change):
    """Bytes written at an offset, or a new length when ``data`` is None."""

    offset: int = 0
    data: bytes | None = None


@dataclass(slots=True, eq=False)
class _Name(_Change):
    """A change of names: ``source`` goes away if given, ``target`` means ``inode`` if given."""

    source: Path | None = None
    target: Path | None = None
    inode: int = 0
    mode: int | None = None


def snapshot(root: Path) -> Image:
    """Return what lies under a folder."""
    found = sorted(root.rglob("*"))
    return Image(
        {path: (path.read_bytes(), path.stat().st_mode & 0o777) for path in found if path.is_file()},
        frozenset(path for path in found if path.is_dir()),
    )


class Recording:
    """Calls on files under ``root``, on top of what lay there, with the words of the program between them.

    Raises AssertionError for a call that changes a file in a way that is not modelled.
    """

    def __init__(self, root: Path, before: Image, calls: Iterable[Call]) -> None:
        self.root = root
        self.words: list[tuple[int, str]] = []
        self.lines = 0
        self.injected = 0
        self.name_lines: list[int] = []
        self._before = before
        self._contents: dict[int, list[_Content]] = {}
        self._base: dict[int, bytes] = {}
        self._names: list[_Name] = []
        self._now: dict[Path, int] = {}
        for inode, (path, (content, _)) in enumerate(sorted(before.files.items()), start=1):
            self._now[path] = inode
            self._base[inode] = content
        self._first_names = dict(self._now)
        for call in sorted(calls, key=lambda call: (call.end, call.begin)):
            self._take(call)

    def _take(self, call: Call) -> None:
        self.lines = max(self.lines, call.end + 1)
        self.injected += call.is_injected
        first = call.arguments[0] if call.arguments else ""
        if call.name == "write" and str(first).startswith("pipe:"):
            text = call.arguments[1]
            assert isinstance(text, bytes)
            self.words += [(call.begin, line) for line in text.decode(errors="replace").splitlines()]
            return
        touched = [path for path in call.paths if self._is_ours(path)]
        if not touched or touched[0].name.endswith(MEMORY_ONLY):
            return
        if call.name in SYNCS:
            self._sync(call, touched[0])
        elif call.result >= 0:
            self._change(call, touched)

    def _is_ours(self, path: Path) -> bool:
        return self.root in path.parents or path == self.root

    def _change(self, call: Call, touched: list[Path]) -> None:
        path, arguments = touched[0], call.arguments
        text = " ".join(argument for argument in arguments if isinstance(argument, str))
        if call.name == "pwrite64":
            data = arguments[1]
            assert isinstance(data, bytes) and not data[call.result :]
            self._content(call, path, int(str(arguments[3])), data)
        elif call.name == "ftruncate":
            self._content(call, path, int(str(arguments[1])), None)
        elif call.name in ("openat", "open") and "O_CREAT" in text:
            assert "O_TRUNC" not in text, f"{path}: emptied by opening it, which is not modelled"
            if path not in self._now:
                self._name(call, target=path, inode=len(self._base) + 1, mode=int(text.split()[-1], 8) & ~0o022)
        elif call.name in ("rename", "renameat", "renameat2"):
            self._name(call, source=path, target=touched[1], inode=self._now[path])
        elif call.name in ("unlink", "unlinkat"):
            self._name(call, source=path, inode=self._now[path])
        elif call.name in ("mkdir", "mkdirat"):
            self._name(call, target=path)
        elif call.name in ("chmod", "fchmod", "fchmodat"):
            self._name(call, inode=self._now[path], mode=int(str(arguments[-1]), 8))
        else:
            is_written = call.name == "write" or ("MAP_SHARED" in text and "PROT_WRITE" in text)
            assert call.name in OF_NO_MATTER and not is_written, f"{path}: {call.name} is not modelled"

    def _content(self, call: Call, path: Path, offset: int, data: bytes | None) -> None:
        if (inode := self._now.get(path)) is not None:  # else removed, and open still
            self._contents.setdefault(inode, []).append(_Content(call.begin, offset=offset, data=data))

    def _name(
        self,
        call: Call,
        source: Path | None = None,
        target: Path | None = None,
        inode: int = 0,
        mode: int | None = None,
    ) -> None:
        self._names.append(_Name(call.begin, source=source, target=target, inode=inode, mode=mode))
        self.name_lines.append(call.begin)
        if inode:
            self._base.setdefault(inode, b"")
        if source is not None:
            del self._now[source]
        if target is not None and inode:
            self._now[target] = inode

    def _sync(self, call: Call, path: Path) -> None:
        inode = self._now.get(path)
        for content in self._contents.get(inode or 0, []):
            if content.begin < call.begin and content.safe["strict"] == NEVER and not content.is_lost_track_of:
                if call.result < 0:
                    content.is_lost_track_of = True
                else:
                    content.safe = {"strict": call.end, "journaled": call.end}
        if call.result < 0:
            return
        for name in self._names:
            if name.begin < call.begin:
                name.safe["journaled"] = min(name.safe["journaled"], call.end)
                is_mode = name.source is None and name.target is None
                holds = {name.inode == inode} if is_mode else {
                    side.parent == path for side in (name.source, name.target) if side is not None
                }  # fmt: skip
                if all(holds):
                    name.safe["strict"] = min(name.safe["strict"], call.end)

    @property
    def paths(self) -> list[Path]:
        """Every path that was ever made here."""
        return list(dict.fromkeys(name.target for name in self._names if name.target is not None))

    def durable(self, at: int) -> int:
        """Return the highest append that was called durable before line ``at``."""
        said = [int(word.split()[1]) for line, word in self.words if line < at and word.startswith("durable ")]
        return max(said, default=0)

    def after(self, cut: Cut) -> Image:
        """Return what is left on the disk after a power cut."""
        dice = random.Random(cut.seed)
        names, modes, folders = dict(self._first_names), self._first_modes(), set(self._before.folders)
        for name in self._surviving_names(cut, dice):
            if name.source is not None:
                names.pop(name.source, None)
            if name.target is not None and name.inode:
                names[name.target] = name.inode
            elif name.target is not None:
                folders.add(name.target)
            if name.mode is not None:
                modes[name.inode] = name.mode
        files = {
            path: (self._surviving_content(inode, cut, dice), modes.get(inode, NEW_FILE_MODE))
            for path, inode in sorted(names.items())
            if path.parent in folders or path.parent == self.root
        }
        return Image(files, frozenset(folders))

    def _first_modes(self) -> dict[int, int]:
        return {self._first_names[path]: mode for path, (_, mode) in self._before.files.items()}

    def _surviving_names(self, cut: Cut, dice: random.Random) -> list[_Name]:
        made = [name for name in self._names if name.begin < cut.at]
        safe = [name.safe[cut.grade] < cut.at for name in made]
        if cut.survival == "drop":
            return [name for name, is_safe in zip(made, safe, strict=True) if is_safe]
        if cut.grade == "journaled":
            return made[: dice.randint(sum(safe), len(made))]
        return [name for name, is_safe in zip(made, safe, strict=True) if is_safe or dice.random() < 0.5]

    def _surviving_content(self, inode: int, cut: Cut, dice: random.Random) -> bytes:
        content = bytearray(self._base[inode])
        for change in self._contents.get(inode, ()):
            if change.begin >= cut.at:
                break
            is_safe = change.safe["strict"] < cut.at
            if not is_safe and cut.survival == "drop":
                continue
            if change.data is None:
                if is_safe or dice.random() < 0.5:
                    _resize(content, change.offset)
            elif is_safe or not cut.sector:
                if is_safe or dice.random() < 0.5:
                    _put(content, change.offset, change.data)
            else:
                for offset, piece in _sectors(change.offset, change.data, cut.sector):
                    if dice.random() < 0.5:
                        _put(content, offset, piece)
        return bytes(content)


def _put(content: bytearray, offset: int, data: bytes) -> None:
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def _resize(content: bytearray, size: int) -> None:
    del content[size:]
    content.extend(bytes(size - len(content)))


def _sectors(offset: int, data: bytes, sector: int) -> Iterable[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        end = min(len(data), at + sector - (offset + at) % sector)
        yield offset + at, data[at:end]
        at = end
