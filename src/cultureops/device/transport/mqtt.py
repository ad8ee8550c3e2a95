"""Topics of an MQTT broker: what was heard last of each, and when.

The connection belongs to a task of the link that begins with the first filter and ends with the last one. When it
breaks, every filter is forgotten with all that was heard: who wants to go on listening opens its filter anew.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from typing import Final

import aiomqtt

from cultureops.device.transport.base import TopicMessage
from cultureops.device.transport.deadline import Deadline
from cultureops.device.transport.mqtt_guard import Guard, Inbox, Registrar, let_go
from cultureops.errors import DriverTimeout, NotConnected

__all__ = ["FAREWELL_S", "LET_GO_S", "BrokerLink", "connected", "mqtt_link"]

_QUIET: Final = logging.getLogger("cultureops.device.transport.mqtt.client")
_QUIET.setLevel(logging.CRITICAL)  # what the library has to say is raised as NotConnected

FAREWELL_S: Final = 5.0
LET_GO_S: Final = 0.5
KEEPALIVE_S: Final = 15
MOST_TOPICS: Final = 1000
LONGEST_KEPT_BYTES: Final = 65_536
_REFUSED: Final = 0x80


@asynccontextmanager
async def connected(client: aiomqtt.Client) -> AsyncIterator[aiomqtt.Client]:
    """Connect for the block; raises MqttError when it can't be done, or when the broker sends what nobody can take."""
    ended = asyncio.Event()
    guard = Guard.of(client, ended.set)
    Registrar(client)
    opening = asyncio.create_task(client.__aenter__())
    ending = asyncio.create_task(ended.wait())
    try:
        # It connects in a thread, which can't be stopped half-way; what comes after that can.
        await asyncio.wait({opening, ending}, return_when=asyncio.FIRST_COMPLETED)
        if not opening.done():
            opening.cancel()
            raise aiomqtt.MqttError(guard.fault or "the broker hung up before it let us in")
        await opening
        yield client
    except Exception as error:
        if guard.fault is None:
            raise
        raise aiomqtt.MqttError(guard.fault) from error
    finally:
        ending.cancel()
        await asyncio.wait({opening, ending}, timeout=FAREWELL_S)
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        # The library leaves a connection that was never confirmed to us.
        with suppress(aiomqtt.MqttError, TimeoutError):
            async with asyncio.timeout(LET_GO_S):
                await client.__aexit__(None, None, None)
        let_go(client)


