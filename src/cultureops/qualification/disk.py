"""What can be told of the disk under a folder: its file system, and whether it takes writes to the end."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Final

__all__ = ["REMOTE", "VOLATILE", "file_system", "sync_times_ms"]

VOLATILE: Final = frozenset({"tmpfs", "ramfs"})
REMOTE: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p"})
_TRIES: Final = 5
_UNKNOWN: Final = ("unknown", "unknown")


def file_system(folder: Path, mounts: Path = Path("/proc/self/mountinfo")) -> tuple[str, str]:
    """Return the kind of file system under a folder and what it is made on. Source: proc(5), mountinfo."""
    place, best, found = folder.resolve(), -1, _UNKNOWN
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return _UNKNOWN
    for line in lines:
        before, _, behind = line.partition(" - ")
        fields, kinds = before.split(), behind.split()
        if len(fields) < 5 or len(kinds) < 2:
            continue
        point = Path(fields[4].replace("\\040", " "))
        if place.is_relative_to(point) and len(point.parts) >= best:
            best, found = len(point.parts), (kinds[0], kinds[1])
    return found


def sync_times_ms(folder: Path) -> list[float]:
    """Write, sync, rename and sync again a few times and return how long each took [ms]; raises OSError."""
    taken = []
    with tempfile.TemporaryDirectory(prefix=".qualify-", dir=folder) as scratch:
        for number in range(_TRIES):
            began = time.perf_counter()
            file = Path(scratch) / f"{number}.new"
            with file.open("wb") as written:
                written.write(os.urandom(4096))
                written.flush()
                os.fsync(written.fileno())
            file.rename(file.with_suffix(".done"))
            descriptor = os.open(scratch, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            taken.append(1000 * (time.perf_counter() - began))
    return taken
