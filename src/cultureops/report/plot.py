"""Line plots as SVG for paper: black on white, told apart by dash and marker, the same bytes for the same data. Pure.

Names of people or things never enter a plot as drawn text: captions stand beside it, in fonts that can show them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from cultureops.clock import DAY_MS, HOUR_MS, Instant

__all__ = ["Line", "Plot", "Span", "svg"]

Span: TypeAlias = tuple[Instant, Instant]

WIDTH, HEIGHT = 482.0, 106.0
LEFT, RIGHT, TOP, BOTTOM = 40.0, 6.0, 12.0, 18.0
FLAT_SHARE: Final = 0.1
"""How much room is left above and below what is drawn."""
MOST_TICKS: Final = 10
DASHES: Final = {"solid": "", "dashed": "4 2.5", "dotted": "1 2"}
_STEPS_MS: Final = (
    *(hours * HOUR_MS for hours in (1, 2, 3, 6, 12)),
    *(days * DAY_MS for days in (1, 2, 3, 5, 7, 14, 28, 56, 112)),
)


@dataclass(frozen=True, slots=True)
class Line:
    """Values over time [ms UTC]; None is a hole. ``low`` and ``high`` are a band around them, of the same length.

    ``marker`` is ``""``, ``circle``, ``square`` or ``triangle``; ``dash`` a key of DASHES, or ``none`` for no line.
    """

    x: Sequence[Instant]
    y: Sequence[float | None]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    dash: str = "solid"
    marker: str = ""


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot from ``start`` to ``end`` [ms UTC], shown in ``zone``.

    ``title`` and ``description`` are its alternative text; ``limits`` are dashed lines, ``shaded`` hatched stretches
    (alarms), ``ticks`` stretches marked at the foot (doors). The axis spans ``at_least`` so much, so that noise in the
    last digit looks like noise.
    """

    title: str
    description: str
    unit: str
    start: Instant
    end: Instant
    zone: ZoneInfo
    lines: Sequence[Line]
    limits: Sequence[float] = ()
    shaded: Sequence[Span] = ()
    ticks: Sequence[Span] = ()
    is_log: bool = False
    at_least: float = 0.0


def svg(plot: Plot) -> str:
    """Return a plot as SVG, 482 x 106 units, in ASCII whatever it says; one without any value says so."""
    parts = (part for line in plot.lines for part in (line.y, line.low, line.high))
    values = [value for part in parts for value in part if value is not None and _fits(value, plot.is_log)]
    body = _drawn(plot, values) if values else _text(WIDTH / 2, HEIGHT / 2, "no value", "middle")
    drawn = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" '
        f'font-family="Libertinus Serif" font-size="7.5"><title>{_plain(plot.title)}</title>'
        f"<desc>{_plain(plot.description)}</desc>"
        '<defs><pattern id="hatch" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<rect width="4" height="4" fill="#f0d9d7"/><path d="M0 0V4" stroke="#a3261d" stroke-width="0.8"/></pattern>'
        f"</defs>{body}</svg>"
    )
    return drawn.encode("ascii", "xmlcharrefreplace").decode()


def _plain(words: str) -> str:
    """Escape a text for XML, which has no way to write control characters."""
    return escape("".join(char if char.isprintable() else f"<U+{ord(char):04X}>" for char in words))


def _fits(value: float, is_log: bool) -> bool:
    return math.isfinite(value) and (value > 0 or not is_log)


