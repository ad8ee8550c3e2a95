"""One connection to a broker, from its first byte to its last."""

from __future__ import annotations

import logging
import socket
import ssl
from typing import Final

import aiomqtt

from cultureops.device.transport.mqtt import FAREWELL_S, LET_GO_S, connected
from cultureops.mqtt.settings import MqttSettings

__all__ = ["FAREWELL_S", "LET_GO_S", "MOST_UNDER_WAY", "client_for", "connected", "until_lost"]

_QUIET: Final = logging.getLogger("cultureops.mqtt.client")
_QUIET.setLevel(logging.CRITICAL)  # what the library has to say stands in the publisher's status

MOST_UNDER_WAY: Final = 50


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


async def until_lost(client: aiomqtt.Client) -> None:
    """Raise MqttError as soon as the connection is lost; nothing is subscribed to, so nothing else can come."""
    try:
        async for _ in client.messages:
            pass
    except aiomqtt.MqttError:
        raise aiomqtt.MqttError("the connection was lost") from None
