"""What the kernel knows of the quality of its own clock, and what a recorded time is worth by it."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final, TypeAlias

__all__ = ["MOST_ERROR_S", "ClockQuality", "ClockState", "ClockStateReader", "kernel_clock", "quality_of"]

STA_UNSYNC: Final = 0x0040
"""The status bit that says that nothing steers the clock; adjtimex(2)."""
MOST_ERROR_S: Final = 5.0
"""A clock that may be wrong by more counts as one that nothing steers: what an inspector's test lets it drift [OWN]."""
SERVED_ERROR_S: Final = 1.5
"""The kernel adds half a millisecond a second to what the clock may be wrong by, until it is served again: this is
50 min, longer than time services wait between two looks at their server [OWN]."""
_MICROSECOND_S: Final = 1e-6


class ClockQuality(StrEnum):
    """What a recorded time is worth: of a clock that is served, that was served a while ago, or that nothing steers."""

    SYNCED = "synced"
    HOLDOVER = "holdover"
    UNSYNCED = "unsynced"


@dataclass(frozen=True, slots=True)
class ClockState:
    """Whether anything steers the machine's clock, and how wrong it is at most [s], as the kernel reckons."""

    is_synchronised: bool
    most_error_s: float


ClockStateReader: TypeAlias = Callable[[], ClockState | None]


def quality_of(state: ClockState | None) -> ClockQuality:
    """Return what a time is worth; a machine that does not say how its clock stands vouches for nothing."""
    if state is None or not state.is_synchronised or state.most_error_s > MOST_ERROR_S:
        return ClockQuality.UNSYNCED
    return ClockQuality.SYNCED if state.most_error_s <= SERVED_ERROR_S else ClockQuality.HOLDOVER


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


@cache
def _adjtimex() -> Callable[..., int] | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        found: Callable[..., int] = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return None
    return found


def kernel_clock() -> ClockState | None:
    """Return how the kernel's clock stands; None where there is no such call or it is not allowed.

    Asks only (``modes`` 0), which needs no privilege and takes microseconds. Source: adjtimex(2), Linux manual pages.
    """
    if (adjtimex := _adjtimex()) is None:
        return None
    answer = _Timex()
    if adjtimex(ctypes.byref(answer)) < 0:
        return None
    return ClockState(not answer.status & STA_UNSYNC, answer.maxerror * _MICROSECOND_S)
