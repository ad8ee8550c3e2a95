"""A reply that lies ready when the deadline passes is a reply, on either event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import uvloop

from cultureops.device.transport.deadline import reply_within
from cultureops.device.transport.modbus import modbus_tcp_link
from cultureops.device.transport.tcp import tcp_link
from cultureops.errors import DriverTimeout

DEADLINE_S = 0.1
LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]
Answer = Callable[[bytes], bytes]


class Device:
    """A device with a thread of its own: it answers each request when told to, whatever the loop is busy with."""

    def __init__(self, answer: Answer) -> None:
        self.asked, self.may_answer, self.answered = threading.Event(), threading.Event(), threading.Event()
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with self._listener, self._listener.accept()[0] as line:
            while request := line.recv(100):
                self.asked.set()
                self.may_answer.wait(5)
                line.sendall(self._answer(request))
                self.answered.set()

    def close(self) -> None:
        self.may_answer.set()
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        self._thread.join(5)


@contextlib.contextmanager
def device(answer: Answer) -> Iterator[Device]:
    found = Device(answer)
    try:
        yield found
    finally:
        found.close()


async def busy_past_the_deadline(instrument: Device, exchange: asyncio.Task[object]) -> object:
    """Keep the loop busy with another line from before the answer until after the deadline."""
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()

    def hear() -> None:
        loop.remove_reader(ours)
        instrument.may_answer.set()
        assert instrument.answered.wait(5)
        time.sleep(1.5 * DEADLINE_S)

    with ours, theirs:
        async with asyncio.timeout(5):
            while not instrument.asked.is_set():
                await asyncio.sleep(0)
        loop.add_reader(ours, hear)
        theirs.send(b"!")
        return await exchange


@pytest.mark.parametrize("loop_factory", LOOPS)
def test_bytes_that_lie_ready_are_taken(loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def run(instrument: Device) -> object:
        link = tcp_link("127.0.0.1", instrument.port, DEADLINE_S)
        await link.open()
        exchange: asyncio.Task[object] = asyncio.create_task(link.exchange(b"a\r", b"\r"))
        try:
            return await busy_past_the_deadline(instrument, exchange)
        finally:
            await link.close()

    with device(lambda request: b"<" + request) as instrument, asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(run(instrument)) == b"<a\r"


@pytest.mark.parametrize("loop_factory", LOOPS)
def test_registers_that_lie_ready_are_taken(loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def run(instrument: Device) -> object:
        link = modbus_tcp_link("127.0.0.1", instrument.port, DEADLINE_S)
        await link.open()
        exchange: asyncio.Task[object] = asyncio.create_task(link.read_registers(1, 4, 0, 1))
        try:
            return await busy_past_the_deadline(instrument, exchange)
        finally:
            await link.close()

    def answer(request: bytes) -> bytes:
        return request[:4] + bytes.fromhex("0005") + request[6:8] + bytes.fromhex("020007")

    with device(answer) as instrument, asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(run(instrument)) == [7]


@pytest.mark.parametrize("loop_factory", LOOPS)
def test_silence_ends_with_the_deadline(loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def run(instrument: Device) -> float:
        link = tcp_link("127.0.0.1", instrument.port, DEADLINE_S)
        await link.open()
        began = time.monotonic()
        with pytest.raises(DriverTimeout):
            await link.exchange(b"a\r", b"\r")
        took_s = time.monotonic() - began
        await link.close()
        return took_s

    with device(lambda request: request) as instrument, asyncio.Runner(loop_factory=loop_factory) as runner:
        assert DEADLINE_S * 0.95 <= runner.run(run(instrument)) < DEADLINE_S + 0.5


async def test_a_cancelled_wait_leaves_nothing_behind() -> None:
    reply: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(reply_within(0.01, reply))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.sleep(0.03)  # the deadline is over and nobody minds
    assert reply.cancelled()
