"""An edge node: what it has said, and so what it has to say next and under which number. No input, no output."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from cultureops.clock import Instant
from cultureops.device.channel import ChannelId
from cultureops.mqtt.sparkplug.metrics import LabMetrics
from cultureops.mqtt.sparkplug.names import EdgeNames
from cultureops.mqtt.sparkplug.wire import REBIRTH, DataType, Metric, encoded

__all__ = ["EdgeNode", "Said"]

_NUMBERS: Final = 256
_AT_ONCE: Final = 200
"""Metrics that are written before others have their turn: some 5 ms [OWN]."""


class Said(NamedTuple):
    """One message: its topic and payload; ``qos`` is 1 for a death alone, nothing is retained."""

    topic: str
    payload: bytes
    qos: int = 0


class EdgeNode:
    """One session after the other of one edge node.

    Source: Sparkplug 3.0.0, sections 5 and 6.4: a birth of the node counts from 0, every message after it one more, and
    from 255 to 0; ``bdSeq`` counts the sessions and ties a birth to the death that the broker holds for it.
    """

    def __init__(self, names: EdgeNames, metrics: LabMetrics, facts: tuple[tuple[str, str], ...] = ()) -> None:
        self._names = names
        self._metrics = metrics
        self._facts = facts
        self._session = -1
        self._seq = 0
        self._born: dict[str, tuple[ChannelId, ...]] = {}
        self._rules: frozenset[str] = frozenset()

    def begin(self, now: Instant) -> Said:
        """Begin a session; return its last will."""
        self._session += 1
        self._born.clear()
        self._rules = frozenset()
        return self.death(now)

    def death(self, now: Instant) -> Said:
        """Say that the node is gone; a death has no number."""
        return Said(self._names.node("NDEATH"), encoded(now, None, [self._bd_seq(now)], is_birth=True), 1)

    def births(self, now: Instant) -> Iterator[Said | None]:
        """Say what there is: the node with every alarm, then each device that is there.

        None in between says that there is more to come: it is time to let others have their turn.
        """
        self._seq = 0
        self._born.clear()
        rules = self._metrics.rules()
        self._rules = frozenset(rules)
        own = [
            self._bd_seq(now),
            Metric(REBIRTH, None, now, DataType.BOOLEAN, False),
            *(Metric(name, None, now, DataType.STRING, value) for name, value in self._facts),
        ]
        birth = self._numbered(self._names.node("NBIRTH"), now, own, is_birth=True)
        alarms, parts = self._metrics.of_rules(rules, now), [birth.payload]
        while some := list(islice(alarms, _AT_ONCE)):
            parts.append(encoded(None, None, some, is_birth=True))
            yield None
        yield birth._replace(payload=b"".join(parts))
        for owner in self._metrics.owners():
            yield from self._device(owner, (), now)

    def is_known(self, rule_ids: Iterable[str]) -> bool:
        """Whether the node's birth has told of these alarms; where it has not, only another birth can."""
        return self._rules.issuperset(rule_ids)

    def tell_channels(self, channels: Iterable[ChannelId], now: Instant) -> Iterator[Said]:
        """Say what the channels' last readings are: a device that has come, is there, or has gone."""
        by_owner: dict[str, list[ChannelId]] = {}
        for channel in channels:
            by_owner.setdefault(channel.rpartition("/")[0], []).append(channel)
        for owner, changed in by_owner.items():
            if owner in self._metrics.owners():
                yield from self._device(owner, changed, now)

    def tell_rules(self, rule_ids: Iterable[str], now: Instant) -> Iterator[Said]:
        """Say where alarms stand."""
        if metrics := list(self._metrics.of_rules(rule_ids, now)):
            yield self._numbered(self._names.node("NDATA"), now, metrics, is_birth=False)

    def _device(self, owner: str, changed: Iterable[ChannelId], now: Instant) -> Iterator[Said]:
        channels, born = self._metrics.owners()[owner], self._born.get(owner)
        if not self._metrics.is_there(owner):
            if self._born.pop(owner, None) is not None:
                yield self._numbered(self._names.device("DDEATH", owner), now, [], is_birth=False)
        elif born != channels:
            self._born[owner] = channels
            metrics = self._metrics.of_channels(channels, now)
            yield self._numbered(self._names.device("DBIRTH", owner), now, metrics, is_birth=True)
        elif told := [channel for channel in changed if channel in channels]:
            metrics = self._metrics.of_channels(told, now)
            yield self._numbered(self._names.device("DDATA", owner), now, metrics, is_birth=False)

    def _numbered(self, topic: str, now: Instant, metrics: list[Metric], *, is_birth: bool) -> Said:
        seq, self._seq = self._seq, (self._seq + 1) % _NUMBERS
        return Said(topic, encoded(now, seq, metrics, is_birth=is_birth))

    def _bd_seq(self, now: Instant) -> Metric:
        return Metric("bdSeq", None, now, DataType.INT64, self._session % _NUMBERS)
