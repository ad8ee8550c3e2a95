"""How far two clocks are apart, bounded from one exchange, as NTP does it (RFC 5905 section 8). Pure."""

from __future__ import annotations

from dataclasses import dataclass

from cultureops.clock import Instant

__all__ = ["ClockOffset", "Exchange", "clock_offset", "narrower"]


@dataclass(frozen=True, slots=True)
class Exchange:
    """The times of a question and its answer [ms UTC]: the outer two by the gateway's clock, the others by the hub's.

    ``received_at`` is when the hub had the whole question, ``answered_at`` when it began to answer.
    """

    sent_at: Instant
    received_at: Instant
    answered_at: Instant
    returned_at: Instant


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """By how much the gateway's clock is ahead of the hub's [ms; negative: behind], give or take ``uncertainty_ms``."""

    offset_ms: int
    uncertainty_ms: int

    def differs(self, other: ClockOffset, by_ms: int) -> bool:
        """Whether two offsets are surely further apart than ``by_ms``, whatever each may be wrong by."""
        return abs(self.offset_ms - other.offset_ms) - self.uncertainty_ms - other.uncertainty_ms > by_ms

    @property
    def least_ms(self) -> int:
        """How far the clocks are apart at least [ms, >= 0], whichever way."""
        return max(0, abs(self.offset_ms) - self.uncertainty_ms)


def clock_offset(exchange: Exchange) -> ClockOffset | None:
    """Bound the offset; None where a clock was set back meanwhile, so that the times say nothing.

    The true offset is never further from ``offset_ms`` than ``uncertainty_ms``, however unequal the two ways were.
    """
    way_there, way_back = exchange.received_at - exchange.sent_at, exchange.returned_at - exchange.answered_at
    under_way_ms = way_there + way_back
    if under_way_ms < 0 or exchange.answered_at < exchange.received_at:
        return None
    return ClockOffset(round((way_back - way_there) / 2), (under_way_ms + 1) // 2 + 1)


def narrower(known: ClockOffset | None, found: ClockOffset) -> ClockOffset:
    """Return which of two offsets to believe: the narrower one, unless they can't both be true; then the newer."""
    if known is None or found.uncertainty_ms <= known.uncertainty_ms or found.differs(known, 0):
        return found
    return known
