"""When a gateway's newest head is recorded by the hub: once a minute, and the last before it falls silent. Pure."""

from __future__ import annotations

from typing import Final

from cultureops.clock import MINUTE_MS, SECOND_MS, Instant
from cultureops.ledger.signed_head import SignedHead

__all__ = ["EVERY_MS", "SILENT_MS", "HeadWatch"]

EVERY_MS: Final = MINUTE_MS
SILENT_MS: Final = 15 * SECOND_MS


class HeadWatch:
    """Remembers which head was recorded last, and when."""

    def __init__(self) -> None:
        self._recorded: SignedHead | None = None
        self._recorded_at: Instant | None = None

    def due(self, newest: SignedHead | None, heard_at: Instant | None, now: Instant) -> SignedHead | None:
        """Return the newest verified head where it is to be recorded now, of a gateway last heard at ``heard_at``."""
        if newest is None or newest == self._recorded:
            return None
        is_silent = heard_at is None or abs(now - heard_at) >= SILENT_MS
        is_time = self._recorded_at is None or abs(now - self._recorded_at) >= EVERY_MS
        return newest if is_silent or is_time else None

    def recorded(self, head: SignedHead, now: Instant) -> None:
        """Hear that a head was recorded."""
        self._recorded, self._recorded_at = head, now
