"""Stretches without a value, as people read them: one row for what a device lost at once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from cultureops.clock import Instant
from cultureops.device.channel import ChannelId
from cultureops.web.context import WebContext
from cultureops.web.templating import title

__all__ = ["GapRow", "gap_rows"]


@dataclass(frozen=True, slots=True)
class GapRow:
    """A stretch in which a device gave no value for some of its channels; ``to_ms`` is None while it lasts."""

    device: str
    titles: tuple[str, ...]
    from_ms: Instant
    to_ms: Instant | None
    reason: str


async def gap_rows(
    context: WebContext, channels: Collection[ChannelId], start: Instant, end: Instant
) -> tuple[GapRow, ...]:
    """Return the gaps of these channels that touch ``start..end``, the newest first."""
    gathered: dict[tuple[str, Instant, Instant | None, str], list[str]] = {}
    for gap in await context.store.gaps(start, end, channels):
        row = context.channels[gap.channel]
        key = (row.device, gap.from_ms, gap.to_ms, gap.reason.text)
        gathered.setdefault(key, []).append(title(row.channel.name))
    rows = (
        GapRow(device, tuple(titles), begin, until, reason)
        for (device, begin, until, reason), titles in gathered.items()
    )
    return tuple(sorted(rows, key=lambda row: (-row.from_ms, row.device)))
