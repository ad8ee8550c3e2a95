"""How long a row of commits took, as every contestant reports it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["each_timed", "summary"]


def each_timed(commit: Callable[[Any], object], work: Iterable[Any]) -> dict[str, float]:
    """Commit one after the other; see ``summary``."""
    clock = time.perf_counter
    ended = [clock()]
    for some in work:
        commit(some)
        ended.append(clock())
    return summary(ended)


def summary(ended: list[float]) -> dict[str, float]:
    """Return seconds in all and the longest wait for one commit, from when it began and when each ended."""
    longest = max(after - before for before, after in itertools.pairwise(ended))
    return {"seconds": ended[-1] - ended[0], "longest_s": longest}
