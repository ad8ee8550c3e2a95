"""Who says from the readings alone, without the alarm engine, whether a rule's condition can be seen.

Written anew from the rules' definition, on purpose and without its shortcuts: a check that asked the engine would find
nothing.
"""

from __future__ import annotations

from typing import Protocol

from cultureops.alarms.rule import Kind, Rule
from cultureops.device.channel import ChannelId
from cultureops.device.reading import COMMUNICATION_REASONS, Reading

__all__ = ["LinkWitness", "ValueWitness", "VoidWitness", "Witness"]


class Witness(Protocol):
    """Watches the readings of one rule's channels."""

    @property
    def is_beyond(self) -> bool:
        """Whether the newest readings show the condition."""
        ...

    @property
    def is_inside(self) -> bool:
        """Whether the newest readings show that it is over, beyond the deadband."""
        ...

    @property
    def value(self) -> float | None:
        """The newest value of the rule's own channel, None where there is none."""
        ...

    def take(self, reading: Reading) -> None:
        """Take a reading of any channel, in the order of time."""
        ...


class ValueWitness:
    """Of a rule that the newest values decide: high, low, deviation, disagreement, open."""

    def __init__(self, rule: Rule, bound: float, deadband: float) -> None:
        self._kind = rule.kind
        self._own, self._reference = rule.channel or "", rule.reference
        self._bound, self._deadband = bound, deadband
        self._values: dict[ChannelId, float] = {}

    @property
    def _measured(self) -> float | None:
        """What is compared with the limit, the larger the worse."""
        own = self._values.get(self._own)
        if own is None:
            return None
        if self._kind in (Kind.DEVIATION, Kind.DISAGREEMENT):
            other = self._values.get(self._reference or "")
            return None if other is None else abs(own - other)
        return -own if self._kind is Kind.LOW else own

    @property
    def is_beyond(self) -> bool:
        """Whether the newest readings are at the limit or beyond."""
        bound = -self._bound if self._kind is Kind.LOW else self._bound
        return (measured := self._measured) is not None and measured >= bound

    @property
    def is_inside(self) -> bool:
        """Whether the newest readings are inside the limit by more than the deadband."""
        bound = -self._bound if self._kind is Kind.LOW else self._bound
        return (measured := self._measured) is not None and measured < bound - self._deadband

    @property
    def value(self) -> float | None:
        """The newest value of the rule's own channel."""
        return self._values.get(self._own)

    def take(self, reading: Reading) -> None:
        """Note a value; a reading without one takes the last one away."""
        if reading.channel not in (self._own, self._reference):
            return
        if reading.value is None:
            self._values.pop(reading.channel, None)
        else:
            self._values[reading.channel] = reading.value


class VoidWitness:
    """Of a channel that may give no value."""

    def __init__(self, channel: ChannelId) -> None:
        self._channel = channel
        self._is_known = False
        self.value: float | None = None

    @property
    def is_beyond(self) -> bool:
        """Whether the newest reading has no value."""
        return self._is_known and self.value is None

    @property
    def is_inside(self) -> bool:
        """Whether the newest reading has a value."""
        return self.value is not None

    def take(self, reading: Reading) -> None:
        """Note whether there is a value."""
        if reading.channel == self._channel:
            self._is_known, self.value = True, reading.value


class LinkWitness:
    """Of a device that may be silent: a poll in which no channel came through."""

    value: float | None = None

    def __init__(self, device: str) -> None:
        self._prefix = f"{device}/"
        self._last = -1
        self._missed: bool | None = None

    @property
    def is_beyond(self) -> bool:
        """Whether the last poll brought nothing."""
        return self._missed is True

    @property
    def is_inside(self) -> bool:
        """Whether the last poll brought something."""
        return self._missed is False

    def take(self, reading: Reading) -> None:
        """Note whether a channel came through; readings of one source time are one poll."""
        if not reading.channel.startswith(self._prefix):
            return
        came = reading.value is not None or reading.reason not in COMMUNICATION_REASONS
        if reading.source_time != self._last:
            self._last, self._missed = reading.source_time, not came
        elif came:
            self._missed = False
