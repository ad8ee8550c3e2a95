"""What the operating system knows of the disk under a folder and of its own clock."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TypeAlias

__all__ = ["ClockState", "ClockStateReader", "DiskReader", "DiskSpace", "FileSystem", "disk_space", "kernel_clock"]

STA_UNSYNC: Final = 0x0040
"""The status bit that says that nothing steers the clock; adjtimex(2)."""
_GIGABYTE: Final = 1e9
_MICROSECOND_S: Final = 1e-6


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


@dataclass(frozen=True, slots=True)
class ClockState:
    """Whether anything steers the machine's clock, and how wrong it is at most [s], as the kernel reckons."""

    is_synchronised: bool
    most_error_s: float


DiskReader: TypeAlias = Callable[[Path], DiskSpace]
ClockStateReader: TypeAlias = Callable[[], ClockState | None]


def disk_space(folder: Path, ask: Callable[[Path], FileSystem] = os.statvfs) -> DiskSpace:
    """Return what is left where a folder lies; may block, and raises OSError. Source: statvfs(3)."""
    found = ask(folder)
    share = found.f_bavail / found.f_blocks if found.f_blocks else 0.0
    return DiskSpace(found.f_bavail * found.f_frsize / _GIGABYTE, 100 * share)


class _Timex(ctypes.Structure):
    """``struct timex`` up to what is read here; what follows is room for the kernel to write into."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 512),
    )


def kernel_clock() -> ClockState | None:
    """Return how the kernel's clock stands; None where there is no such call or it is not allowed.

    Asks only (``modes`` 0), which needs no privilege. Source: adjtimex(2), Linux manual pages.
    """
    if not sys.platform.startswith("linux"):
        return None
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return None
    answer = _Timex()
    if adjtimex(ctypes.byref(answer)) < 0:
        return None
    return ClockState(not answer.status & STA_UNSYNC, answer.maxerror * _MICROSECOND_S)
