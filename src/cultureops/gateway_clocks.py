"""How far the clocks of gateways are off, on record: at the first contact, when it changes, and daily.

Order within a gateway's log never rests on it; whoever compares times of two nodes finds here what they are worth.
"""

from __future__ import annotations

from typing import Final

from cultureops.clock import DAY_MS, SECOND_MS, Clock, Instant
from cultureops.ledger.event import NewEvent
from cultureops.ledger.store import Ledger
from cultureops.sync import ClockOffset
from cultureops.sync.events import CLOCK_COMPARED, clock_compared, stream_of

__all__ = ["GatewayClocks"]

CHANGED_BY_MS: Final = SECOND_MS
"""A change of this much is recorded [OWN]."""
EVERY_MS: Final = DAY_MS


class GatewayClocks:
    """Takes comparisons as they come and records those that say something new; ``latest`` is each gateway's last."""

    def __init__(self, ledger: Ledger, clock: Clock, origins: tuple[str, ...]) -> None:
        self._ledger, self._clock = ledger, clock
        self.latest: dict[str, ClockOffset] = {}
        self._waiting: dict[str, ClockOffset] = {}
        self._recorded: dict[str, tuple[ClockOffset, Instant]] = {}
        for origin in origins:
            for event in reversed(ledger.read(stream_of(origin))):
                if event.type == CLOCK_COMPARED:
                    offset = ClockOffset(int(str(event.data["offset_ms"])), int(str(event.data["uncertainty_ms"])))
                    self._recorded[origin] = offset, event.occurred_at
                    break

    def take(self, origin: str, offset: ClockOffset) -> None:
        """Take what a greeting brought; never blocks."""
        self.latest[origin] = offset
        recorded = self._recorded.get(origin)
        if recorded is not None:
            known, at = recorded
            is_recent = 0 <= self._clock.now() - at < EVERY_MS
            if is_recent and not known.differs(offset, CHANGED_BY_MS):
                return
        self._waiting[origin] = offset

    async def settle(self) -> None:
        """Record what is to be recorded; raises StorageError and keeps it when it can't be."""
        for origin, offset in tuple(self._waiting.items()):
            fact: NewEvent = clock_compared(origin, offset)
            (event,) = await self._ledger.append(stream_of(origin), [fact], None)
            self._recorded[origin] = offset, event.occurred_at
            if self._waiting.get(origin) is offset:
                del self._waiting[origin]
