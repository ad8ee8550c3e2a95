"""A single wild sample is no excursion: the value, unless it stands alone."""

from __future__ import annotations

from collections import deque
from typing import Final

from cultureops.clock import Instant
from cultureops.device.channel import ChannelId

__all__ = ["SpikeFilter"]

_SAMPLES: Final = 5
_MADS: Final = 5.0
"""How many median absolute deviations from the median are too far [OWN]."""
_RELATIVE_FLOOR: Final = 1e-3
_DEADBAND_FLOOR: Final = 0.25


class SpikeFilter:
    """Hold back a sample that is too far from the last five accepted ones, unless the one before it was too.

    Too far: more than 5 MAD from their median [OWN]. A flat or coarsely resolved signal has a MAD of zero, so that its
    next step of one resolution unit would count as a spike; the MAD is therefore taken as at least a thousandth of the
    median (what a sensor of three to four digits resolves) and a quarter of the rule's deadband (movement that the
    rule itself calls nothing) [OWN]. Of a real change the first sample is held back, for one poll, and every one after
    it is judged. The first five are accepted as they are.
    """

    __slots__ = ("_accepted", "_channel", "_floor", "_held", "_was_far")

    def __init__(self, channel: ChannelId, deadband: float) -> None:
        self._channel = channel
        self._floor = deadband * _DEADBAND_FLOOR
        self._accepted: deque[float] = deque(maxlen=_SAMPLES)
        self._held: float | None = None
        self._was_far = False

    def take(self, channel: ChannelId, value: float | None, at: Instant) -> float | None:
        """Return the value, or None while it is held back."""
        if value is None or channel != self._channel:
            return None
        accepted = self._accepted
        is_far = len(accepted) == _SAMPLES and self._is_far(value)
        if is_far and not self._was_far:
            self._held, self._was_far = value, True
            return None
        if is_far and self._held is not None:
            accepted.append(self._held)
        self._held, self._was_far = None, is_far
        accepted.append(value)
        return value

    def _is_far(self, value: float) -> bool:
        lowest, low, median, high, highest = sorted(self._accepted)
        below, above = median - low, high - median
        # The median of the five distances is the second smallest beside the median's own zero.
        mad = min(below, highest - median) if below > above else min(above, median - lowest)
        return abs(value - median) > _MADS * max(mad, self._floor, _RELATIVE_FLOOR * abs(median))
