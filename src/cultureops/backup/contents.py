"""What of a data folder belongs into a backup."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cultureops.ledger.keys import KEYS_FOLDER
from cultureops.ledger.origins import ORIGINS_FOLDER
from cultureops.ledger.pointer import POINTER_FILE
from cultureops.recording import LEDGER_FILE, MOVED, SCRATCH_FOLDER, TELEMETRY_FOLDER

__all__ = ["DATA", "SITE", "Survey", "is_cursor", "is_key", "survey"]

DATA: Final = "data"
SITE: Final = "site"
"""The two folders of a backup: what lies in the data folder, and the site file with what lies beside it."""
_LOGS: Final = ("-wal", "-shm", "-journal")
"""Ends of names of what lies beside a database while a program has it open; its copy has all of it."""
_PASSING: Final = (".lock", ".new", ".tmp")
"""Ends of names of files that mean nothing without the program that has them open."""
_KEY_ENDS: Final = (".key", ".pem")


class Survey:
    """The files of a data folder, by relative path with slashes: what is copied, what is secret, what is neither."""

    def __init__(self) -> None:
        self.plain: list[str] = []
        self.keys: list[str] = []
        self.left_out: list[str] = []

    def take(self, name: str, mode: int) -> None:
        """Sort one file in."""
        if name.endswith(_PASSING) or name.startswith(f"{SCRATCH_FOLDER}/"):
            return
        if not stat.S_ISREG(mode):
            self.left_out.append(f"{name}: no plain file")
        elif is_key(name):
            self.keys.append(name)
        elif name == POINTER_FILE:
            self.left_out.append(f"{name}: names the database of the ledger, which is here as {LEDGER_FILE}")
        elif MOVED in name:
            self.left_out.append(f"{name}: was moved elsewhere and is no longer in use")
        elif name != LEDGER_FILE and not name.startswith(f"{TELEMETRY_FOLDER}/"):
            self.plain.append(name)


def is_key(name: str) -> bool:
    """Whether a file holds a secret key: it goes into no backup, only into a file of its own that somebody asks for."""
    first, *_ = name.split("/")
    return first == KEYS_FOLDER or name.endswith(_KEY_ENDS)


def is_cursor(name: str) -> bool:
    """Whether a file says how far a gateway's readings are in the store: it must never be newer than that."""
    return name.startswith(f"{ORIGINS_FOLDER}/") and name.endswith(".json")


def survey(data_dir: Path) -> Survey:
    """Look through a data folder; links are not followed. Ledger and telemetry are not listed. Raises OSError."""
    found = Survey()
    files = set(_walk(data_dir))
    for path in sorted(files):
        if not any(path.name.endswith(end) and path.with_name(path.name.removesuffix(end)) in files for end in _LOGS):
            found.take(path.relative_to(data_dir).as_posix(), path.lstat().st_mode)
    return found


def _walk(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path))
            else:
                yield Path(entry.path)