def _drawn(plot: Plot, values: Sequence[float]) -> str:
    low, high = _range(plot, values)
    x = _scale(plot.start, max(plot.end, plot.start + 1), LEFT, WIDTH - RIGHT)
    forth = math.log10 if plot.is_log else float
    y = _scale(forth(low), forth(high), HEIGHT - BOTTOM, TOP)

    def up(value: float) -> float:
        return y(forth(value))

    parts = [_hatched(x, plot, span) for span in plot.shaded]
    parts += [_grid(up(value), _number(value)) for value in _values(low, high, plot.is_log)]
    parts += [_time(x(at), words) for at, words in _times(plot)]
    parts += [_limit(up(limit)) for limit in plot.limits if low <= limit <= high]
    for line in plot.lines:
        parts += _line(line, x, up, plot.is_log)
    parts += [_tick(x, plot, span) for span in plot.ticks]
    frame = f'<path d="M{LEFT:g} {TOP:g}V{HEIGHT - BOTTOM:g}H{WIDTH - RIGHT:g}" fill="none" stroke="#1b2a33"/>'
    return "".join([*parts, frame, _text(LEFT, TOP - 4, plot.unit, "start")])


def _range(plot: Plot, values: Sequence[float]) -> tuple[float, float]:
    shown = [*values, *(limit for limit in plot.limits if _fits(limit, plot.is_log))]
    low, high = min(shown), max(shown)
    if plot.is_log:
        return 10 ** math.floor(math.log10(low)), 10 ** max(
            math.ceil(math.log10(high)), math.floor(math.log10(low)) + 1
        )
    spread = max(high - low, plot.at_least, abs(high) * 1e-6, 1e-9)
    middle = (low + high) / 2
    room = spread * (0.5 + FLAT_SHARE)
    return middle - room, middle + room


def _scale(low: float, high: float, first: float, last: float) -> Callable[[float], float]:
    return lambda value: first + (value - low) / (high - low) * (last - first)


