"""The last hours of the quantity that an alarm watches, drawn on the server as a small SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from markupsafe import Markup

from cultureops.alarms.rule import Kind, Rule
from cultureops.clock import DAY_MS, HOUR_MS, Instant
from cultureops.telemetry import Buckets
from cultureops.web.context import WebContext
from cultureops.web.templating import number

__all__ = ["Trend", "draw", "trend_of"]

SPAN_MS: Final = 6 * HOUR_MS
LONGEST_MS: Final = 7 * DAY_MS
POINTS: Final = 240
WIDTH, HEIGHT, MARGIN = 640, 160, 8
_LINES: Final = frozenset({Kind.HIGH, Kind.LOW})


@dataclass(frozen=True, slots=True)
class Trend:
    """A drawing with what a person reads beside it; times are ms UTC, ``low`` and ``high`` the extremes [unit]."""

    svg: Markup
    channel: str
    unit: str
    start: Instant
    end: Instant
    low: str
    high: str
    limit: str


async def trend_of(context: WebContext, rule: Rule, raised_at: Instant | None, now: Instant) -> Trend | None:
    """Return the last hours, from before the alarm was raised; None where the rule watches no stored channel."""
    row = None if rule.channel is None else context.channels.get(rule.channel)
    if row is None:
        return None
    start = now - SPAN_MS if raised_at is None else min(now - SPAN_MS, raised_at - HOUR_MS)
    start = max(start, now - LONGEST_MS, 0)
    buckets = await context.store.buckets(row.id, start, now + 1, POINTS)
    good = buckets.count > 0
    limits = _limits(context, rule)
    decimals = row.channel.decimals
    low, high = (
        ("", "")
        if not good.any()
        else (number(float(np.nanmin(buckets.minimum)), decimals), number(float(np.nanmax(buckets.maximum)), decimals))
    )
    return Trend(
        svg=Markup(draw(buckets, limits, decimals, start, now, raised_at)),  # numbers only
        channel=row.id,
        unit=row.channel.unit,
        start=start,
        end=now,
        low=low,
        high=high,
        limit=" and ".join(number(limit, decimals) for limit in limits),
    )


def _limits(context: WebContext, rule: Rule) -> tuple[float, ...]:
    """Return the limits that can be drawn over the quantity: those of its value, or around its setpoint."""
    if rule.limit is None:
        return ()
    if rule.kind in _LINES:
        return (rule.limit,)
    setpoint = context.store.latest().get(rule.reference or "") if rule.kind is Kind.DEVIATION else None
    if setpoint is None or setpoint.value is None:
        return ()
    return (setpoint.value - rule.limit, setpoint.value + rule.limit)


def draw(
    buckets: Buckets, limits: Sequence[float], decimals: int, start: Instant, end: Instant, since: Instant | None
) -> str:
    """Draw minimum to maximum and mean of each stretch, limits as dashed lines, the time since an alarm as a shade.

    Where there was no value the line has a hole. The picture is stretched to the width it gets: it holds no text.
    """
    good = buckets.count > 0
    if not good.any():
        return ""
    values = [float(np.nanmin(buckets.minimum)), float(np.nanmax(buckets.maximum)), *limits]
    spread = max(max(values) - min(values), 10 * 10.0**-decimals)
    middle = (max(values) + min(values)) / 2
    x = np.linspace(0, WIDTH, len(good))

    def y(value: np.ndarray) -> np.ndarray:
        return HEIGHT / 2 - (value - middle) / spread * (HEIGHT - 2 * MARGIN)

    parts: list[str] = []
    if since is not None and end > start:
        left = max(0.0, (since - start) / (end - start) * WIDTH)
        parts.append(f'<rect class="since" x="{left:.1f}" y="0" width="{WIDTH - left:.1f}" height="{HEIGHT}"/>')
    for begin, stop in _stretches(good):
        top, bottom, line = y(buckets.maximum[begin:stop]), y(buckets.minimum[begin:stop]), y(buckets.mean[begin:stop])
        outline = [*zip(x[begin:stop], top, strict=True), *zip(x[begin:stop][::-1], bottom[::-1], strict=True)]
        parts.append(f'<path class="band" d="{_path(outline)}Z"/>')
        parts.append(f'<path class="mean" d="{_path(list(zip(x[begin:stop], line, strict=True)))}"/>')
    for limit in limits:
        height = float(y(np.array(limit)))
        parts.append(f'<line class="limit" x1="0" x2="{WIDTH}" y1="{height:.1f}" y2="{height:.1f}"/>')
    frame = f'viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true"'
    return f'<svg class="trend" {frame}>{"".join(parts)}</svg>'


def _stretches(good: np.ndarray) -> list[tuple[int, int]]:
    """Return where the stretches begin and end that have values."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], good, [False])).astype(np.int8)))
    return [(int(begin), int(end)) for begin, end in edges.reshape(-1, 2)]


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
