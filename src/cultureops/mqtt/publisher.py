"""The publisher: keeps one retained message at a broker for each channel and each alarm, as they stand now.

It never stands in the way of a reading: what has changed is only noted, by name, and looked up at the moment of
sending. So a broker that is away costs one note per channel, and the newest state is what it gets when it is back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TypeAlias

import aiomqtt

from cultureops.alarms.engine import Transition
from cultureops.clock import Clock, Instant
from cultureops.device.reading import Reading
from cultureops.ledger.event import Event
from cultureops.mqtt.attempts import Attempts
from cultureops.mqtt.change import Changes
from cultureops.mqtt.connection import FAREWELL_S, LET_GO_S, MOST_UNDER_WAY, client_for, connected, tls_of, until_lost
from cultureops.mqtt.message import Presence, status_message
from cultureops.mqtt.outlet import PublisherStatus
from cultureops.mqtt.settings import MqttSettings
from cultureops.mqtt.standing import Message, Standing

__all__ = ["Publisher"]


Renderer: TypeAlias = Callable[[Sequence[str]], list[Message]]


class Publisher:
    """Tells one broker how the lab stands; ``run`` is its task."""

    def __init__(self, settings: MqttSettings, standing: Standing, clock: Clock) -> None:
        self._settings = settings
        self._standing = standing
        self._clock = clock
        self._tls = tls_of(settings)
        self._channels, self._alarms = Changes(), Changes()
        self._told: dict[str, bytes] = {}
        self._online_since: Instant | None = None
        self._sent = self._coalesced = 0
        self._attempts = Attempts(f"{settings.host}:{settings.port}", settings.target, clock)

    def recall(self, event: Event) -> None:
        """Take an event of the ledger's past, in its order."""
        self._standing.recall(event)

    def readings(self, readings: Sequence[Reading]) -> None:
        """Note that the channels have new readings, which the store has already; never blocks."""
        self._coalesced += self._channels.note([reading.channel for reading in readings])

    def alarms(self, transitions: Sequence[Transition]) -> None:
        """Note what the alarms have come to; never blocks."""
        self._standing.note(transitions)
        self._alarms.note([transition.rule.id for transition in transitions])

    def exposures(self) -> None:
        """Note that vessels may have been moved: alarms name the batches in their chamber; never blocks."""
        self._alarms.note(self._standing.active())

    def status(self) -> PublisherStatus:
        """Return how the publisher is doing."""
        return PublisherStatus(
            target=self._settings.target,
            connected=self._online_since is not None,
            waiting=len(self._channels) + len(self._alarms),
            sent=self._sent,
            coalesced=self._coalesced,
            last_error=self._attempts.error,
        )

    async def run(self) -> None:
        """Publish until cancelled, then say so to the broker, if it is there, within 5 s; nothing else ends it."""
        await self._attempts.run(self._session)

    async def _session(self) -> None:
        """Bring every topic up to date and keep it so until the connection is lost."""
        since = self._clock.now()
        said = status_message(Presence.LOST, None, since, self._settings.site)
        will = aiomqtt.Will(self._standing.topics.status, said, qos=1, retain=True)
        async with connected(client_for(self._settings, self._tls, will)) as client:
            try:
                self._note_everything()
                await self._send_alarms(client)
                await self._send_channels(client)
                await self._send_status(client, Presence.ONLINE, since)
                self._online_since = since
                self._attempts.succeed()
                async with asyncio.TaskGroup() as work:
                    work.create_task(until_lost(client))
                    work.create_task(self._keep_alarms(client))
                    work.create_task(self._keep_channels(client))
            except asyncio.CancelledError:
                await self._take_leave(client, since)
                raise
            except Exception:
                await self._say_last(client, Presence.LOST, since)
                raise
            finally:
                self._online_since = None

    def _note_everything(self) -> None:
        """Note every topic: a broker may have been restarted with nothing."""
        self._told.clear()
        self._alarms.note(self._standing.alarms())
        self._channels.note(self._standing.channels())

    async def _keep_alarms(self, client: aiomqtt.Client) -> None:
        while True:
            await self._alarms.come()
            await self._send_alarms(client)

    async def _keep_channels(self, client: aiomqtt.Client) -> None:
        while True:
            await self._channels.come()
            await self._send_channels(client)
            await asyncio.sleep(self._settings.period_s)

    async def _send_alarms(self, client: aiomqtt.Client) -> None:
        await self._send(client, self._alarms, self._standing.alarm_messages)

    async def _send_channels(self, client: aiomqtt.Client) -> None:
        await self._send(client, self._channels, self._standing.channel_messages)

    async def _send(self, client: aiomqtt.Client, changes: Changes, render: Renderer) -> None:
        """Send what waits now; what the broker does not confirm goes on waiting."""
        names = changes.take()
        messages = _rendered(names, render)
        try:
            # Many at once, each followed by the next: a broker that delays its answers is not waited for. Tasks of
            # their own, because the library's wait may swallow a cancellation.
            async with asyncio.TaskGroup() as senders:
                for _ in range(min(MOST_UNDER_WAY, len(names))):
                    senders.create_task(self._send_each(client, messages, changes))
        finally:
            changes.give_back()

    async def _send_each(self, client: aiomqtt.Client, messages: Iterator[Message], changes: Changes) -> None:
        for name, topic, payload in messages:
            if self._told.get(topic) != payload:
                await client.publish(topic, payload, qos=1, retain=True)
                self._told[topic] = payload
                self._sent += 1
            changes.confirm(name)

    async def _send_status(self, client: aiomqtt.Client, presence: Presence, since: Instant) -> None:
        async with asyncio.TaskGroup() as sender:
            sender.create_task(client.publish(*self._status(presence, since), qos=1, retain=True))

    def _status(self, presence: Presence, since: Instant) -> tuple[str, bytes]:
        at = self._clock.now()
        return self._standing.topics.status, status_message(presence, at, since, self._settings.site)

    async def _take_leave(self, client: aiomqtt.Client, since: Instant) -> None:
        """Send what is left while there is time, and say that nothing more will come."""
        with suppress(aiomqtt.MqttError, ExceptionGroup, TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                await self._send_alarms(client)
                await self._send_channels(client)
        await self._say_last(client, Presence.STOPPED, since)

    async def _say_last(self, client: aiomqtt.Client, presence: Presence, since: Instant) -> None:
        """Take back that we are online; a broker that hangs reads it when it goes on, before our good-bye.

        That good-bye cancels the last will, and nobody waits for an answer to it either.
        """
        with suppress(aiomqtt.MqttError, TimeoutError):
            async with asyncio.timeout(LET_GO_S):
                await client.publish(*self._status(presence, since), qos=0, retain=True)


def _rendered(names: Sequence[str], render: Renderer) -> Iterator[Message]:
    """Look messages up shortly before they are sent, some at a time."""
    for first in range(0, len(names), MOST_UNDER_WAY):
        yield from render(names[first : first + MOST_UNDER_WAY])
