"""When the disk will be full if it goes on filling as it did lately."""

from __future__ import annotations

from collections import deque
from typing import Final

__all__ = ["DiskForecast"]

_HOUR_S: Final = 3600.0
_DAY_S: Final = 86_400.0
LOOKS_BACK_S: Final = _DAY_S
NEEDS_S: Final = 6 * _HOUR_S
EVERY_S: Final = 600.0


class DiskForecast:
    """A straight line through what was free at both ends of the last day; times are monotonic [s]."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()

    def note(self, free_gb: float, at: float) -> None:
        """Take how much is free [10^9 bytes]; one look in ten minutes is kept."""
        if self._seen and at - self._seen[-1][0] < EVERY_S:
            return
        self._seen.append((at, free_gb))
        while self._seen[0][0] < at - LOOKS_BACK_S:
            self._seen.popleft()

    def days_left(self) -> float | None:
        """Return the days until nothing is free; None while it does not fill, or was not seen for six hours."""
        if not self._seen:
            return None
        (first_at, first_gb), (last_at, last_gb) = self._seen[0], self._seen[-1]
        if last_at - first_at < NEEDS_S or last_gb >= first_gb:
            return None
        return last_gb / (first_gb - last_gb) * (last_at - first_at) / _DAY_S
