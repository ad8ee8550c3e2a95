"""Stretches of BAD readings: where a channel had no value, and why. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cultureops.clock import Instant
from cultureops.telemetry.points import Points

__all__ = ["Run", "runs_of"]


@dataclass(frozen=True, slots=True)
class Run:
    """BAD readings in a row with one reason; ``to_ms`` is the next other reading's time, None when there is none."""

    from_ms: Instant
    to_ms: Instant | None
    reason: int


def runs_of(points: Points) -> list[Run]:
    """Return the runs among readings in ascending order."""
    if not points.source_ms.size:
        return []
    state = np.where(points.bad, points.reason.astype(np.int64), -1)
    starts = np.flatnonzero(np.append(True, state[1:] != state[:-1]))
    ends = np.append(starts[1:], -1)
    return [
        Run(int(points.source_ms[start]), None if end < 0 else int(points.source_ms[end]), int(state[start]))
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
        if state[start] >= 0
    ]
