"""A small file that is replaced whole: after a power cut it holds what it held before, or what it holds now."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

__all__ = ["replace_file", "sync_folder"]

_UNFINISHED: Final = ".new"


def replace_file(path: Path, text: str, mode: int = 0o666) -> None:
    """Replace what a file holds, durable when it returns; ``mode`` is of a new file. Raises OSError."""
    unfinished = path.with_name(f"{path.name}{_UNFINISHED}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
