"""A cancel that comes with the answer is heeded: whoever polls in a loop must be able to end."""

import asyncio
from typing import Any

import pytest

from cultureops.device.transport.modbus import modbus_tcp_link


class Answering:
    """Answers each request for one register with 7."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.read(12):
            writer.write(request[:4] + bytes.fromhex("0005") + request[6:8] + bytes.fromhex("020007"))
        writer.close()
        await writer.wait_closed()
        self.ended.set()


async def test_a_cancel_that_comes_with_the_answer_is_not_lost() -> None:
    device = Answering()
    server = await asyncio.start_server(device, "127.0.0.1", 0)
    link = modbus_tcp_link("127.0.0.1", server.sockets[0].getsockname()[1], 2.0)
    await link.open()
    assert list(await link.read_registers(1, 4, 0, 1)) == [7]

    async def poll_for_ever() -> None:
        while True:
            await link.read_registers(1, 4, 0, 1)

    task = asyncio.create_task(poll_for_ever())
    line: Any = link._line

    def cancel_with_the_answer(_: bytes) -> str:
        line._wrong = lambda _: ""
        task.cancel()
        return ""

    line._wrong = cancel_with_the_answer
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(3):
            await task
    await link.close()
    server.close()
    async with asyncio.timeout(3):
        await device.ended.wait()
