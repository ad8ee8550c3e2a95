"""The lab as an edge node at a broker: one connection of its own, since its last will is the node's death.

What has changed is only noted, by name, and looked up at the moment of sending, as with the JSON topics. Nothing is
subscribed to but the node's commands, of which one is understood: to be born again, at most once in a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

import aiomqtt

from cultureops.alarms.engine import Transition
from cultureops.clock import Clock
from cultureops.device.reading import Reading
from cultureops.ledger.event import Event
from cultureops.mqtt.attempts import Attempts
from cultureops.mqtt.change import Changes
from cultureops.mqtt.connection import LET_GO_S, client_for, connected, tls_of
from cultureops.mqtt.outlet import PublisherStatus
from cultureops.mqtt.settings import MqttSettings, SparkplugSettings
from cultureops.mqtt.sparkplug.edge import EdgeNode, Said
from cultureops.mqtt.sparkplug.metrics import LabMetrics
from cultureops.mqtt.sparkplug.wire import wants_rebirth

__all__ = ["SparkplugPublisher"]

_REFUSED: Final = 0x80


class SparkplugPublisher:
    """Tells one broker how the lab stands, in Sparkplug B; ``run`` is its task."""

    def __init__(
        self, settings: MqttSettings, sparkplug: SparkplugSettings, metrics: LabMetrics, node: EdgeNode, clock: Clock
    ) -> None:
        self._settings = settings
        self._sparkplug = sparkplug
        self._metrics = metrics
        self._node = node
        self._clock = clock
        self._tls = tls_of(settings)
        scheme = "mqtts" if settings.tls else "mqtt"
        self._target = f"{scheme}://{settings.host}:{settings.port}/{sparkplug.names.node('+')}"
        self._attempts = Attempts(f"{settings.host}:{settings.port} (Sparkplug)", self._target, clock)
        self._channels, self._alarms = Changes(), Changes()
        self._asked = asyncio.Event()
        self._is_born = False
        self._sent = self._coalesced = 0

    def recall(self, event: Event) -> None:
        """Take an event of the ledger's past: none is told here."""

    def readings(self, readings: Sequence[Reading]) -> None:
        """Note that the channels have new readings, which the store has already; never blocks."""
        self._metrics.hear(readings)
        self._coalesced += self._channels.note([reading.channel for reading in readings])

    def alarms(self, transitions: Sequence[Transition]) -> None:
        """Note what the alarms have come to; never blocks."""
        self._alarms.note([transition.rule.id for transition in transitions])

    def exposures(self) -> None:
        """Note that vessels may have been moved: alarms name the batches in their chamber; never blocks."""
        self._alarms.note(self._metrics.rules())

    def status(self) -> PublisherStatus:
        """Return how the publisher is doing."""
        return PublisherStatus(
            target=self._target,
            connected=self._is_born,
            waiting=len(self._channels) + len(self._alarms),
            sent=self._sent,
            coalesced=self._coalesced,
            last_error=self._attempts.error,
        )

    async def run(self) -> None:
        """Publish until cancelled, then say that the node is gone, within 5 s; nothing else ends it."""
        await self._attempts.run(self._session)

    async def _session(self) -> None:
        """Be born, and tell what changes until the connection is lost."""
        death = self._node.begin(self._clock.now())
        will = aiomqtt.Will(death.topic, death.payload, qos=death.qos)
        async with connected(client_for(self._settings, self._tls, will, self._sparkplug.client_id)) as client:
            try:
                await self._subscribe(client)
                async with asyncio.TaskGroup() as work:
                    work.create_task(self._listen(client))
                    work.create_task(self._tell(client))
            except (asyncio.CancelledError, Exception):
                await self._die(client)
                raise
            finally:
                self._is_born = False
                self._channels.give_back()
                self._alarms.give_back()

    async def _subscribe(self, client: aiomqtt.Client) -> None:
        """Hear commands before anything is said: a host may answer the birth at once."""
        topic = self._sparkplug.names.node("NCMD")
        codes = await client.subscribe(topic, qos=1)
        if any(code >= _REFUSED if isinstance(code, int) else code.is_failure for code in codes):
            raise aiomqtt.MqttError(f"the broker does not allow {topic!r}; check its access list")

    async def _listen(self, client: aiomqtt.Client) -> None:
        topic = self._sparkplug.names.node("NCMD")
        try:
            async for message in client.messages:
                payload = message.payload
                is_command = message.topic.value == topic and isinstance(payload, bytes | bytearray)
                if is_command and wants_rebirth(bytes(payload)):
                    self._asked.set()
        except aiomqtt.MqttError:
            raise aiomqtt.MqttError("the connection was lost") from None

    async def _tell(self, client: aiomqtt.Client) -> None:
        """Send everything from one task: messages are numbered in the order in which they go."""
        now_s = asyncio.get_running_loop().time
        await self._be_born(client)
        self._is_born = True
        self._attempts.succeed()
        born_s = told_s = now_s()
        while True:
            rebirth_s, channels_s = born_s + self._sparkplug.rebirth_gap_s, told_s + self._settings.period_s
            await _first(
                self._alarms.come(),
                _not_before(channels_s, self._channels.come),
                _not_before(rebirth_s, self._asked.wait),
            )
            alarms = self._alarms.take()
            is_asked = self._asked.is_set() and now_s() >= rebirth_s
            if is_asked or not self._node.is_known(self._metrics.known(alarms)):
                await self._be_born(client)
                born_s = told_s = now_s()
            else:
                await self._send(client, self._node.tell_rules(alarms, self._clock.now()))
            _confirm(self._alarms, alarms)
            if now_s() >= channels_s:
                channels = self._channels.take()
                await self._send(client, self._node.tell_channels(channels, self._clock.now()))
                _confirm(self._channels, channels)
                told_s = now_s()

    async def _be_born(self, client: aiomqtt.Client) -> None:
        """Tell everything there is."""
        self._asked.clear()
        taken = [(changes, changes.take()) for changes in (self._alarms, self._channels)]
        await self._send(client, self._node.births(self._clock.now()))
        for changes, names in taken:
            _confirm(changes, names)

    async def _send(self, client: aiomqtt.Client, messages: Iterable[Said | None]) -> None:
        # A task of its own, because the library's wait may swallow a cancellation.
        async with asyncio.TaskGroup() as sender:
            sender.create_task(self._send_each(client, messages))

    async def _send_each(self, client: aiomqtt.Client, messages: Iterable[Said | None]) -> None:
        for said in messages:
            if said is not None:
                await client.publish(said.topic, said.payload, qos=said.qos)
                self._sent += 1
            await asyncio.sleep(0)  # what the socket takes at once leaves the loop to nobody else

    async def _die(self, client: aiomqtt.Client) -> None:
        """Say that the node is gone: a good-bye in order cancels the last will."""
        with suppress(aiomqtt.MqttError, TimeoutError):
            async with asyncio.timeout(LET_GO_S):
                await client.publish(*self._node.death(self._clock.now()))


async def _first(*waits: Coroutine[Any, Any, object]) -> None:
    """Wait until one of these has come."""
    tasks = {asyncio.create_task(wait) for wait in waits}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _not_before(at_s: float, come: Callable[[], Coroutine[Any, Any, object]]) -> None:
    """Wait until something has come, and until the loop's clock shows ``at_s``."""
    await come()
    await asyncio.sleep(max(0.0, at_s - asyncio.get_running_loop().time()))


def _confirm(changes: Changes, names: Iterable[str]) -> None:
    for name in names:
        changes.confirm(name)
