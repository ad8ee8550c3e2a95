"""Do readings become durable? Counted from what was handed to the store and what it says it has."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

__all__ = ["Durability"]

PATIENCE_S: Final = 60.0
"""How long a reading may be on its way to the disk: a thousand commits at the usual pace [OWN]."""
WRITTEN_OFF_S: Final = 600.0
"""What is missing for so long is lost for good: it has been told, and must not hide the next loss [OWN]."""


class Durability:
    """Compares what was accepted with what is durable; counts are those of this run, times are monotonic [s].

    Counts do not tell one reading from another: what becomes durable while new ones come may be old or new. So a look
    after a quiet moment is believed before others; where there is none for a minute, a loss shows once it is greater
    than what comes between two looks. A store that says that it fails is not silent, and what it gives up meanwhile is
    not counted here a second time.
    """

    def __init__(self) -> None:
        self._looks: deque[tuple[float, int, bool]] = deque()
        self._accepted_before: int | None = None
        self._known_missing = 0

    def missing(self, accepted: int, durable: int, at: float, *, is_failing: bool) -> int:
        """Return how many readings were not durable throughout the last minute; call about once a second."""
        # What is durable was accepted: nothing can be ahead, so that an offset of the counts shows as one.
        self._known_missing = min(self._known_missing, accepted - durable)
        before, self._accepted_before = self._accepted_before, accepted
        if is_failing or before is None:
            self._known_missing = accepted - durable
            self._looks.clear()
            return 0
        self._looks.append((at, before - durable, before == accepted))
        while self._looks[0][0] < at - WRITTEN_OFF_S:
            self._looks.popleft()
        seen_s = at - self._looks[0][0]
        if seen_s >= WRITTEN_OFF_S:
            self._known_missing = max(self._known_missing, _behind(self._looks))
        if seen_s < PATIENCE_S:
            return 0
        lately = [look for look in self._looks if look[0] >= at - PATIENCE_S]
        return max(0, _behind(lately) - self._known_missing)


def _behind(looks: Iterable[tuple[float, int, bool]]) -> int:
    """Return what was behind throughout, by the quiet looks where there are any."""
    every = list(looks)
    return min([behind for _, behind, is_quiet in every if is_quiet] or [behind for _, behind, _ in every])
