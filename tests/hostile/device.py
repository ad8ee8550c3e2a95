"""Instruments that mean harm, as a process of its own: each way of doing so answers at a port of its own.

Argument: a family (``bytes``, ``http``, ``modbus``). Prints the ports by name (JSON) and goes with its standard input.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import random
import sys
from collections.abc import AsyncIterator, Callable

Answer = Callable[[bytes], AsyncIterator[bytes]]
MEGA = 1_000_000


def once(data: bytes) -> Answer:
    async def answer(_request: bytes) -> AsyncIterator[bytes]:
        yield data

    return answer


def forever(data: bytes, first: bytes = b"", pause_s: float = 0.0) -> Answer:
    async def answer(_request: bytes) -> AsyncIterator[bytes]:
        yield first
        while True:
            yield data
            await asyncio.sleep(pause_s)

    return answer


async def echo(request: bytes) -> AsyncIterator[bytes]:
    yield request


async def noise(_request: bytes) -> AsyncIterator[bytes]:
    dice = random.Random(3)
    while True:
        yield dice.randbytes(10_000)


def bodied(body: bytes, more: str = "") -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


OK, CHUNKED = b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BOMB = gzip.compress(bytes(50 * MEGA))
HARMS: dict[str, dict[str, Answer]] = {
    "bytes": {
        "no_end": forever(b"9" * MEGA),
        "ends_only": forever(b"\r\n" * 100_000),
        "nothing": forever(b"", pause_s=0.05),
        "drip": forever(b"S", pause_s=0.02),
        "nul": forever(bytes(MEGA)),
        "noise": noise,
        "echo": echo,
        "long_line": once(b"S S " + b"1" * 100_000 + b" g\r\n"),
        "huge_number": once(b"S S 1e999999 g\r\n"),
        "nan": once(b"S S nan g\r\n"),
        "bad_letters": once("S S ٣٧٫٥ g\r\n".encode()),
        "right_then_flood": forever(b"x" * MEGA, b"S S     12.345 g\r\n"),
    },
    "http": {
        "headers_without_end": forever(b"X-More: " + b"y" * 1000 + b"\r\n", OK),
        "one_header_without_end": forever(b"y" * MEGA, OK + b"X-Long: "),
        "informational": forever(b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000),
        "gzip_bomb": once(bodied(BOMB, "Content-Encoding: gzip\r\n")),
        "gzip_bomb_unnamed": once(bodied(BOMB)),
        "chunks_without_end": forever(b"1\r\nx\r\n" * 1_000, CHUNKED),
        "chunk_of_a_petabyte": forever(b"x" * MEGA, CHUNKED + b"3ffffffffffff\r\n"),
        "chunk_extension_without_end": forever(b"z" * MEGA, CHUNKED + b"1;a="),
        "body_without_end": forever(b"x" * MEGA, OK + b"\r\n"),
        "length_of_a_petabyte": forever(b"x" * MEGA, OK + b"Content-Length: 1125899906842624\r\n\r\n"),
        "length_below_zero": once(OK + b"Content-Length: -1\r\n\r\nabc"),
        "two_lengths": once(OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc"),
        "redirect_to_itself": once(b"HTTP/1.1 302 Found\r\nLocation: /atmoweb\r\nContent-Length: 0\r\n\r\n"),
        "nan": once(bodied(b'{"Temp1Read": NaN, "TempSet": Infinity}')),
        "deep": once(bodied(b'{"Temp1Read": ' + b"[" * 8_000)),
        "huge_number": once(bodied(b'{"Temp1Read": ' + b"9" * 8_000 + b', "TempSet": 1e999999}')),
        "bad_letters": once(bodied(b'{"Temp1Read": "\xff\xfe", "TempSet": \xd9\xa3}')),
        "nothing": forever(b"", pause_s=0.05),
        "noise": noise,
    },
    "modbus": {
        "no_end": forever(b"\xff" * MEGA),
        "zeros": forever(bytes(MEGA)),
        "other_transactions": forever(b"\x7f\xff\x00\x00\x00\x05\x01\x03\x02\x01\x72" * 10_000),
        "length_of_all": forever(b"x" * MEGA, b"\x00\x01\x00\x00\xff\xff\x01\x03"),
        "length_of_none": forever(b"\x00\x01\x00\x00\x00\x00" * 10_000),
        "echo": echo,
        "nothing": forever(b"", pause_s=0.05),
        "noise": noise,
    },
}


def server(answer: Answer) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await reader.read(4096):
                async for data in answer(request):
                    writer.write(data)
                    await writer.drain()
        except OSError:
            pass
        finally:
            writer.transport.abort()

    return serve


async def main() -> None:
    servers = {
        name: await asyncio.start_server(server(answer), "127.0.0.1", 0) for name, answer in HARMS[sys.argv[1]].items()
    }
    print(json.dumps({name: one.sockets[0].getsockname()[1] for name, one in servers.items()}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)


asyncio.run(main())
