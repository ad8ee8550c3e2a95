"""One connection to a broker, from its first byte to its last."""

from __future__ import annotations

import logging
import socket
import ssl
from typing import Final

import aiomqtt

from cultureops.device.transport.mqtt import FAREWELL_S, LET_GO_S, connected
from cultureops.device.transport.mqtt_guard import Inbox
from cultureops.mqtt.settings import MqttSettings, load_own_certificate

__all__ = ["FAREWELL_S", "LET_GO_S", "MOST_UNDER_WAY", "client_for", "connected", "tls_of", "until_lost"]

_QUIET: Final = logging.getLogger("cultureops.mqtt.client")
_QUIET.setLevel(logging.CRITICAL)  # what the library has to say stands in the publisher's status

MOST_UNDER_WAY: Final = 50


def tls_of(settings: MqttSettings) -> ssl.SSLContext | None:
    """Return what the broker is checked by and what we show it, None without TLS; nothing ever falls back to plain."""
    if not settings.tls:
        return None
    context = ssl.create_default_context(cafile=settings.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.cert_file is not None:
        load_own_certificate(context, settings.cert_file, settings.key_file)
    return context


def client_for(
    settings: MqttSettings, tls: ssl.SSLContext | None, will: aiomqtt.Will, client_id: str | None = None
) -> aiomqtt.Client:
    """Return a client that is not connected yet; it takes twice ``MOST_UNDER_WAY`` messages at once."""
    client = aiomqtt.Client(
        settings.host,
        settings.port,
        username=settings.username,
        password=settings.password,
        identifier=client_id or settings.client_id,
        will=will,
        timeout=settings.timeout_s,
        keepalive=settings.keepalive_s,
        max_inflight_messages=2 * MOST_UNDER_WAY,
        tls_context=tls,
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        queue_type=Inbox,
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
