"""Does a sensor still move when it should."""

from __future__ import annotations

from collections import deque

from cultureops.alarms.measure.extremes import SlidingExtremes
from cultureops.clock import Instant
from cultureops.device.channel import ChannelId

__all__ = ["Stuck"]


class Stuck:
    """1 once a value stood still although something moved that should move it, 0 once it moved; None until either.

    A quiet incubator is rightly flat, so that one criterion is not enough. Stuck: over all of the last ``window_s`` the
    value moved by less than ``least_move`` [its unit], and between the beginning of that window and ``settle_s`` ago a
    witness moved: a door's state was not zero, or a sister probe ranged over ``reference_move`` at least (None: a
    door). It stays stuck until the value has moved by ``least_move``. Nothing is known over a gap of more than a third
    of the window, or when the time was set back: the window starts anew.
    """

    __slots__ = (
        "_at", "_began_at", "_channel", "_least_move", "_max_gap_ms", "_range", "_stuck_high", "_stuck_low",
        "_verdict", "_window_ms", "_witness",
    )  # fmt: skip

    def __init__(
        self,
        channel: ChannelId,
        reference: ChannelId,
        least_move: float,
        reference_move: float | None,
        window_s: float,
        settle_s: float,
    ) -> None:
        self._channel, self._least_move = channel, least_move
        self._window_ms = round(window_s * 1000)
        self._max_gap_ms = self._window_ms / 3
        self._witness = _Witness(reference, reference_move, self._window_ms, round(settle_s * 1000))
        self._range = SlidingExtremes()
        self._at: Instant = 0
        self._began_at: Instant = 0
        self._stuck_low = self._stuck_high = 0.0
        self._verdict: float | None = None

    def take(self, channel: ChannelId, value: float | None, at: Instant) -> float | None:
        """Return 1 while stuck, 0 after it moved; a witness's reading is only taken note of."""
        if value is None:
            return None
        if channel != self._channel:
            self._witness.take(channel, value, at)
            return None
        if not self._range or at < self._at or at - self._at > self._max_gap_ms:
            self._begin(at)
        self._at = at
        self._range.add(at, value)
        if self._verdict:
            self._free(value, at)
        else:
            self._judge(at)
        return self._verdict

    def _begin(self, at: Instant) -> None:
        self._range.clear()
        self._began_at = at

    def _judge(self, at: Instant) -> None:
        start = at - self._window_ms
        self._range.drop_before(start)
        low, high = self._range.low, self._range.high
        if high - low >= self._least_move:
            self._verdict = 0.0
        elif self._began_at <= start and self._witness.has_moved(at):
            self._stuck_low, self._stuck_high, self._verdict = low, high, 1.0

    def _free(self, value: float, at: Instant) -> None:
        """Let go of a stuck sensor that has moved, however slowly; it then has a whole window to show that it lives."""
        self._stuck_low, self._stuck_high = min(self._stuck_low, value), max(self._stuck_high, value)
        if self._stuck_high - self._stuck_low >= self._least_move:
            self._begin(at)
            self._range.add(at, value)
            self._verdict = 0.0
        else:
            self._range.drop_before(at - self._window_ms)


class _Witness:
    """What shows that the value should have moved, as far as there was time to respond to it."""

    __slots__ = ("_at", "_least_move", "_range", "_reference", "_settle_ms", "_waiting", "_window_ms")

    def __init__(self, reference: ChannelId, least_move: float | None, window_ms: int, settle_ms: int) -> None:
        self._reference, self._least_move = reference, least_move
        self._window_ms, self._settle_ms = window_ms, settle_ms
        self._at: Instant = 0
        self._waiting: deque[tuple[Instant, float]] = deque()
        self._range = SlidingExtremes()

    def take(self, channel: ChannelId, value: float, at: Instant) -> None:
        """Take a value; a time set back starts anew."""
        if channel != self._reference:
            return
        if at < self._at:
            self._waiting.clear()
            self._range.clear()
        self._at = at
        self._waiting.append((at, value if self._least_move is not None else float(value != 0.0)))
        self._ripen(at)

    def has_moved(self, now: Instant) -> bool:
        """Whether it moved within the window and at least the settling time ago."""
        self._ripen(now)
        if not self._range:
            return False
        if self._least_move is None:
            return self._range.high > 0.0
        return self._range.high - self._range.low >= self._least_move

    def _ripen(self, now: Instant) -> None:
        """Count what there was time to respond to, and forget what is older than the window."""
        waiting, ripe_at = self._waiting, now - self._settle_ms
        while waiting and waiting[0][0] <= ripe_at:
            self._range.add(*waiting.popleft())
        self._range.drop_before(now - self._window_ms)
