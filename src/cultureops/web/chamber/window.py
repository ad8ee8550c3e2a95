"""The stretch of time that a page or a chart shows, as its address asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, Instant, iso
from cultureops.errors import ConfigError
from cultureops.web.form.local_time import instant_of

__all__ = ["LONGEST_MS", "SPANS", "Window", "window_of"]

SPANS: Final[Mapping[str, int]] = {
    "10m": 10 * MINUTE_MS,
    "1h": HOUR_MS,
    "6h": 6 * HOUR_MS,
    "24h": DAY_MS,
    "7d": 7 * DAY_MS,
    "30d": 30 * DAY_MS,
    "60d": 60 * DAY_MS,
}
"""Windows that end now and go on with it, by name."""
SHORTEST_MS: Final = 1_000
LONGEST_MS: Final = 400 * DAY_MS
LAST: Final = 221_845_392_000_000
"""The year 9000: what lies beyond can't be written in every zone."""
_DIGITS: Final = 17


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time [ms UTC], the end not included; ``span`` names one that ends now, empty for a fixed one."""

    start: Instant
    end: Instant
    span: str = ""

    @property
    def length_ms(self) -> int:
        """How long it is [ms]."""
        return self.end - self.start

    @property
    def query(self) -> str:
        """How an address asks for it."""
        return urlencode({"span": self.span} if self.span else {"from": iso(self.start), "to": iso(self.end)})

    def moved(self, share: float, now: Instant) -> Window:
        """Return the window a share of its length later, but not beyond now."""
        by = min(round(share * self.length_ms), max(0, now - self.end))
        return Window(max(0, self.start + by), max(SHORTEST_MS, self.end + by))

    def zoomed(self, factor: float, now: Instant) -> Window:
        """Return a window so many times as long about the same middle, or ending now where it would go beyond."""
        length = min(LONGEST_MS, max(SHORTEST_MS, round(factor * self.length_ms)))
        end = min(self.start + (self.length_ms + length) // 2, max(now, self.end))
        start = max(0, end - length)
        return Window(start, max(end, start + SHORTEST_MS))


def window_of(start: str, end: str, span: str, now: Instant, zone: ZoneInfo) -> Window:
    """Return the window that is asked for: from and to (ms UTC, or ISO 8601, the site's time where no offset is said),
    else a named span that ends now.

    Raises ConfigError in words for what is no window.
    """
    if not start.strip() and not end.strip():
        if span not in SPANS:
            raise ConfigError(f"span {span[:20]!r} is none of {', '.join(SPANS)}")
        return Window(max(0, now - SPANS[span]), now, span)
    first, last = _instant(start, zone, "from"), _instant(end, zone, "to")
    if first is None:
        raise ConfigError("from: say where the window begins, or choose a span")
    last = now if last is None else last
    if last > LAST or last - first < SHORTEST_MS:
        raise ConfigError("to: expected a time at least a second after from, and before the year 9000")
    if last - first > LONGEST_MS:
        raise ConfigError(f"a window of at most {LONGEST_MS // DAY_MS} days can be shown; choose a shorter one")
    return Window(first, last)


def _instant(text: str, zone: ZoneInfo, name: str) -> Instant | None:
    if (digits := text.strip()).isascii() and digits.isdigit() and len(digits) <= _DIGITS:
        return int(digits)
    return instant_of(text, zone, name)
