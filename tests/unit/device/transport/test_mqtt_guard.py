"""The guard before the library's reader: what it lets through, and that the library still reads as it thinks."""

from __future__ import annotations

import aiomqtt
import pytest
from paho.mqtt.client import CallbackAPIVersion, Client

from cultureops.device.transport.mqtt_guard import MOST_PACKET_BYTES, MOST_WAITING, MOST_WAITING_BYTES, Guard, Inbox


def message(payload: bytes) -> aiomqtt.Message:
    return aiomqtt.Message("a/b", payload, 0, False, 1, None)


class Wire:
    """A socket that gives whatever is asked for."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def recv(self, size: int) -> bytes:
        self.asked.append(size)
        return b"\x00" * size

    def close(self) -> None:
        self.asked.clear()


@pytest.fixture
def paho() -> Client:
    client = Client(CallbackAPIVersion.VERSION2)
    client._sock = Wire()
    return client


def test_the_library_reads_through_the_guard(paho: Client) -> None:
    guard = Guard(paho)
    paho._packet_read()
    assert paho._sock.asked == [1, 1], "command and length"
    paho._in_packet["command"] = 0x30
    assert paho._sock_recv(500_000) == bytes(65_536) and guard.fault is None
    with pytest.raises(OSError, match="at most 1048576 are taken"):
        paho._sock_recv(MOST_PACKET_BYTES + 1)
    assert guard.fault is not None and "1048577" in guard.fault


def test_only_messages_may_be_long(paho: Client) -> None:
    ended: list[str] = []
    Guard(paho, None, lambda: ended.append("ended"))
    paho._in_packet["command"] = 0x90
    with pytest.raises(OSError, match="at most 1024 are taken"):
        paho._sock_recv(1025)
    assert ended == ["ended"]


def test_messages_left_half_told_are_counted(paho: Client) -> None:
    guard = Guard(paho)
    paho._in_messages.update({mid: object() for mid in range(101)})
    with pytest.raises(OSError, match="did not finish them"):
        paho._sock_recv(1)
    assert guard.fault is not None


async def test_an_inbox_holds_so_many_and_so_much(paho: Client) -> None:
    inbox = Inbox()
    for _ in range(MOST_WAITING):
        inbox.put_nowait(message(b""))
    assert not inbox.is_overrun
    inbox.put_nowait(message(b""))
    assert inbox.is_overrun and inbox.qsize() == MOST_WAITING
    large, piece = Inbox(), MOST_WAITING_BYTES // 4
    for _ in range(10):
        for _ in range(4):
            large.put_nowait(message(bytes(piece)))
        for _ in range(4):
            large.get_nowait()
    assert not large.is_overrun, "what was taken counts no more"
    for _ in range(5):
        large.put_nowait(message(bytes(piece)))
    assert large.is_overrun and large.qsize() == 4
    Guard(paho, large)
    with pytest.raises(OSError, match="faster than it can be listened to"):
        paho._sock_recv(1)
