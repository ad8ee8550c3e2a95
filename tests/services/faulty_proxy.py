"""A proxy before a real server whose every answer may go wrong, in a bounded and seeded way."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

__all__ = ["FaultyProxy", "faulty"]

DEADLINE_S = 10.0
FAULTS = (
    "refuse_429",
    "refuse_500",
    "half_then_500",
    "whole_then_500",
    "half_then_cut",
    "whole_then_cut",
    "cut_inside",
)


class FaultyProxy:
    """Hands requests on; one in ``1 / share`` meets a fault, which ``met`` counts."""

    def __init__(self, behind: str, seed: int, share: float) -> None:
        self.met: Counter[str] = Counter()
        self.url = ""
        self._behind = urlsplit(behind)
        self._dice = random.Random(seed)
        self._share = share

    def heal(self) -> None:
        self._share = 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            while await self._answer_one(reader, writer):
                pass
        writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer a request; False when the connection is to end without a word."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
        )
        body = await reader.readexactly(length)
        fault = self._dice.choice(FAULTS) if self._dice.random() < self._share else "none"
        self.met[fault] += 1
        if fault == "cut_inside":
            await self._hand_on(head, body, sent=length // 2)
            return False
        half = body[: body.rfind(b"\n", 0, length // 2)]
        answer = b""
        if fault in ("none", "whole_then_500", "whole_then_cut"):
            answer = await self._hand_on(head, body)
        elif fault.startswith("half"):
            await self._hand_on(head, half)
        if fault.endswith("cut"):
            return False
        if fault.endswith("429"):
            answer = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n"
        elif fault.endswith("500"):
            answer = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops"
        writer.write(answer)
        await writer.drain()
        return bool(answer)

    async def _hand_on(self, head: bytes, body: bytes, sent: int | None = None) -> bytes:
        """Send a request to the server, or only so many bytes of its body, and return the answer."""
        line, *fields = head.rstrip().split(b"\r\n")
        kept = [field for field in fields if not field.lower().startswith((b"content-length:", b"connection:"))]
        kept += [b"Content-Length: %d" % len(body), b"Connection: close"]
        try:
            async with asyncio.timeout(DEADLINE_S):
                reader, writer = await asyncio.open_connection(self._behind.hostname, self._behind.port)
                try:
                    writer.write(b"\r\n".join([line, *kept, b"", b""]) + body[:sent])
                    await writer.drain()
                    return b"" if sent is not None else await _whole(reader)
                finally:
                    writer.close()
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            return b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"


async def _whole(reader: asyncio.StreamReader) -> bytes:
    """Read an answer to its end; the connection behind is closed with it, the one before is kept."""
    answer = await reader.read()
    if not answer.endswith(b"\r\n\r\n") and b"\r\n\r\n" not in answer:
        raise asyncio.IncompleteReadError(answer, None)
    return answer.replace(b"Connection: close\r\n", b"", 1)


@contextlib.asynccontextmanager
async def faulty(behind: str, seed: int, share: float = 0.3) -> AsyncIterator[FaultyProxy]:
    proxy = FaultyProxy(behind, seed, share)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield proxy
        server.close()
