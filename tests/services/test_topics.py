"""What is heard of a real broker: live, retained, refused, and when it goes away."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiomqtt
import pytest
from tests.services.test_mosquitto import Broker, until

from cultureops.device.transport.base import ByteLink, HttpLink, RegisterLink, TopicLink
from cultureops.device.transport.mqtt import BrokerLink, mqtt_link
from cultureops.device.transport.open import open_link
from cultureops.errors import ConfigError, DriverTimeout, NotConnected

DEADLINE_S = 1.0
TOPIC, OTHER = "plant/reactor-1/temperature", "plant/reactor-2/temperature"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    found = Broker(tmp_path)
    found.start()
    yield found
    found.kill()


@pytest.fixture
async def link(broker: Broker) -> AsyncIterator[BrokerLink]:
    opened = mqtt_link("127.0.0.1", broker.port, DEADLINE_S)
    yield opened
    for topic_filter in ("plant/+/temperature", "plant/#", TOPIC, OTHER):
        await opened.close(topic_filter)
    assert not opened.is_open and asyncio.all_tasks() == {asyncio.current_task()}


async def say(broker: Broker, topic: str, payload: bytes, *, retain: bool = False) -> None:
    async with aiomqtt.Client("127.0.0.1", broker.port, timeout=5) as client:
        await client.publish(topic, payload, qos=1, retain=retain)


async def hear(link: BrokerLink, topic: str, payload: bytes) -> None:
    await until(lambda: (heard := link.latest(topic)) is not None and heard.payload == payload)


def test_the_uri() -> None:
    link = open_link("mqtt://10.0.0.7:1883", 1.0)
    assert isinstance(link, TopicLink) and not isinstance(link, ByteLink | RegisterLink | HttpLink)
    assert not link.is_open
    with pytest.raises(ConfigError, match="expected mqtt://host:port"):
        open_link("mqtt://10.0.0.7:1883/plant", 1.0)


async def test_live_and_retained_are_told_apart(broker: Broker, link: BrokerLink) -> None:
    with pytest.raises(NotConnected, match="connect first"):
        link.latest(TOPIC)
    await say(broker, TOPIC, b"36.9", retain=True)
    await link.open("plant/+/temperature")
    await link.open("plant/+/temperature")
    await hear(link, TOPIC, b"36.9")
    kept = link.latest(TOPIC)
    assert kept is not None and kept.is_retained and link.latest(OTHER) is None
    began_s = asyncio.get_running_loop().time()
    await say(broker, TOPIC, b"37.1", retain=True)
    await link.wait([TOPIC])
    live = link.latest(TOPIC)
    assert live is not None and live.payload == b"37.1" and not live.is_retained
    assert began_s <= live.arrived_s <= asyncio.get_running_loop().time()
    await link.open("plant/#")  # the broker repeats what it keeps: that makes nothing older
    await say(broker, OTHER, b"1")
    await hear(link, OTHER, b"1")
    assert link.latest(TOPIC) == live


async def test_waiting_ends_with_the_deadline(broker: Broker, link: BrokerLink) -> None:
    await say(broker, TOPIC, b"36.9", retain=True)
    await link.open(TOPIC)
    began = time.monotonic()
    with pytest.raises(DriverTimeout, match="nothing was sent within 1 s"):
        await link.wait([TOPIC])
    assert DEADLINE_S <= time.monotonic() - began < DEADLINE_S + 0.5


async def test_neighbours_share_one_connection(broker: Broker, link: BrokerLink) -> None:
    await link.open(TOPIC)
    await link.open(OTHER)
    await say(broker, TOPIC, b"1")
    await say(broker, OTHER, b"2")
    await hear(link, OTHER, b"2")
    await link.close(TOPIC)
    assert link.is_open and link.latest(TOPIC) is None
    await say(broker, TOPIC, b"3")
    await say(broker, OTHER, b"4")
    await hear(link, OTHER, b"4")
    assert link.latest(TOPIC) is None
    await link.close(OTHER)
    await link.close(OTHER)
    assert not link.is_open
    with pytest.raises(NotConnected):
        link.latest(OTHER)


async def test_a_killed_broker_is_noticed_and_forgotten_with_all_it_said(broker: Broker, link: BrokerLink) -> None:
    await link.open(TOPIC)
    await say(broker, TOPIC, b"1")
    await hear(link, TOPIC, b"1")
    waiting = asyncio.create_task(link.wait([OTHER]))
    await asyncio.sleep(0)
    broker.kill()
    with pytest.raises(NotConnected):
        await waiting
    assert not link.is_open
    with pytest.raises(NotConnected, match="no broker"):
        await link.open(TOPIC)
    broker.start()
    await link.open(TOPIC)
    assert link.latest(TOPIC) is None
    await say(broker, TOPIC, b"2")
    await hear(link, TOPIC, b"2")


async def test_a_stopped_broker_costs_one_deadline(broker: Broker, link: BrokerLink) -> None:
    broker.signal(signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(NotConnected):
        await link.open(TOPIC)
    assert time.monotonic() - began < DEADLINE_S + 0.5
    broker.signal(signal.SIGCONT)
    await link.open(TOPIC)
    assert link.is_open


async def test_a_refused_topic() -> None:
    answers = iter((b"\x20\x02\x00\x00", b"\x90\x03\x00\x01\x80"))  # connected; subscription 1 refused

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (await reader.read(1000)) and (answer := next(answers, None)):
            writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        link = mqtt_link("127.0.0.1", server.sockets[0].getsockname()[1], DEADLINE_S)
        with pytest.raises(NotConnected, match="does not allow 'plant/#'; check its access list"):
            await link.open("plant/#")
        assert not link.is_open


async def test_no_broker() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        link = mqtt_link("127.0.0.1", bound.getsockname()[1], DEADLINE_S)
        with pytest.raises(NotConnected, match=r"no broker"):
            await link.open(TOPIC)
        await link.close(TOPIC)


async def test_a_cancelled_opening_leaves_nothing_behind(broker: Broker, link: BrokerLink) -> None:
    broker.signal(signal.SIGSTOP)
    opening = asyncio.create_task(link.open(TOPIC))
    await asyncio.sleep(0.05)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    broker.signal(signal.SIGCONT)
    await link.close(TOPIC)
    assert not link.is_open
