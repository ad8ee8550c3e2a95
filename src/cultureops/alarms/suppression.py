"""Suppression by design: an opened door, a planned fill or an empty chamber explains a condition for a while."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cultureops.alarms.rule import ChamberId, Suppressor
from cultureops.clock import Instant
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Quality, Reading, Reason

__all__ = ["Window", "occupied_channel", "occupied_reading"]

_OCCUPIED: Final = "cultureops/occupied/"
MOST_WINDOWS: Final = 3
"""How many windows' time a state that never rests can explain [OWN]."""


def occupied_channel(chamber: ChamberId) -> ChannelId:
    """Return the channel that says whether a batch stands in the chamber: 1 or 0."""
    return _OCCUPIED + chamber


def occupied_reading(chamber: ChamberId, now: Instant, *, is_occupied: bool) -> Reading:
    """Say as a reading whether a batch stands in the chamber."""
    return Reading(occupied_channel(chamber), float(is_occupied), Quality.GOOD, Reason.NONE, now, now)


class Window:
    """How long one suppressor holds for one alarm.

    A state that comes again opens the window anew only while the alarm's condition is not there: otherwise a door that
    flaps would keep a failed heater quiet for ever. For the same reason windows that follow each other without a rest
    last no longer than ``MOST_WINDOWS`` of the longest in all.
    """

    __slots__ = ("began", "ended", "is_on", "max_ms", "recovery_ms", "restless_since", "sign", "still_since")

    def __init__(self, suppressor: Suppressor) -> None:
        self.recovery_ms = round(suppressor.recovery_s * 1000)
        self.max_ms = None if suppressor.max_s is None else round(suppressor.max_s * 1000)
        self.sign = not suppressor.is_on_at_zero
        self.is_on = False
        self.began: Instant | None = None
        self.ended: Instant | None = None
        self.restless_since: Instant | None = None
        self.still_since: Instant | None = None

    def observe(self, value: float | None, at: Instant, *, is_condition_there: bool) -> None:
        """Take a reading of the state; one without value explains nothing."""
        is_on = value is not None and (value != 0.0) is self.sign
        self.holds(at)  # forgets a window that is over: what comes now begins one of its own
        if self.began is not None and at < self.began:  # a clock set back
            self.began = self.restless_since = at
        if is_on and not self.is_on and (self.began is None or not is_condition_there):
            self.began, self.ended = at, None
            self.restless_since = at if self.restless_since is None else self.restless_since
        elif is_on:
            self.ended = None
        elif self.is_on:
            self.ended = self.still_since = at
        self.is_on = is_on

    def holds(self, now: Instant) -> bool:
        """Whether the state, or the recovery from it, explains the condition now; forgets a window that is over."""
        if not self.is_on and self.still_since is not None and now - self.still_since >= self.recovery_ms:
            self.restless_since = self.still_since = None
        if self.began is None:
            return False
        if any(now >= end for end in self.ends_at()):
            if not self.is_on:
                self.began = self.ended = None
            return False
        return True

    def ends_at(self) -> Iterator[Instant]:
        """Yield the instants at which an open window is over, unless something comes between."""
        if self.began is None:
            return
        if self.max_ms is not None:
            yield self.began + self.max_ms
            yield (self.began if self.restless_since is None else self.restless_since) + MOST_WINDOWS * self.max_ms
        if not self.is_on:
            yield (self.ended or self.began) + self.recovery_ms
