"""Those who watch and read slowly, go away, or still watch when the lab ends: none costs the others anything."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from tests.web.people import Browser

from cultureops.acquisition.live import QUEUE_LENGTH
from cultureops.app import web_context
from cultureops.web.server import create_app, serve

PIECE = 64 * 1024
MESSAGES = 16 * QUEUE_LENGTH


@asynccontextmanager
async def silent_watcher(url: str) -> AsyncIterator[socket.socket]:
    """Ask for the stream over a small receive buffer and read none of the answer."""
    async with Browser(base_url=url) as browser:
        await browser.log_in("operator-1")
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    host, port = url.removeprefix("http://").split(":")
    loop = asyncio.get_running_loop()
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.setblocking(False)
        await loop.sock_connect(line, (host, int(port)))
        await loop.sock_sendall(
            line, f"GET /stream HTTP/1.1\r\nHost: {host}:{port}\r\nCookie: {cookie}\r\n\r\n".encode()
        )
        yield line


async def until(condition: Any, timeout_s: float = 3.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)


def longest_queue(served: Any) -> int:
    return max((len(watcher) for watcher in served.lab.feed._subscriptions), default=0)


async def test_a_watcher_that_reads_nothing_loses_messages_and_holds_nobody_up(served: Any) -> None:
    feed = served.lab.feed
    async with silent_watcher(served.url) as slow, Browser(base_url=served.url, timeout=5) as client:
        await client.log_in("operator-1")
        await until(lambda: feed.has_subscribers)
        for number in range(MESSAGES):
            feed.publish(b": %d %s\n\n" % (number, b"x" * PIECE))
            await asyncio.sleep(0)
        assert feed.dropped > MESSAGES // 2  # what the sockets hold is bounded too
        assert longest_queue(served) <= QUEUE_LENGTH
        async with client.stream("GET", "/stream") as answer:
            lines = answer.aiter_lines()
            await served.read("co2", 4.87)
            async with asyncio.timeout(3):
                async for line in lines:
                    if line.startswith("data: ") and ["incubator_1/co2", 4.87] in told(line):
                        break
        assert (await client.get("/")).status_code == 200
        said = await read_until(slow, b'"incubator_1/co2",4.87')
        assert b"event: behind" in said, "whoever lost something is told so, and how things stand"


async def read_until(line: socket.socket, wanted: bytes) -> bytes:
    """Read what waits in a socket and what comes, until it holds what is wanted; return the last of it."""
    loop, said = asyncio.get_running_loop(), b""
    async with asyncio.timeout(5):
        while wanted not in said:
            said = said[-3 * PIECE :] + await loop.sock_recv(line, PIECE)
    return said


def told(line: str) -> list[list[Any]]:
    """Return channel and value of each reading in a line of data."""
    return [row[:2] for row in json.loads(line.removeprefix("data: ")).get("readings", [])]


async def test_a_slow_watcher_that_goes_is_forgotten(served: Any) -> None:
    feed = served.lab.feed
    async with silent_watcher(served.url):
        await until(lambda: feed.has_subscribers)
        for _ in range(MESSAGES):
            feed.publish(b": %s\n\n" % (b"x" * PIECE))
            await asyncio.sleep(0)
    await until(lambda: not feed.has_subscribers)
    assert feed.dropped > 0


async def test_a_quiet_watcher_that_goes_is_forgotten(served: Any) -> None:
    async with silent_watcher(served.url):
        await until(lambda: served.lab.feed.has_subscribers)
    await until(lambda: not served.lab.feed.has_subscribers)


@pytest.mark.parametrize("watches", [False, True], ids=["nobody watching", "somebody watching"])
async def test_the_end_comes_within_three_seconds_and_frees_the_port(
    served: Any, watches: bool, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(web_context(served.lab, None))
    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(app, "127.0.0.1", 0, listening.set_result))
    url = (await listening).rstrip("/")
    async with silent_watcher(url) if watches else httpx.AsyncClient():
        if watches:
            await until(lambda: served.lab.feed.has_subscribers)
        serving.cancel()
        async with asyncio.timeout(3):
            with pytest.raises(asyncio.CancelledError):
                await serving
        assert not served.lab.feed.has_subscribers
    assert not caplog.records, "whoever ends a lab sees no complaint about those who watched"
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", int(url.rpartition(":")[2])))
