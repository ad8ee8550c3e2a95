"""Questions over HTTP on real sockets: answers that end in each way there is, and what is none."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from cultureops.device.transport.base import ByteLink, HttpLink, RegisterLink, TopicLink
from cultureops.device.transport.http import PagesLink, http_link
from cultureops.device.transport.open import open_link
from cultureops.errors import ConfigError, DeviceFault, DriverError, DriverTimeout, NotConnected, ProtocolError
from cultureops.testing import Fault, TcpInstrument

DEADLINE_S = 0.5
BARE = b"HTTP/1.1 200 OK\r\nContent-Type: Unknown\r\nServer: Memmert\r\n\r\n"


def sized(body: bytes, status: str = "200 OK", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


@asynccontextmanager
async def rig(
    answer: Callable[[bytes], bytes], *, hangs_up: bool = False
) -> AsyncIterator[tuple[TcpInstrument, PagesLink]]:
    instrument = TcpInstrument(answer, b"\r\n\r\n", hangs_up=hangs_up)
    await instrument.restore()
    host, _, port = instrument.address.partition(":")
    link = http_link(host, int(port), DEADLINE_S)
    try:
        yield instrument, link
    finally:
        await link.close()
        await instrument.cut()


def test_the_uri() -> None:
    link = open_link("http://10.0.0.7:80", 1.0)
    assert isinstance(link, HttpLink) and not isinstance(link, ByteLink | RegisterLink | TopicLink) and not link.is_open
    for wrong in ("http://10.0.0.7", "http://me:word@10.0.0.7:80", "http://10.0.0.7:80/atmoweb"):
        with pytest.raises(ConfigError, match="expected http://host:port"):
            open_link(wrong, 1.0)


async def test_what_is_sent() -> None:
    async with rig(lambda _: sized(b"ok")) as (instrument, link):
        with pytest.raises(NotConnected, match="connect first"):
            await link.get("/atmoweb")
        await link.open()
        await link.open()
        assert link.is_open and instrument.requests == []
        assert await link.get("/atmoweb", "Temp1Read=&CO2Read=") == b"ok"
        assert await link.get("/") == b"ok"
        first, second = (request.decode().split("\r\n") for request in instrument.requests)
        assert first[0] == "GET /atmoweb?Temp1Read=&CO2Read= HTTP/1.1" and second[0] == "GET / HTTP/1.1"
        assert f"Host: {instrument.address}" in first
        assert len(instrument.connections) == 1, "a device that keeps its connection is not dialled twice"


async def test_an_answer_that_ends_with_the_connection() -> None:
    async with rig(lambda _: BARE + b'"Temp1Read": 28.7, ', hangs_up=True) as (instrument, link):
        await link.open()
        for _ in range(3):
            assert await link.get("/atmoweb", "Temp1Read=") == b'"Temp1Read": 28.7, '
        assert len(instrument.requests) == 3 and not link.is_open


async def test_an_answer_in_chunks() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with rig(lambda _: head + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n") as (_, link):
        await link.open()
        assert await link.get("/") == b"abcde"
        assert link.is_open


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (sized(b"", "404 Not Found"), ProtocolError, "status 404; check address and port"),
        (sized(b"", "302 Found", "Location: /other\r\n"), ProtocolError, "status 302"),
        (sized(b"", "204 No Content"), ProtocolError, "status 204"),
        (sized(b"", "500 Internal Server Error"), DeviceFault, "status 500; see the device's own display"),
        (sized(b"x", more="Content-Encoding: gzip\r\n"), ProtocolError, "encoding nobody asked for"),
        (sized(b"x" * 65_537), ProtocolError, "longer than 65536 bytes"),
        (b"+037.00;+036.95\r\n", ProtocolError, "within 0.5 s, only 17 bytes"),
        (b"\x00\xfe\xed\r\n", ProtocolError, "no HTTP answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", ProtocolError, "no whole answer within 0.5 s, only"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", ProtocolError, "no"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", ProtocolError, "no HTTP answer"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000, ProtocolError, "no HTTP answer"),
    ],
)
async def test_what_is_no_answer(answer: bytes, error: type[DriverError], said: str) -> None:
    answers = [answer, sized(b"sound")]
    async with rig(lambda _: answers.pop(0)) as (_, link):
        await link.open()
        with pytest.raises(error, match=said):
            await link.get("/")
        assert not link.is_open, "nothing that still comes may be taken for the next answer"
        assert await link.get("/") == b"sound"


@pytest.mark.parametrize("cut_short", [b"", b"HTTP/1.1 200 OK\r\nConte", sized(b"abcdef")[:-2]])
async def test_an_answer_cut_short_is_a_broken_line(cut_short: bytes) -> None:
    async with rig(lambda _: cut_short, hangs_up=True) as (_, link):
        await link.open()
        with pytest.raises(NotConnected, match=r"the connection broke \(closed by the device\)"):
            await link.get("/")


async def test_one_deadline_for_everything() -> None:
    async with rig(lambda _: sized(b"x")) as (instrument, link):
        await link.open()
        instrument.fault = Fault.SILENT
        began = time.monotonic()
        with pytest.raises(DriverTimeout, match=r"no answer within 0\.5 s"):
            await link.get("/")
        assert time.monotonic() - began < 1.5 * DEADLINE_S + 0.1


async def test_nobody_listens() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        link = http_link("127.0.0.1", bound.getsockname()[1], DEADLINE_S)
        with pytest.raises(NotConnected, match="can't be reached"):
            await link.open()
        assert not link.is_open


async def test_a_late_answer_is_nobodys() -> None:
    answers = iter((b"old", b"new"))
    async with rig(lambda _: sized(next(answers))) as (instrument, link):
        await link.open()
        instrument.fault, instrument.delay_s = Fault.LATE, 1.3 * DEADLINE_S
        with pytest.raises(DriverTimeout):
            await link.get("/")
        instrument.fault = Fault.NONE
        assert await link.get("/") == b"new"


async def test_more_than_was_asked_ends_the_connection() -> None:
    answers = [sized(b"asked") + sized(b"unasked"), sized(b"next")]
    async with rig(lambda _: answers.pop(0)) as (_, link):
        await link.open()
        assert await link.get("/") == b"asked"
        assert not link.is_open
        assert await link.get("/") == b"next"


async def test_what_comes_unasked_ends_the_connection() -> None:
    async with rig(lambda _: sized(b"next")) as (instrument, link):
        await link.open()
        assert await link.get("/") == b"next"
        instrument.say(sized(b"unasked"))
        await until(lambda: not link.is_open)
        assert await link.get("/") == b"next"


async def test_a_cancelled_question_leaves_nothing_behind() -> None:
    async with rig(lambda _: sized(b"x")) as (instrument, link):
        await link.open()
        instrument.fault = Fault.SILENT
        asking = asyncio.create_task(asked(link.get("/")))
        await instrument.asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert not link.is_open and asyncio.all_tasks() == {asyncio.current_task()}
        instrument.fault = Fault.NONE
        assert await link.get("/") == b"x"


async def asked(question: Awaitable[bytes]) -> bytes:
    return await question


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(2):
        while not is_so():
            await asyncio.sleep(0)
