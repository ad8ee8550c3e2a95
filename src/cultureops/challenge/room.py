"""What a site's rules leave of room on each channel: where it rests, and how far beyond a limit it can go. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from cultureops.acquisition import MeasuredChannel
from cultureops.alarms.rule import Kind, Rule
from cultureops.device.channel import ChannelId
from cultureops.device.channel import Kind as ChannelKind

__all__ = ["NoRoom", "Room"]

SHARE: Final = 0.01
"""How far beyond a limit to go, as a share of it, where resolution and deadband ask for less."""
STEPS: Final = 3
"""...and in steps of the channel's resolution."""
LONGEST_BACK_OFF_S: Final = 15.0


_STATES: Final = (0.0, 1.0)
_AMID_STATES: Final = 0.25


class NoRoom(Exception):
    """A rule's limit can't be passed, or not left again, on its channel; the message says why."""


class Room:
    """The channels of the twins with what each shows by itself (``natural``), and the limits of the site's rules."""

    def __init__(
        self, rules: Sequence[Rule], channels: Mapping[ChannelId, MeasuredChannel], natural: Mapping[ChannelId, float]
    ) -> None:
        self._rules = tuple(rules)
        self._channels = channels
        self._natural = natural

    def knows(self, channel: ChannelId) -> bool:
        """Whether some device of the site delivers the channel."""
        return channel in self._channels

    def resolution(self, channel: ChannelId) -> float:
        """Return the smallest step that is stored of a channel [its unit]."""
        return float(10.0 ** -self._channels[channel].channel.decimals)

    def shown(self, channel: ChannelId, value: float) -> str:
        """Write a value with the channel's decimals."""
        return f"{value:.{self._channels[channel].channel.decimals}f}"

    def bounds(self, channel: ChannelId) -> tuple[float, float]:
        """Return what the instrument can measure at all; infinite where nobody says."""
        return self._channels[channel].channel.valid_range or (-math.inf, math.inf)

    def period_s(self, *names: ChannelId) -> float:
        """Return how long the slowest of these channels or devices goes without being asked [s]."""
        wanted = set(names)
        return max(
            (row.period_ms / 1000 for row in self._channels.values() if row.id in wanted or row.device in wanted),
            default=60.0,
        )

    def patience_s(self, period_s: float) -> float:
        """Return how long a value may take from the simulator to a reading, a device's back-off included [s]."""
        return 5 * period_s + 4 * LONGEST_BACK_OFF_S

    def rest(self, channel: ChannelId) -> float:
        """Return a value inside every limit on the channel: the natural one, 0 of a state, or one amid the limits.

        Raises NoRoom.
        """
        low, high = self.clear(channel)
        natural, margin = self._natural.get(channel), self.margin(channel)
        if self.is_state(channel):
            return self._state_at_rest(channel)
        if natural is not None and low + margin <= natural <= high - margin:
            return natural
        if low >= high:
            raise NoRoom(f"the limits on {channel} leave no room for a value at rest")
        if math.isinf(low) and math.isinf(high):
            raise NoRoom(f"{channel} gives no value at rest")
        if math.isinf(low):
            return high - 3 * margin
        return low + 3 * margin if math.isinf(high) else (low + high) / 2

    def is_state(self, channel: ChannelId) -> bool:
        """Whether the channel says 1 or 0, such as a door."""
        return self._channels[channel].channel.kind is ChannelKind.STATE

    def _state_at_rest(self, channel: ChannelId) -> float:
        low, high = self.clear(channel)
        found = next((state for state in _STATES if low < state < high), self._natural.get(channel))
        if found is None or not low < found < high:
            raise NoRoom(f"the limits on {channel} leave no state in which no alarm stands")
        return found

    def at_rest(self, watched: Iterable[ChannelId]) -> dict[ChannelId, float]:
        """Return what is forced all the time: states, and what a twin does not show inside the limits by itself."""
        found: dict[ChannelId, float] = {}
        for channel in watched:
            try:
                value = self.rest(channel)
            except NoRoom:
                continue
            if self.is_state(channel) or value != self._natural.get(channel):
                found[channel] = value
        return found

    def clear(self, channel: ChannelId) -> tuple[float, float]:
        """Return between which values no limit alarm of the channel can stand."""
        lows = [limit + rule.deadband for rule, limit in self._limits(channel, Kind.LOW)]
        highs = [limit - rule.deadband for rule, limit in self._limits(channel, Kind.HIGH)]
        return max(lows, default=-math.inf), min(highs, default=math.inf)

    def margin(self, channel: ChannelId, limit: float = 0.0) -> float:
        """Return how far from a limit nobody doubts on which side a value is [the channel's unit]."""
        if self.is_state(channel):
            return _AMID_STATES
        return max(STEPS * self.resolution(channel), SHARE * abs(limit))

    def steps(self, rule: Rule, channel: ChannelId, limit: float) -> tuple[float, ...]:
        """Return how far to go beyond a limit [its unit], the nearest that the channel resolves first."""
        if self.is_state(channel):
            return (abs(self.beyond(rule, channel, limit) - limit),)
        farthest = abs(self.beyond(rule, channel, limit) - limit)
        step = self.resolution(channel)
        near = [number * step for number in (1, STEPS) if number * step < farthest]
        return (*near, farthest)

    def beyond(self, rule: Rule, channel: ChannelId, limit: float) -> float:
        """Return how far to go [the limit's unit]: beyond it, but short of the next worse one of its kind."""
        sign = -1.0 if rule.kind is Kind.LOW else 1.0
        if self.is_state(channel):
            return float(math.floor(limit) if rule.kind is Kind.LOW else math.ceil(limit))
        margin = max(self.margin(channel, limit), rule.deadband / 2)
        worse = (sign * (other - limit) for _, other in self._limits(channel, rule.kind))
        return limit + sign * min(margin, *(gap / 2 for gap in worse if gap > 0), margin)

    def _limits(self, channel: ChannelId, kind: Kind) -> Iterable[tuple[Rule, float]]:
        return (
            (rule, rule.limit)
            for rule in self._rules
            if rule.channel == channel and rule.kind is kind and rule.limit is not None
        )
