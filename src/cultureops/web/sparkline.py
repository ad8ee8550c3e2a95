"""A small line of the last hours, drawn on the server as SVG. Pure."""

from __future__ import annotations

import numpy as np

from cultureops.telemetry import Buckets

__all__ = ["sparkline"]

WIDTH, HEIGHT, MARGIN = 168, 36, 3


def sparkline(buckets: Buckets, decimals: int) -> str:
    """Draw minimum to maximum of each stretch; where there was no value the line has a hole.

    The band is at least ten times the channel's resolution high, so that noise in the last digit looks like noise.
    """
    good = buckets.count > 0
    if not good.any():
        return ""
    low, high = float(np.nanmin(buckets.minimum)), float(np.nanmax(buckets.maximum))
    spread = max(high - low, 10 * 10.0**-decimals)
    middle = (high + low) / 2
    x = np.linspace(MARGIN, WIDTH - MARGIN, len(good))

    def y(values: np.ndarray) -> np.ndarray:
        return HEIGHT / 2 - (values - middle) / spread * (HEIGHT - 2 * MARGIN)

    paths: list[str] = []
    for begin, end in _stretches(good):
        top, bottom, line = y(buckets.maximum[begin:end]), y(buckets.minimum[begin:end]), y(buckets.mean[begin:end])
        outline = [*zip(x[begin:end], top, strict=True), *zip(x[begin:end][::-1], bottom[::-1], strict=True)]
        paths.append(f'<path class="band" d="{_path(outline)}Z"/>')
        paths.append(f'<path class="mean" d="{_path(list(zip(x[begin:end], line, strict=True)))}"/>')
    said = f"last hours between {low:.{decimals}f} and {high:.{decimals}f}"
    frame = f'viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{said}"'
    return f'<svg class="spark" {frame}><title>{said}</title>{"".join(paths)}</svg>'


def _stretches(good: np.ndarray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], good, [False])).astype(np.int8)))
    return [(int(begin), int(end)) for begin, end in edges.reshape(-1, 2)]


def _path(points: list[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
