"""A small line of the last hours, drawn on the server as SVG; a board with five hundred of them is one short page."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from markupsafe import Markup

from cultureops.acquisition.recent import Recent
from cultureops.acquisition.supervisor import MeasuredChannel
from cultureops.clock import Instant
from cultureops.device.channel import ChannelId

__all__ = ["Sparklines", "sparkline"]

HEIGHT: Final = 36
"""Of the drawing, in whole steps: what is drawn twice as small needs no finer ones."""
MARGIN: Final = 2
STEP: Final = 4
"""The width of one stretch."""


class Sparklines:
    """Draws each channel's last hours once for all who look, until another stretch begins."""

    def __init__(self, recent: Recent) -> None:
        self._recent = recent
        self._drawn: dict[ChannelId, tuple[tuple[int, int], Markup]] = {}

    def of(self, row: MeasuredChannel, now: Instant) -> Markup:
        """Return the drawing of a channel; empty where nothing was read."""
        hours = self._recent.last_hours(row.id, now)
        known = self._drawn.get(row.id)
        if known is None or known[0] != hours.stamp:
            drawn = Markup(sparkline(hours.extremes, row.channel.decimals))  # numbers only
            known = self._drawn[row.id] = hours.stamp, drawn
        return known[1]


def sparkline(extremes: Sequence[tuple[float, float] | None], decimals: int) -> str:
    """Draw least to greatest value of each stretch; where there was no value the line has a hole.

    The drawing is at least ten times the channel's resolution high, so that noise in the last digit looks like noise.
    """
    there = [pair for pair in extremes if pair is not None]
    if not there:
        return ""
    low, high = min(pair[0] for pair in there), max(pair[1] for pair in there)
    scale = (HEIGHT - 2 * MARGIN) / max(high - low, 10 * 10.0**-decimals)
    middle = (high + low) / 2

    def y(value: float) -> int:
        return round(HEIGHT / 2 - (value - middle) * scale)

    drawn: list[str] = []
    outline: list[tuple[int, int]] = []
    for at, pair in enumerate((*extremes, None)):
        if pair is not None:
            outline.append((y(pair[1]), y(pair[0])))
        elif outline:
            drawn.append(_outlined(at - len(outline), outline))
            outline = []
    said = f"last hours between {low:.{decimals}f} and {high:.{decimals}f}"
    frame = f'viewBox="0 0 {STEP * len(extremes)} {HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{said}"'
    return f'<svg class="spark" {frame}><path d="{"".join(drawn)}"/></svg>'


def _outlined(first: int, outline: Sequence[tuple[int, int]]) -> str:
    """Return the path along the greatest values and back along the least; one stretch alone is as wide as it lasts."""
    if len(outline) == 1:
        outline = (*outline, *outline)
    tops, bottoms = [top for top, _ in outline], [bottom for _, bottom in reversed(outline)]
    there = "".join(f"l{STEP} {after - before}" for before, after in pairwise(tops))
    back = "".join(f"l-{STEP} {after - before}" for before, after in pairwise(bottoms))
    return f"M{STEP * first} {tops[0]}{there}v{bottoms[0] - tops[-1]}{back}z"
