"""A broker that means harm, as a process of its own: each connection of a client is treated in another way.

Arguments: a seed, how long one treatment may last [s], and the treatments to begin with. Prints its port, and when its
standard input ends, how often each kind of client met each treatment (JSON). Kinds: ``sparkplug``, ``json``,
``notifier`` and ``device``.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import struct
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
CONNACK = b"\x20\x02\x00\x00"
TOPICS = [
    b"pioreactor/unit_1/trial/temperature_automation/temperature",
    b"pioreactor/unit_1/trial/stirring/measured_rpm",
    b"pioreactor/unit_1/trial/temperature_automation/$state",
    b"pioreactor/unit_1/trial/stirring/$state",
    b"spBv1.0/A/NCMD/lab-1",
]
STATES = [topic for topic in TOPICS if topic.endswith(b"$state")]
PLAUSIBLE = json.dumps({"temperature": 37.0, "measured_rpm": 500.0, "timestamp": "2026-01-05T08:00:00Z"}).encode()
REBIRTH = bytes.fromhex("122012" + "0a14") + b"Node Control/Rebirth"  # close to a command, and cut short


def length(count: int) -> bytes:
    found = bytearray()
    while True:
        count, low = divmod(count, 128)
        found.append(low | (0x80 if count else 0))
        if not count:
            return bytes(found)


def publish(topic: bytes, payload: bytes, *, qos: int = 0, mid: int = 1, retain: bool = False) -> bytes:
    body = struct.pack("!H", len(topic)) + topic + (struct.pack("!H", mid) if qos else b"") + payload
    return bytes([0x30 | qos << 1 | retain]) + length(len(body)) + body


@dataclass
class Call:
    """One connection; ``decent`` answers what is asked until the client goes."""

    reader: Reader
    writer: Writer
    dice: random.Random
    lasts_s: float

    async def packet(self) -> tuple[int, bytes]:
        first = (await self.reader.readexactly(1))[0]
        size, shift = 0, 0
        while True:
            byte = (await self.reader.readexactly(1))[0]
            size |= (byte & 127) << shift
            shift += 7
            if not byte & 128:
                return first, await self.reader.readexactly(size)

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def decent(self, *, acknowledges: bool = True, suback: Callable[[bytes], bytes] | None = None) -> None:
        while True:
            first, body = await self.packet()
            match first >> 4:
                case 3 if first & 6 and acknowledges:
                    at = 2 + struct.unpack("!H", body[:2])[0]
                    await self.say(b"\x40\x02" + body[at : at + 2])
                case 8:
                    await self.say(suback(body[:2]) if suback else b"\x90\x03" + body[:2] + b"\x01")
                case 10:
                    await self.say(b"\xb0\x02" + body[:2])
                case 12:
                    await self.say(b"\xd0\x00")
                case 14:
                    return

    async def beside(self, harm: Awaitable[None]) -> None:
        """Be decent, and do this harm as soon as somebody listens."""
        await self.say(CONNACK)
        async with asyncio.TaskGroup() as work:
            work.create_task(self._then(harm))
            work.create_task(self.decent())

    async def _then(self, harm: Awaitable[None]) -> None:
        await asyncio.sleep(0.02)
        await harm


async def endlessly(call: Call, data: bytes) -> None:
    while True:
        await call.say(data)


async def too_long(call: Call) -> None:
    async def harm() -> None:
        await call.say(b"\x30" + length(268_435_455))
        await endlessly(call, bytes(1_000_000))

    await call.beside(harm())


async def too_long_at_once(call: Call) -> None:
    await call.say(b"\x20" + length(268_435_455))
    await endlessly(call, bytes(1_000_000))


async def rather_long(call: Call) -> None:
    """Payloads just below what is taken, again and again."""

    async def harm() -> None:
        while True:
            for topic in TOPICS:
                await call.say(publish(topic, b"9" * 1_000_000))

    await call.beside(harm())


async def length_of_five_bytes(call: Call) -> None:
    await call.beside(call.say(b"\x30\xff\xff\xff\xff\xff\x7f"))


async def bad_topics(call: Call) -> None:
    async def harm() -> None:
        for topic in (
            b"\xff\xfe\x00",
            b"a/\xed\xa0\x80",
            b"#",
            b"a/+/b",
            b"$SYS/broker",
            b"",
            b"x" * 65_000,
            b"a\x00b",
        ):
            for qos in (0, 1):
                await call.say(publish(topic, PLAUSIBLE, qos=qos))
        await asyncio.sleep(call.lasts_s)

    await call.beside(harm())


async def deep_json(call: Call) -> None:
    async def harm() -> None:
        for payload in (
            b"[" * 100_000,
            b"[" * 60_000,
            b'{"temperature":' * 4_000,
            b'{"temperature": NaN, "measured_rpm": Infinity, "timestamp": "2026-01-05T08:00:00Z"}',
            b'{"temperature": ' + b"9" * 60_000 + b', "timestamp": "2026-01-05T08:00:00Z"}',
            b'{"temperature": 1e999999, "measured_rpm": true, "timestamp": "2026-01-05T08:00:00"}',
            b"\xff\xfe{}",
            REBIRTH,
        ):
            for topic in STATES:
                await call.say(publish(topic, b"ready"))
            for topic in TOPICS:
                if topic not in STATES:
                    await call.say(publish(topic, payload))
            await asyncio.sleep(call.lasts_s / 9)

    await call.beside(harm())


async def stale(call: Call) -> None:
    async def harm() -> None:
        for _ in range(20):
            for topic in STATES:
                await call.say(publish(topic, b"ready", retain=True))
            for topic in TOPICS:
                if topic not in STATES:
                    await call.say(publish(topic, PLAUSIBLE, retain=True))
            await asyncio.sleep(call.lasts_s / 20)

    await call.beside(harm())


def flood(qos: int, size: int) -> Callable[[Call], Awaitable[None]]:
    async def treat(call: Call) -> None:
        async def harm() -> None:
            mid = 0
            while True:
                mid = mid % 65_535 + 1
                topic = b"pioreactor/unit_1/trial/job_%d/setting" % mid
                await call.say(publish(topic, bytes(size), qos=qos, mid=mid))

        await call.beside(harm())

    return treat


async def rebirths(call: Call) -> None:
    """A host that asks for a birth all the time."""
    metric = b"\x0a\x14Node Control/Rebirth\x20\x0b\x70\x01"
    command = publish(TOPICS[-1], b"\x08\x01\x12" + length(len(metric)) + metric)
    await call.beside(endlessly(call, command * 50))


async def bad_connack(call: Call) -> None:
    answers = (
        b"\x20\x00",
        b"\x20\x01\x00",
        b"\x20\x02\x00\xff",
        b"\x20\x03\x00\x00\x00",
        b"\x21\x02\x00\x00",
        CONNACK * 500 + b"\x20\x02\x00\x05",
    )
    await call.say(call.dice.choice(answers))
    await call.decent()


async def bad_suback(call: Call) -> None:
    await call.say(CONNACK)
    answers = (
        lambda mid: b"\x90\x03\x7f\xff\x01",
        lambda mid: b"\x90\x00",
        lambda mid: b"\x90\x01\x00",
        lambda mid: b"\x90\x02" + mid,
        lambda mid: b"\x90" + length(60_002) + mid + b"\x01" * 60_000,
        lambda mid: b"\x90\x03" + mid + b"\x80",
    )
    await call.decent(suback=call.dice.choice(answers))


async def bad_puback(call: Call) -> None:
    async def harm() -> None:
        for kind in (b"\x40", b"\x50", b"\x70", b"\x62", b"\xb0"):
            await call.say((kind + b"\x02\x00\x01" + kind + b"\x02\x7f\xff") * 100)
        await call.say(b"\x40\x01\x00" + b"\x40\x00" + b"\xb0\x00")
        await asyncio.sleep(call.lasts_s)

    await call.say(CONNACK)
    async with asyncio.TaskGroup() as work:
        work.create_task(harm())
        work.create_task(call.decent(acknowledges=False))


async def half(call: Call) -> None:
    await call.say(call.dice.choice((CONNACK[:3], CONNACK + publish(TOPICS[0], PLAUSIBLE)[:20])))
    await call.reader.read()


async def drip(call: Call) -> None:
    for byte in CONNACK + publish(TOPICS[0], PLAUSIBLE) * 100:
        await call.say(bytes([byte]))
        await asyncio.sleep(0.05)


async def refuse(call: Call) -> None:
    await call.say(b"\x20\x02\x00" + bytes([call.dice.randint(1, 5)]))


async def storm(call: Call) -> None:
    if call.dice.random() < 0.5:
        await call.say(CONNACK)
        await asyncio.sleep(call.dice.uniform(0, 0.02))
    call.writer.transport.abort()


async def noise(call: Call) -> None:
    await call.say(CONNACK)
    for _ in range(2_000):
        await call.say(call.dice.randbytes(500))


async def chatter(call: Call) -> None:
    """Answers to pings that nobody sent, as fast as they go."""
    await call.beside(endlessly(call, b"\xd0\x00" * 10_000))


TREATMENTS: dict[str, Callable[[Call], Awaitable[None]]] = {
    found.__name__: found
    for found in (
        too_long, too_long_at_once, rather_long, length_of_five_bytes, bad_topics, deep_json, stale, rebirths,
        bad_connack, bad_suback, bad_puback, half, drip, refuse, storm, noise, chatter,
    )
} | {"flood_qos_0": flood(0, 10), "flood_qos_1": flood(1, 1_000), "flood_qos_2": flood(2, 10_000)}  # fmt: skip


@dataclass
class Broker:
    """Counts whom it treated how, and begins anew for each kind of client in an order of its own."""

    seed: int
    lasts_s: float
    first: list[str] = field(default_factory=list)
    met: dict[str, dict[str, int]] = field(default_factory=dict)
    orders: dict[str, list[str]] = field(default_factory=dict)

    async def serve(self, reader: Reader, writer: Writer) -> None:
        call = Call(reader, writer, random.Random(self.seed), self.lasts_s)
        try:
            async with asyncio.timeout(self.lasts_s):
                _, body = await call.packet()
                kind = self._kind(body)
                if not self.orders.get(kind):
                    names = sorted(TREATMENTS)
                    random.Random(f"{self.seed} {kind}").shuffle(names)
                    self.orders[kind] = names + self.first[::-1]
                name = self.orders[kind].pop()
                counts = self.met.setdefault(kind, {})
                counts[name] = counts.get(name, 0) + 1
                call.dice = random.Random(f"{self.seed} {kind} {name} {counts[name]}")
                await TREATMENTS[name](call)
        except (OSError, asyncio.IncompleteReadError, TimeoutError, ExceptionGroup):
            pass
        finally:
            writer.transport.abort()

    def _kind(self, connect: bytes) -> str:
        size = struct.unpack("!H", connect[10:12])[0]
        name = connect[12 : 12 + size]
        if name.endswith(b"-sparkplug"):
            return "sparkplug"
        return "json" if name.startswith(b"cultureops") else "notifier" if name == b"notifier" else "device"


async def main() -> None:
    broker = Broker(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:])
    async with await asyncio.start_server(broker.serve, "127.0.0.1", 0) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)
        print(json.dumps({"treatments": sorted(TREATMENTS), "met": broker.met}), flush=True)
        os._exit(0)


asyncio.run(main())
