"""What the operating system knows of the disk under a folder; what it knows of its clock is in ``kernel_clock``."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from cultureops.kernel_clock import ClockState, ClockStateReader, kernel_clock

__all__ = ["ClockState", "ClockStateReader", "DiskReader", "DiskSpace", "FileSystem", "disk_space", "kernel_clock"]

_GIGABYTE: Final = 1e9


class FileSystem(Protocol):
    """What statvfs(3) says, as far as it is asked here; sizes count ``f_frsize`` bytes."""

    @property
    def f_frsize(self) -> int:
        """Size of a block [bytes]."""
        ...

    @property
    def f_blocks(self) -> int:
        """How many blocks there are."""
        ...

    @property
    def f_bavail(self) -> int:
        """How many of them a program without privileges may still use."""
        ...


@dataclass(frozen=True, slots=True)
class DiskSpace:
    """What is left on a file system for a program without privileges: [10^9 bytes], and [%] of the whole."""

    free_gb: float
    free_pct: float


DiskReader: TypeAlias = Callable[[Path], DiskSpace]


def disk_space(folder: Path, ask: Callable[[Path], FileSystem] = os.statvfs) -> DiskSpace:
    """Return what is left where a folder lies; may block, and raises OSError. Source: statvfs(3)."""
    found = ask(folder)
    share = found.f_bavail / found.f_blocks if found.f_blocks else 0.0
    return DiskSpace(found.f_bavail * found.f_frsize / _GIGABYTE, 100 * share)
