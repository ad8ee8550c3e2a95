"""One program of the house, stepped: python -m tests.month.node SITE DATA NOW SEED, for a gateway or the hub.

Reads one JSON object a line and answers with one. What was recorded is told to ``acknowledged.jsonl`` in the folder of
the site file, at once and before the answer, so that whoever kills the program knows what it had promised.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.system.test_alarm_exposure import seed_batch
from tests.web.people import POLICY

from cultureops.alarms import Act
from cultureops.alarms.command import AlarmCommand, Order
from cultureops.clock import SeededEntropy, SteppedClock
from cultureops.gateway import Gateway, open_gateway
from cultureops.hub import Hub, open_hub
from cultureops.lab import Lab
from cultureops.ledger.event import Event
from cultureops.logs import log_to_stderr
from cultureops.site import read_site

__all__: list[str] = []

Do = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]


class Acknowledged:
    """What a ledger has recorded, written where a kill can't take it back."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def take(self, events: Sequence[Event]) -> None:
        text = "".join(json.dumps([event.position, event.hash]) + "\n" for event in events)
        os.write(self._file, text.encode())


class GatewayNode:
    def __init__(self, gateway: Gateway, clock: SteppedClock) -> None:
        self._gateway, self._clock = gateway, clock
        self.lab = gateway.lab

    async def step(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Poll, keep and judge at an instant, and hand over where that is asked for."""
        now = self._clock.advance(asked["now"] - self._clock.now())
        readings = await self.lab.acquisition.poll_once(now)
        durable = self.lab.recorder.accept(readings)
        self.lab.tick(now)
        await durable
        await self.lab.settle()
        is_held = await self._gateway.forwarding.step() if asked["hands_over"] else None
        kept = [[one.channel, one.source_time, one.value] for one in readings if one.channel.endswith("/co2")]
        return {"kept": kept, "held": is_held, "said": self._gateway.forwarding.status().last_error}


class HubNode:
    def __init__(self, hub: Hub, clock: SteppedClock) -> None:
        self._hub, self._clock = hub, clock
        self.lab = hub.lab

    async def step(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Let time pass."""
        now = self._clock.advance(asked["now"] - self._clock.now())
        self.lab.tick(now)
        await self.lab.settle()
        await self._hub.settle()
        return {}

    async def place(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Have a batch stand in a gateway's chamber."""
        await seed_batch(self.lab, self._clock, asked["batch"], asked["chamber"])
        return {}

    async def acknowledge(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Have a person see every alarm of a gateway that nobody has seen."""
        given = 0
        for view in self.lab.across.alarms.active():
            if view.state.wants_acknowledgement:
                act = Act("operator-1", "seen", role="OP")
                command = AlarmCommand(
                    Order.ACKNOWLEDGE, view.rule.id, act, self._clock.now(), 0.0, False, view.raised_at
                )
                await self.lab.alarming.desk.carry_out(command)
                given += 1
        return {"given": given}


@asynccontextmanager
async def opened(
    site_file: Path, data: Path, clock: SteppedClock, seed: int
) -> AsyncIterator[tuple[Lab, dict[str, Do]]]:
    site = read_site(site_file)
    if site.hub is None:
        async with open_hub(replace(site, access=POLICY), data, clock, SeededEntropy(seed)) as hub:
            node = HubNode(hub, clock)
            yield hub.lab, {"step": node.step, "place": node.place, "acknowledge": node.acknowledge}
    else:
        sha256 = hashlib.sha256(site_file.read_bytes()).hexdigest()
        async with open_gateway(site, data, clock, SeededEntropy(seed), sha256) as gateway:
            yield gateway.lab, {"step": GatewayNode(gateway, clock).step}


async def serve(site_file: Path, data: Path, now: int, seed: int) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    clock = SteppedClock(now)
    async with opened(site_file, data, clock, seed) as (lab, known):
        acknowledged = Acknowledged(site_file.parent / "acknowledged.jsonl")
        lab.ledger.on_append.append(acknowledged.take)
        print(json.dumps({"ready": True}), flush=True)
        while line := await reader.readline():
            asked = json.loads(line)
            print(json.dumps(await known[asked["do"]](asked)), flush=True)


if __name__ == "__main__":
    at, kept, begin, number = sys.argv[1:]
    log_to_stderr(logging.WARNING)
    asyncio.run(serve(Path(at), Path(kept), int(begin), int(number)))