def _values(low: float, high: float, is_log: bool) -> list[float]:
    """Return where lines of the grid are drawn: powers of ten, or three to six round steps."""
    if is_log:
        return [10.0**power for power in range(round(math.log10(low)), round(math.log10(high)) + 1)]
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    return [round(step * n, 9) for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _number(value: float) -> str:
    if value >= 1e5 and math.isclose(value, 10 ** round(math.log10(value))):
        return f"10{str(round(math.log10(value))).translate(_RAISED)}"
    return f"{value:g}".replace("-", "−")


_RAISED: Final = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def _times(plot: Plot) -> list[tuple[Instant, str]]:
    """Return the ticks of the time axis: whole hours or days of the zone, with the year where it begins."""
    span = max(plot.end - plot.start, HOUR_MS)
    step = next((step for step in _STEPS_MS if span / step <= MOST_TICKS), _STEPS_MS[-1])
    midnight = datetime.fromtimestamp(plot.start / 1000, UTC).astimezone(plot.zone).replace(
        hour=0, minute=0, second=0, microsecond=0
    )  # fmt: skip
    found: list[tuple[Instant, str]] = []
    for count in range(MOST_TICKS + DAY_MS // min(step, DAY_MS) + 1):
        at = _after(midnight, step * count)
        if plot.start <= at <= plot.end:
            local = datetime.fromtimestamp(at / 1000, UTC).astimezone(plot.zone)
            day = local.strftime("%m-%d" if found else "%Y-%m-%d")
            hour = f"{local:%H:%M}" if found else f"{day} {local:%H:%M}"
            found.append((at, day if step >= DAY_MS else hour))
    return found


def _after(midnight: datetime, step_ms: int) -> Instant:
    """Return a later midnight of the zone, whatever its clocks have done meanwhile, or so many hours after one."""
    if step_ms % DAY_MS:
        return round(midnight.timestamp() * 1000) + step_ms
    return round((midnight + timedelta(milliseconds=step_ms)).timestamp() * 1000)


def _line(line: Line, x: Callable[[float], float], up: Callable[[float], float], is_log: bool) -> list[str]:
    parts = []
    for run in _runs(is_log, line.x, line.low, line.high) if line.low and line.high else ():
        if line.marker:
            parts += [_whisker(x(at), up(low), up(high)) for at, low, high in run]
        else:
            edge = [(x(at), up(high)) for at, _, high in run] + [(x(at), up(low)) for at, low, _ in reversed(run)]
            parts.append(f'<path d="{_path(edge)}Z" fill="#c9d2d8"/>')
    for run in _runs(is_log, line.x, line.y):
        drawn = [(x(at), up(value)) for at, value in run]
        if line.dash != "none" and len(drawn) > 1:
            dash = f' stroke-dasharray="{DASHES[line.dash]}"' if DASHES[line.dash] else ""
            parts.append(f'<path d="{_path(drawn)}" fill="none" stroke="#1b2a33" stroke-width="0.9"{dash}/>')
        elif line.dash != "none" and not line.marker:
            parts.append(f'<circle cx="{drawn[0][0]:.1f}" cy="{drawn[0][1]:.1f}" r="0.8" fill="#1b2a33"/>')
        parts += [_marker(line.marker, *point) for point in drawn if line.marker]
    return parts


def _runs(is_log: bool, x: Sequence[Instant], *columns: Sequence[float | None]) -> list[list[tuple[float, ...]]]:
    """Return the stretches of rows (time, values) in which every value can be drawn."""
    runs: list[list[tuple[float, ...]]] = [[]]
    for at, *values in zip(x, *columns, strict=True):
        row = [value for value in values if value is not None and _fits(value, is_log)]
        if len(row) == len(values):
            runs[-1].append((at, *row))
        else:
            runs.append([])
    return [run for run in runs if run]


def _path(points: Iterable[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _marker(kind: str, x: float, y: float) -> str:
    shape = {
        "circle": f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2"',
        "square": f'<rect x="{x - 1.8:.1f}" y="{y - 1.8:.1f}" width="3.6" height="3.6"',
        "triangle": f'<path d="M{x:.1f} {y - 2.3:.1f}l2.2 3.9h-4.4z"',
    }[kind]
    return f'{shape} fill="white" stroke="#1b2a33" stroke-width="0.9"/>'


def _whisker(x: float, low: float, high: float) -> str:
    return (
        f'<path d="M{x:.1f} {low:.1f}V{high:.1f}M{x - 2:.1f} {low:.1f}h4M{x - 2:.1f} {high:.1f}h4" stroke="#1b2a33"/>'
    )


def _grid(y: float, words: str) -> str:
    line = f'<path d="M{LEFT:g} {y:.1f}H{WIDTH - RIGHT:g}" stroke="#e3e8eb" stroke-width="0.5"/>'
    return line + _text(LEFT - 3, y + 2.4, words, "end")


def _limit(y: float) -> str:
    dash = DASHES["dashed"]
    return f'<path d="M{LEFT:g} {y:.1f}H{WIDTH - RIGHT:g}" stroke="#a3261d" stroke-dasharray="{dash}"/>'


def _time(x: float, words: str) -> str:
    anchor = "middle" if LEFT + 20 < x < WIDTH - 24 else "start" if x <= LEFT + 20 else "end"
    foot = HEIGHT - BOTTOM
    return f'<path d="M{x:.1f} {foot:g}v3" stroke="#1b2a33"/>' + _text(x, foot + 10, words, anchor)


def _stretch(x: Callable[[float], float], plot: Plot, span: Span, least: float) -> tuple[float, float]:
    left = x(min(max(span[0], plot.start), plot.end))
    return left, max(x(min(max(span[1], plot.start), plot.end)) - left, least)


def _hatched(x: Callable[[float], float], plot: Plot, span: Span) -> str:
    left, width = _stretch(x, plot, span, 1.0)
    return (
        f'<rect x="{left:.1f}" y="{TOP:g}" width="{width:.1f}" height="{HEIGHT - TOP - BOTTOM:g}" fill="url(#hatch)"/>'
    )


def _tick(x: Callable[[float], float], plot: Plot, span: Span) -> str:
    left, width = _stretch(x, plot, span, 0.6)
    return f'<rect x="{left:.1f}" y="{HEIGHT - BOTTOM - 5:g}" width="{width:.1f}" height="5" fill="#5b6b75"/>'


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="#1b2a33">{escape(words)}</text>'
