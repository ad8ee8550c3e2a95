"""Which readings are meant: channels, each over one or more stretches of time, walked day by day. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cultureops.clock import DAY_MS, Instant
from cultureops.device.channel import ChannelId

__all__ = ["Piece", "Selection", "Span"]

Span = tuple[Instant, Instant]
"""From an instant until just before another [ms UTC]."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One channel within one UTC day: ``start <= source time < end``; ``day`` counts from 1970."""

    channel: ChannelId
    day: int
    start: Instant
    end: Instant


@dataclass(frozen=True, slots=True)
class Selection:
    """Channels with their stretches; those of a channel are in order and do not touch."""

    spans: Mapping[ChannelId, tuple[Span, ...]]

    @classmethod
    def of(cls, spans: Mapping[ChannelId, Sequence[Span]]) -> Selection:
        """Join stretches that overlap or touch; empty ones are left out."""
        joined = {channel: _joined(own) for channel, own in spans.items()}
        return cls({channel: joined[channel] for channel in sorted(joined) if joined[channel]})

    def within(self, start: Instant, end: Instant) -> Selection:
        """Return the part of it in ``start <= source time < end``."""
        return Selection.of(
            {channel: [(max(a, start), min(b, end)) for a, b in own] for channel, own in self.spans.items()}
        )

    def pieces(self) -> Iterator[Piece]:
        """Yield it day by day, the channels of a day by name."""
        first = min((own[0][0] for own in self.spans.values()), default=0)
        last = max((own[-1][1] for own in self.spans.values()), default=0)
        for day in range(first // DAY_MS, -(-last // DAY_MS)):
            begin, after = day * DAY_MS, (day + 1) * DAY_MS
            for channel, own in self.spans.items():
                for start, end in own:
                    if start < after and end > begin:
                        yield Piece(channel, day, max(start, begin), min(end, after))


def _joined(spans: Sequence[Span]) -> tuple[Span, ...]:
    found: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return tuple(found)
