"""The straight line through the samples of a sliding window, O(1) amortised a sample."""

from __future__ import annotations

from collections import deque

from cultureops.clock import MINUTE_MS, Instant

__all__ = ["SlidingSlope"]

_LEAST_SAMPLES = 3


class SlidingSlope:
    """Least-squares slope over the last ``window_ms``, from sums of which old samples are taken out again.

    The sums are of times and values relative to an anchor, and are built anew from the samples once that is a window
    behind the oldest of them: so rounding errors never pile up, and no sample is summed more than twice.
    """

    __slots__ = ("_anchor_at", "_anchor_value", "_samples", "_st", "_stt", "_stx", "_sx", "_window_ms")

    def __init__(self, window_ms: int) -> None:
        self._window_ms = window_ms
        self._samples: deque[tuple[Instant, float]] = deque()
        self._anchor_at: Instant = 0
        self._anchor_value = 0.0
        self._st = self._stt = self._sx = self._stx = 0.0

    def clear(self) -> None:
        """Start anew."""
        self._samples.clear()

    def add(self, at: Instant, value: float) -> None:
        """Take the newest sample (time in ms UTC) and let go of the old; a time set back starts the window anew."""
        samples = self._samples
        if samples and at < samples[-1][0]:
            samples.clear()
        if not samples:
            samples.append((at, value))
            self._anchor()
            return
        samples.append((at, value))
        self._sum(at, value, 1.0)
        start = at - self._window_ms
        while samples[0][0] < start:
            self._sum(*samples.popleft(), -1.0)
        if samples[0][0] - self._anchor_at > self._window_ms:
            self._anchor()

    def _anchor(self) -> None:
        self._anchor_at, self._anchor_value = self._samples[0]
        self._st = self._stt = self._sx = self._stx = 0.0
        for at, value in self._samples:
            self._sum(at, value, 1.0)

    def _sum(self, at: Instant, value: float, sign: float) -> None:
        minutes, rise = (at - self._anchor_at) / MINUTE_MS, value - self._anchor_value
        signed = sign * minutes
        self._st += signed
        self._stt += signed * minutes
        self._sx += sign * rise
        self._stx += signed * rise

    def per_minute(self, least_span_ms: float) -> float | None:
        """Return the slope [unit/min]; None below three samples or while they span less than ``least_span_ms``."""
        samples = self._samples
        count = len(samples)
        if count < _LEAST_SAMPLES or samples[-1][0] - samples[0][0] < least_span_ms:
            return None
        spread = count * self._stt - self._st * self._st
        if spread <= 0.0:
            return None
        return (count * self._stx - self._st * self._sx) / spread
