"""A TCP proxy on loopback that delays, drops and cuts, also in the middle of a body, or when an answer comes."""

from __future__ import annotations

import asyncio
import random
from types import TracebackType
from typing import Self

__all__ = ["Proxy"]


class Proxy:
    """Carries bytes to a port of this machine until it is told, or diced, to cut.

    ``cut_after_answers``: the connection is cut when the request after so many answers is under way, its answer lost.
    ``dice`` with ``cut_one_in``: each piece of bytes may be the last, cut in the middle; ``most_delay_s`` delays it.
    """

    def __init__(
        self, port: int, dice: random.Random | None = None, cut_one_in: int = 10, most_delay_s: float = 0.0
    ) -> None:
        self._target = port
        self._dice = dice
        self._cut_one_in = cut_one_in
        self._most_delay_s = most_delay_s
        self.cut_after_answers: int | None = None
        self.cuts = 0
        self.is_open = True
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._begin, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut_all(self) -> None:
        """Cut every connection there is."""
        for task in tuple(self._tasks):
            self.cuts += 1
            task.cancel()

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._carry(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: writer.transport.abort())  # also of one that was cancelled before it began

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back_writer: asyncio.StreamWriter | None = None
        try:
            if self.is_open:
                back_reader, back_writer = await asyncio.open_connection("127.0.0.1", self._target)
                ways = [
                    asyncio.create_task(self._pass_on(reader, back_writer, is_answer=False)),
                    asyncio.create_task(self._pass_on(back_reader, writer, is_answer=True)),
                ]
                try:
                    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for way in ways:
                        way.cancel()
                    await asyncio.gather(*ways, return_exceptions=True)
        except OSError:
            pass
        finally:
            for end in (writer, back_writer):
                if end is not None:
                    end.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool) -> None:
        pieces = 0
        while data := await reader.read(65_536):
            if is_answer and self.cut_after_answers is not None:
                pieces += data[0] == _APPLICATION_DATA
                if pieces > self.cut_after_answers + _TICKETS:
                    self.cuts += 1
                    return
            if self._dice is not None:
                if self._most_delay_s:
                    await asyncio.sleep(self._dice.uniform(0, self._most_delay_s))
                if not self.is_open or self._dice.randrange(self._cut_one_in) == 0:
                    self.cuts += 1
                    writer.write(data[: self._dice.randrange(len(data))])
                    await writer.drain()
                    return
            writer.write(data)
            await writer.drain()


_APPLICATION_DATA = 0x17
"""Begins a record of TLS that carries what was encrypted (RFC 8446 section 5.1)."""
_TICKETS = 1
"""After a handshake a server sends its session tickets in such records too."""
