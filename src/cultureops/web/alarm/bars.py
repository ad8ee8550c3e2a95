"""A small bar for a figure, drawn on the server as SVG; the figure itself stands beside it as text. Pure."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup

__all__ = ["bar"]

WIDTH, HEIGHT = 200, 12
_FRAME: Final = f'viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true"'


def bar(value: float | None, full: float, mark: float | None = None) -> Markup:
    """Draw ``value`` as a part of ``full`` (> 0), with a line where the target lies; nothing for no value."""
    if value is None or full <= 0:
        return Markup()
    length = max(0.0, min(1.0, value / full)) * WIDTH
    drawn = f'<rect class="whole" width="{WIDTH}" height="{HEIGHT}"/><rect class="part" width="{length:.1f}"'
    drawn += f' height="{HEIGHT}"/>'
    if mark is not None and 0 <= mark <= full:
        at = mark / full * WIDTH
        drawn += f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{HEIGHT}"/>'
    return Markup(f'<svg class="share" {_FRAME}>{drawn}</svg>')  # numbers only
