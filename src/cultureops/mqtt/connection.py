"""One connection to a broker, from its first byte to its last."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import aiomqtt

from cultureops.mqtt.settings import MqttSettings

__all__ = ["FAREWELL_S", "LET_GO_S", "MOST_UNDER_WAY", "client_for", "connected", "until_lost"]

_QUIET: Final = logging.getLogger("cultureops.mqtt.client")
_QUIET.setLevel(logging.CRITICAL)  # what the library has to say stands in the publisher's status

MOST_UNDER_WAY: Final = 50
FAREWELL_S: Final = 5.0
LET_GO_S: Final = 0.5


def client_for(settings: MqttSettings, tls: ssl.SSLContext | None, will: aiomqtt.Will) -> aiomqtt.Client:
    """Return a client that is not connected yet; it takes twice ``MOST_UNDER_WAY`` messages at once."""
    client = aiomqtt.Client(
        settings.host,
        settings.port,
        username=settings.username,
        password=settings.password,
        identifier=settings.client_id,
        will=will,
        timeout=settings.timeout_s,
        keepalive=settings.keepalive_s,
        max_inflight_messages=2 * MOST_UNDER_WAY,
        tls_context=tls,
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        logger=_QUIET,
    )
    client.pending_calls_threshold = 2 * MOST_UNDER_WAY
    return client


@asynccontextmanager
async def connected(client: aiomqtt.Client) -> AsyncIterator[aiomqtt.Client]:
    """Connect for the block; raises MqttError when it can't be done."""
    opening = asyncio.create_task(client.__aenter__())
    try:
        await asyncio.shield(opening)  # it connects in a thread, which can't be stopped half-way
        yield client
    finally:
        await asyncio.wait({opening}, timeout=FAREWELL_S)
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        # The library leaves a connection that was never confirmed to us.
        with suppress(aiomqtt.MqttError, TimeoutError):
            async with asyncio.timeout(LET_GO_S):
                await client.__aexit__(None, None, None)


async def until_lost(client: aiomqtt.Client) -> None:
    """Raise MqttError as soon as the connection is lost; nothing is subscribed to, so nothing else can come."""
    try:
        async for _ in client.messages:
            pass
    except aiomqtt.MqttError:
        raise aiomqtt.MqttError("the connection was lost") from None
