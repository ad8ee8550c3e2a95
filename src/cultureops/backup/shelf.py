"""The folder in which backups lie: their names, which is the newest, and which may go."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cultureops.backup.manifest import Manifest, read_manifest
from cultureops.clock import DAY_MS, Instant
from cultureops.durable_file import sync_folder
from cultureops.errors import ConfigError, CultureOpsError, StorageError

__all__ = ["GONE", "UNFINISHED", "Kept", "backups_in", "held_shelf", "name_of", "newest", "prune"]

UNFINISHED: Final = ".unfinished"
GONE: Final = ".gone"
_LOCK: Final = ".backup.lock"
_NAME: Final = re.compile(r"backup-\d{8}T\d{6}Z")


@dataclass(frozen=True, slots=True)
class Kept:
    """A backup that is whole by its manifest."""

    folder: Path
    manifest: Manifest
    sha256: str


def name_of(made_at: Instant) -> str:
    """Return the name of a backup made at an instant, as in ``backup-20261121T020000Z``."""
    return f"backup-{datetime.fromtimestamp(made_at // 1000, UTC):%Y%m%dT%H%M%SZ}"


def backups_in(shelf: Path) -> list[Path]:
    """Return the folders that bear a backup's name, oldest first; raises ConfigError where there is no such folder."""
    try:
        names = sorted(name for name in os.listdir(shelf) if _NAME.fullmatch(name))
    except OSError as error:
        raise ConfigError(f"{shelf}: can't be read: {error.strerror}; make the folder, or mount it, first") from None
    return [shelf / name for name in names if (shelf / name).is_dir() and not (shelf / name).is_symlink()]


def newest(shelf: Path) -> Kept | None:
    """Return the newest backup whose manifest can be read; None where there is none."""
    for folder in reversed(backups_in(shelf)):
        try:
            return Kept(folder, *read_manifest(folder))
        except CultureOpsError:
            continue
    return None


@contextmanager
def held_shelf(shelf: Path) -> Iterator[None]:
    """Have a shelf to oneself, and clear away what others left unfinished; raises StorageError or ConfigError."""
    backups_in(shelf)
    try:
        lock = os.open(shelf / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageError(f"{shelf}: can't be written: {error.strerror}; check disk and permissions") from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StorageError(f"{shelf}: another backup is being made there; wait until it is done") from None
        for left in os.listdir(shelf):
            if left.startswith("backup-") and left.endswith((UNFINISHED, GONE)):
                shutil.rmtree(shelf / left)
        yield
    finally:
        os.close(lock)


def prune(shelf: Path, keep: int, keep_d: float, now: Instant) -> tuple[str, ...]:
    """Remove the oldest backups beyond the newest ``keep`` that are older than ``keep_d`` [d]; return their names.

    Only what is whole by its manifest counts and goes: the last good one always stays, and what is damaged stays for
    whoever looks into it. Each loses its name first, so that none is ever half there. Raises OSError.
    """
    removed = []
    for folder in _beyond(_whole(shelf), max(keep, 1), now - round(keep_d * DAY_MS)):
        gone = folder.with_name(folder.name + GONE)
        folder.rename(gone)
        sync_folder(shelf)
        shutil.rmtree(gone)
        removed.append(folder.name)
    return tuple(removed)


def _whole(shelf: Path) -> list[Kept]:
    found = []
    for folder in backups_in(shelf):
        try:
            found.append(Kept(folder, *read_manifest(folder)))
        except CultureOpsError:
            continue
    return found


def _beyond(kept: Sequence[Kept], keep: int, before: Instant) -> list[Path]:
    return [one.folder for one in kept[:-keep] if one.manifest.made_at < before]
