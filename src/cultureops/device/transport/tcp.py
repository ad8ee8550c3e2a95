"""Bytes over TCP: terminal servers, and instruments with a socket of their own."""

from __future__ import annotations

import asyncio

from cultureops.device.transport.stream import StreamLink

__all__ = ["tcp_link"]


def tcp_link(host: str, port: int, deadline_s: float) -> StreamLink:
    """Return a closed link to ``host:port`` (port 1-65535)."""

    async def connect(protocol: asyncio.Protocol) -> object:
        return await asyncio.get_running_loop().create_connection(lambda: protocol, host, port)

    return StreamLink(f"tcp://{host}:{port}", connect, deadline_s)
