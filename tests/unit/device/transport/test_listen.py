"""Lines on which the instrument begins."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cultureops.device.transport.base import ByteLink, Peer, PeerLink
from cultureops.device.transport.listen import MOST_PEERS, CalledLink, dial_link
from cultureops.device.transport.open import open_link
from cultureops.errors import ConfigError, NotConnected

DEADLINE_S = 5.0


class Ear:
    """Hears one peer and answers in capitals."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.heard = b""
        self.is_lost = asyncio.Event()

    def receive(self, data: bytes) -> None:
        self.heard += data
        if data.islower():
            self.peer.send(data.upper())

    def lost(self) -> None:
        self.is_lost.set()


class Ears:
    """Gives each peer its ear."""

    def __init__(self) -> None:
        self.all: list[Ear] = []

    def __call__(self, peer: Peer) -> Ear:
        self.all.append(Ear(peer))
        return self.all[-1]


@pytest.mark.parametrize("uri", ["listen+tcp://127.0.0.1:4010", "dial+tcp://h:4010", "listen+serial:///dev/ttyUSB0"])
def test_links_are_named_by_uri(uri: str) -> None:
    link = open_link(uri, 1.0)
    assert isinstance(link, PeerLink) and not isinstance(link, ByteLink)
    assert link.name == uri and not link.is_listening


@pytest.mark.parametrize("uri", ["listen+tcp://127.0.0.1", "listen+tcp://h:0", "dial+tcp://h:1/x", "listen+serial://x"])
def test_wrong_uris(uri: str) -> None:
    with pytest.raises(ConfigError):
        open_link(uri, 1.0)


def test_a_line_that_is_asked_is_not_listened_to() -> None:
    assert not isinstance(open_link("tcp://127.0.0.1:9", 1.0), PeerLink)
    assert not isinstance(Path("/"), PeerLink)


async def test_callers_are_told_apart() -> None:
    link, ears = CalledLink("127.0.0.1", 0), Ears()
    with pytest.raises(NotConnected, match="nobody listens yet"):
        _ = link.address
    await link.listen(ears)
    await link.listen(ears)
    lines = [await asyncio.open_connection(*link.address) for _ in range(2)]
    async with asyncio.timeout(DEADLINE_S):
        for word, (reader, writer) in zip((b"one", b"two"), lines, strict=True):
            writer.write(word)
            assert await reader.readexactly(3) == word.upper()
        assert [ear.heard for ear in ears.all] == [b"one", b"two"]
        assert len({ear.peer.name for ear in ears.all}) == 2
        lines[0][1].close()
        await ears.all[0].is_lost.wait()
        ears.all[1].peer.close()
        assert await lines[1][0].read() == b""
        await ears.all[1].is_lost.wait()
        ears.all[1].peer.send(b"late")
        ears.all[1].peer.close()
    lines[1][1].close()
    await link.close()
    await link.close()
    assert not link.is_listening


async def test_there_is_room_for_a_few_only() -> None:
    link, ears = CalledLink("127.0.0.1", 0), Ears()
    await link.listen(ears)
    lines = [await asyncio.open_connection(*link.address) for _ in range(MOST_PEERS + 1)]
    async with asyncio.timeout(DEADLINE_S):
        assert await lines[-1][0].read() == b""
        assert len(ears.all) == MOST_PEERS
        await link.close()
        for reader, _ in lines:
            assert await reader.read() == b""
        for ear in ears.all:
            await ear.is_lost.wait()
    for _, writer in lines:
        writer.close()


async def test_a_dialled_line_is_held_and_opened_again() -> None:
    far, far_ears = CalledLink("127.0.0.1", 0), Ears()
    await far.listen(far_ears)
    link, ears = dial_link(*far.address, 1.0), Ears()
    async with asyncio.timeout(DEADLINE_S):
        await link.listen(ears)
        assert link.is_listening
        await link.listen(ears)
        while not far_ears.all:
            await asyncio.sleep(0.001)
        far_ears.all[0].peer.send(b"hello")
        while far_ears.all[0].heard != b"HELLO":
            await asyncio.sleep(0.001)
        far_ears.all[0].peer.close()
        await ears.all[0].is_lost.wait()
        assert not link.is_listening
        await link.listen(ears)
        assert link.is_listening and len(ears.all) == 2
        await link.close()
        assert not link.is_listening
    await far.close()


async def test_nobody_there_is_one_line() -> None:
    far = CalledLink("127.0.0.1", 0)
    await far.listen(Ears())
    address = far.address
    await far.close()
    with pytest.raises(NotConnected, match=rf"^dial\+tcp://127.0.0.1:{address[1]}: can't be opened"):
        await dial_link(*address, 1.0).listen(Ears())
