"""How the lab stands, as messages: looked up at the moment of sending."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TypeAlias

from cultureops.alarms.alarms import Alarms
from cultureops.alarms.engine import AlarmView, Transition
from cultureops.alarms.events import ALARM_EVENT_TYPES
from cultureops.alarms.rule import Exposure, Rule
from cultureops.alarms.state import State
from cultureops.batch.batch import batch_of
from cultureops.clock import Clock
from cultureops.device.channel import ChannelId
from cultureops.errors import ConfigError
from cultureops.ledger.event import Event
from cultureops.mqtt.message import alarm_message, reading_message
from cultureops.mqtt.topics import Topics
from cultureops.telemetry.store import TelemetryStore

__all__ = ["Message", "Standing"]

Message: TypeAlias = tuple[str, str, bytes]
"""Channel or rule, topic and payload; an empty payload takes the retained message away."""


class Standing:
    """What a lab's topics are to say.

    ``site_channels`` are the channels that the site has now; those that the store knows besides, and alarms of the
    ledger whose rule has left the site file, are taken away.
    """

    def __init__(
        self,
        topics: Topics,
        clock: Clock,
        store: TelemetryStore,
        engine: Alarms,
        exposed: Exposure,
        site_channels: Collection[ChannelId],
    ) -> None:
        self.topics = topics
        self._clock = clock
        self._store = store
        self._engine = engine
        self._exposed = exposed
        self._site_channels = site_channels
        self._causes: dict[str, str] = {}

    def recall(self, event: Event) -> None:
        """Take an alarm's cause from the ledger, in its order; other events say nothing here."""
        if event.type in ALARM_EVENT_TYPES:
            self._causes[str(event.data["rule_id"])] = str(event.data["cause"])

    def note(self, transitions: Sequence[Transition]) -> None:
        """Remember why alarms stand where they stand."""
        self._causes.update((transition.rule.id, transition.cause) for transition in transitions)

    def channels(self) -> Collection[ChannelId]:
        """Return every channel there is or was."""
        return self._store.channels().keys()

    def alarms(self) -> Collection[str]:
        """Return the rule of every alarm there is or was."""
        return {rule.id for rule in self._engine.rules} | self._causes.keys()

    def active(self) -> Collection[str]:
        """Return the rules whose alarm is not NORMAL."""
        return tuple(view.rule.id for view in self._standing())

    def channel_messages(self, channels: Sequence[ChannelId]) -> list[Message]:
        """Say the last value of each channel that can be a topic."""
        infos, latest = self._store.channels(), self._store.latest()
        messages: list[Message] = []
        for channel in channels:
            if (topic := _topic(self.topics.channel, channel)) is not None:
                is_shown = channel in self._site_channels or batch_of(channel.rpartition("/")[0]) is not None
                said = reading_message(channel, infos[channel], latest.get(channel)) if is_shown else b""
                messages.append((channel, topic, said))
        return messages

    def alarm_messages(self, rule_ids: Sequence[str]) -> list[Message]:
        """Say where each alarm stands that can be a topic."""
        messages: list[Message] = []
        for rule_id in rule_ids:
            if (topic := _topic(self.topics.alarm, rule_id)) is not None:
                view = self._engine.view(rule_id)
                said = b"" if view is None else self._alarm_message(view.rule, view)
                messages.append((rule_id, topic, said))
        return messages

    def _standing(self) -> tuple[AlarmView, ...]:
        return (*self._engine.active(), *self._engine.suppressed())

    def _alarm_message(self, rule: Rule, view: AlarmView) -> bytes:
        cause = self._causes.get(rule.id)
        if view.state is State.NORMAL:
            return alarm_message(rule, None, cause, ())
        end = self._clock.now() if view.returned_at is None else view.returned_at
        return alarm_message(rule, view, cause, rule.reached(self._exposed, view.since, end))


def _topic(topic_of: Callable[[str], str], name: str) -> str | None:
    """Return a name's topic; None for one that can't be: the site file has none of these, old files may."""
    try:
        return topic_of(name)
    except ConfigError:
        return None