class BrokerLink(Deadline):
    """A TopicLink to the broker at ``host:port``; ``deadline_s`` bounds connecting, subscribing and waiting (> 0)."""

    def __init__(self, host: str, port: int, deadline_s: float) -> None:
        super().__init__(deadline_s)
        self.name = f"mqtt://{host}:{port}"
        self._host, self._port = host, port
        self._client: aiomqtt.Client | None = None
        self._session: asyncio.Task[None] | None = None
        self._filters: set[str] = set()
        self._latest: dict[str, TopicMessage] = {}
        self._news: asyncio.Future[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether the broker is connected."""
        return self._client is not None

    async def open(self, topic_filter: str) -> None:
        """Hear a filter's topics, connecting first where needed (see TopicLink)."""
        client = self._client or await self._connected()
        if topic_filter in self._filters:
            return
        self._filters.add(topic_filter)
        try:
            codes = await client.subscribe(topic_filter, qos=1, timeout=self.deadline_s)
        except BaseException as error:
            await self.close(topic_filter)
            if isinstance(error, aiomqtt.MqttError):
                raise NotConnected(f"{self.name}: can't hear {topic_filter!r}: {error}") from None
            raise
        if any(code >= _REFUSED if isinstance(code, int) else code.is_failure for code in codes):
            await self.close(topic_filter)
            raise NotConnected(f"{self.name}: the broker does not allow {topic_filter!r}; check its access list")

    async def close(self, topic_filter: str) -> None:
        """Forget a filter and what was heard of it; the last one ends the connection (see TopicLink)."""
        self._filters.discard(topic_filter)
        if not self._filters:
            await self._end()
            return
        self._latest = {topic: kept for topic, kept in self._latest.items() if self._is_wanted(aiomqtt.Topic(topic))}
        if self._client is not None:
            with suppress(aiomqtt.MqttError):
                await self._client.unsubscribe(topic_filter, timeout=self.deadline_s)

    def latest(self, topic: str) -> TopicMessage | None:
        """Return the newest message of a topic (see TopicLink)."""
        self._check()
        return self._latest.get(topic)

    async def wait(self, topics: Collection[str]) -> None:
        """Wait until one of the topics was heard as it was sent (see TopicLink)."""
        try:
            async with asyncio.timeout(self.deadline_s):
                while not any((heard := self.latest(topic)) and not heard.is_retained for topic in topics):
                    self._news = self._news or asyncio.get_running_loop().create_future()
                    await asyncio.wait({self._news})
        except TimeoutError:
            raise DriverTimeout(f"{self.name}: nothing was sent within {self.deadline_s:g} s") from None

    def _check(self) -> None:
        if self._client is None:
            raise NotConnected(f"{self.name}: no connection to the broker; connect first")

    async def _connected(self) -> aiomqtt.Client:
        await self._end(self.deadline_s)
        ready: asyncio.Future[aiomqtt.Client] = asyncio.get_running_loop().create_future()
        self._session = asyncio.create_task(self._listen(ready))
        try:
            async with asyncio.timeout(self.deadline_s):
                return await ready
        except TimeoutError:
            self._session.cancel()  # it goes when its thread does; whoever connects or closes next waits for that
            raise NotConnected(
                f"{self.name}: no broker within {self.deadline_s:g} s; check that it is running"
            ) from None
        except aiomqtt.MqttError as error:
            raise NotConnected(f"{self.name}: no broker: {error}") from None
        except asyncio.CancelledError:
            self._session.cancel()
            raise

    async def _listen(self, ready: asyncio.Future[aiomqtt.Client]) -> None:
        """Keep what comes until the connection breaks or nobody wants it any more."""
        client = aiomqtt.Client(
            self._host,
            self._port,
            timeout=self.deadline_s,
            keepalive=KEEPALIVE_S,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
            queue_type=Inbox,
            logger=_QUIET,
        )
        try:
            async with connected(client):
                if ready.done():
                    return
                self._client = client
                ready.set_result(client)
                async for message in client.messages:
                    self._take(message)
        except (aiomqtt.MqttError, OSError, ValueError) as error:
            if not ready.done():
                ready.set_exception(aiomqtt.MqttError(str(error)))
        finally:
            self._client = None
            self._filters.clear()
            self._latest.clear()
            self._tell()

    def _take(self, message: aiomqtt.Message) -> None:
        topic, payload, known = message.topic.value, message.payload, self._latest.get(message.topic.value)
        if not isinstance(payload, bytes | bytearray) or not self._is_wanted(message.topic):
            return
        if message.retain and known is not None and not known.is_retained:
            return  # told again, because another filter of ours covers it too
        if len(payload) > LONGEST_KEPT_BYTES:
            self._latest.pop(topic, None)  # what was known before is not what stands there now
            return
        if known is not None or len(self._latest) < MOST_TOPICS:
            now_s = asyncio.get_running_loop().time()
            self._latest[topic] = TopicMessage(bytes(payload), now_s, message.retain)
            self._tell()

    def _is_wanted(self, topic: aiomqtt.Topic) -> bool:
        return any(topic.matches(topic_filter) for topic_filter in self._filters)

    def _tell(self) -> None:
        news, self._news = self._news, None
        if news is not None and not news.done():
            news.set_result(None)

    async def _end(self, within_s: float | None = None) -> None:
        """End the connection and wait until it is gone, which takes at most ``FAREWELL_S`` and some."""
        if self._session is None:
            return
        if not self._session.cancelling():  # a second time would cut short how it takes leave
            self._session.cancel()
        _, going = await asyncio.wait({self._session}, timeout=within_s)
        if going:
            raise NotConnected(f"{self.name}: still lets go of its last connection; tried again at the next poll")
        self._session = None


def mqtt_link(host: str, port: int, deadline_s: float) -> BrokerLink:
    """Return a closed link to the broker at ``host:port`` (port 1-65535)."""
    return BrokerLink(host, port, deadline_s)
