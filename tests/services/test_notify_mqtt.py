"""People told by a real broker: a route like any other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import aiomqtt
import pytest
from tests.services.test_mosquitto import Broker

from cultureops.notify.message import Message
from cultureops.notify.route import AppriseSender, Route


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    found = Broker(tmp_path)
    found.start()
    yield found
    found.kill()


async def test_a_message_by_mqtt(broker: Broker) -> None:
    route = Route("mqtt", f"mqtt://127.0.0.1:{broker.port}/plant/notification/op-1?qos=1", deadline_s=5)
    async with aiomqtt.Client("127.0.0.1", broker.port, timeout=5) as client:
        await client.subscribe(("plant/#", 1), timeout=5)
        outcome = await AppriseSender()(route, Message("subject", "what to do"))
        assert outcome.is_sent, outcome.reason
        async with asyncio.timeout(5):
            heard = await anext(aiter(client.messages))
    assert heard.topic.value == "plant/notification/op-1" and b"what to do" in bytes(heard.payload)  # type: ignore[arg-type]
    broker.kill()
    outcome = await AppriseSender()(route, Message("subject", "what to do"))
    assert not outcome.is_sent and outcome.reason
