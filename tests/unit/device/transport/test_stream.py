"""Lines of bytes over real sockets and pseudo-terminals."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import serial

from cultureops.device.transport.base import ByteLink
from cultureops.device.transport.open import open_link
from cultureops.device.transport.serial import SerialSettings, serial_link
from cultureops.device.transport.stream import StreamLink
from cultureops.device.transport.tcp import tcp_link
from cultureops.errors import DriverTimeout, NotConnected, ProtocolError
from cultureops.testing import Fault, Instrument, PtyInstrument, TcpInstrument

DEADLINE_S = 0.5


def echo(request: bytes) -> bytes:
    return b"<" + request


@pytest.fixture(params=["tcp", "pty"])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Instrument, StreamLink]]:
    instrument: Instrument
    if request.param == "tcp":
        instrument = TcpInstrument(echo, b"\r")
        await instrument.restore()
        host, _, port = instrument.address.partition(":")
        link = tcp_link(host, int(port), DEADLINE_S)
    else:
        instrument = PtyInstrument(echo, b"\r", tmp_path)
        await instrument.restore()
        link = serial_link(instrument.address, SerialSettings(), DEADLINE_S)
    yield instrument, link
    await link.close()
    await instrument.cut()


Rig = tuple[Instrument, StreamLink]


async def test_nothing_connects_before_open(rig: Rig) -> None:
    instrument, link = rig
    assert isinstance(link, ByteLink) and not link.is_open
    with pytest.raises(NotConnected, match="was not opened"):
        await link.exchange(b"a\r", b"\r")
    await link.open()
    await link.open()
    assert link.is_open and instrument.requests == []
    assert await link.exchange(b"a\r", b"\r") == b"<a\r"
    await link.close()
    await link.close()
    assert not link.is_open


async def test_replies_may_come_in_pieces_and_with_more_behind(rig: Rig) -> None:
    instrument, link = rig
    instrument.answer = lambda request: b"x" * 3000 + b"\r\nleft over\r\n"
    await link.open()
    for _ in range(3):
        assert await link.exchange(b"a\r", b"\r\n") == b"x" * 3000 + b"\r\n"


async def test_what_lies_unread_is_dropped(rig: Rig) -> None:
    instrument, link = rig
    await link.open()
    await link.exchange(b"a\r", b"\r")
    instrument.say(b"unasked\r")
    time.sleep(0.005)  # it lies in the system's buffer, and the loop has not seen it yet
    assert await link.exchange(b"b\r", b"\r") == b"<b\r"


async def test_requests_without_a_reply(rig: Rig) -> None:
    instrument, link = rig
    await link.open()
    instrument.fault = Fault.SILENT
    await link.send(b"first\r")
    await asyncio.wait_for(instrument.asked.wait(), 1)
    assert instrument.requests == [b"first\r"]


async def test_a_break_needs_a_line(rig: Rig) -> None:
    instrument, link = rig
    with pytest.raises(NotConnected, match="was not opened"):
        await link.send_break(0.01)
    await link.open()
    await link.send_break(0.01)
    assert await link.exchange(b"a\r", b"\r") == b"<a\r"
    await instrument.cut()
    with pytest.raises(NotConnected):
        await asyncio.sleep(0)
        await link.send_break(0.01)
        await link.exchange(b"a\r", b"\r")


@pytest.mark.parametrize("rtscts", [False, True])
async def test_a_serial_line_is_held_in_break_as_long_as_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rtscts: bool
) -> None:
    instrument = PtyInstrument(echo, b"\r", tmp_path)
    await instrument.restore()
    link = serial_link(instrument.address, SerialSettings(rtscts=rtscts), DEADLINE_S)
    held: list[tuple[bool, bool, float]] = []

    def hold(port: serial.Serial) -> None:
        held.append((port._break_state, port.rtscts, time.monotonic()))

    monkeypatch.setattr(serial.Serial, "_update_break_state", hold)
    await link.open()
    await link.send_break(0.05)
    await link.close()
    await instrument.cut()
    (on, has_flow_control, began), (off, _, ended) = held
    assert (on, off) == (True, False) and has_flow_control is rtscts
    assert 0.05 <= ended - began < 1.0


async def test_endless_replies_are_cut(rig: Rig) -> None:
    instrument, link = rig
    instrument.answer = lambda request: b"x" * 5000
    await link.open()
    with pytest.raises(ProtocolError, match="came without the end mark"):
        await link.exchange(b"a\r", b"\r", limit=4096)
    assert not link.is_open


async def test_half_a_reply_is_no_silence(rig: Rig) -> None:
    instrument, link = rig
    instrument.answer = lambda request: b"hal"
    await link.open()
    with pytest.raises(ProtocolError, match=r"no end mark b'\\r' within 0.5 s, only b'hal'"):
        await link.exchange(b"a\r", b"\r")


async def test_a_neighbour_on_the_line_is_served_after_a_time_out(rig: Rig) -> None:
    """The line is opened again by itself, and the late answer of the one is not given to the other."""
    instrument, link = rig
    await link.open()
    instrument.fault, instrument.delay_s = Fault.LATE, 1.5 * DEADLINE_S
    with pytest.raises(DriverTimeout):
        await link.exchange(b"dead\r", b"\r")
    assert not link.is_open
    instrument.delay_s = 0.8 * DEADLINE_S  # the old answer is due while the new one is awaited
    assert await link.exchange(b"alive\r", b"\r") == b"<alive\r"


async def test_a_neighbour_is_served_after_one_has_closed(rig: Rig) -> None:
    _, link = rig
    await link.open()
    for _ in range(20):
        await link.close()
        assert await link.exchange(b"a\r", b"\r") == b"<a\r"


async def test_a_broken_line_is_seen_while_nobody_asks(rig: Rig) -> None:
    instrument, link = rig
    await link.open()
    await instrument.cut()
    for _ in range(200):
        if not link.is_open:
            break
        await asyncio.sleep(0.001)
    assert not link.is_open
    with pytest.raises(NotConnected, match="can't be opened"):
        await link.exchange(b"a\r", b"\r")


async def test_connecting_has_a_deadline() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        crowd = [socket.socket() for _ in range(4)]
        for caller in crowd:
            caller.setblocking(False)
            caller.connect_ex(full.getsockname())
        link = tcp_link("127.0.0.1", full.getsockname()[1], DEADLINE_S)
        began = time.monotonic()
        with pytest.raises(NotConnected, match=r"no connection within 0.5 s"):
            await link.open()
        assert time.monotonic() - began < 1
        for caller in crowd:
            caller.close()


async def test_a_serial_port_has_one_owner(tmp_path: Path) -> None:
    instrument = PtyInstrument(echo, b"\r", tmp_path)
    await instrument.restore()
    first = serial_link(instrument.address, SerialSettings(), DEADLINE_S)
    second = serial_link(instrument.address, SerialSettings(), DEADLINE_S)
    await first.open()
    with pytest.raises(NotConnected, match="can't be opened"):
        await second.open()
    await first.close()
    await second.open()
    await second.close()
    await instrument.cut()


async def test_an_absent_port_is_one_line(tmp_path: Path) -> None:
    link = open_link(f"serial://{tmp_path}/absent", DEADLINE_S)
    assert isinstance(link, ByteLink)
    with pytest.raises(NotConnected, match=r"absent: can't be opened: .*No such file") as raised:
        await link.open()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "pieces", [(b"x\x03\x03",), (b"x", b"\x03", b"\x03"), (b"x\x03", b"\x03"), (b"x", b"\x03\x03z")]
)
async def test_a_check_byte_behind_the_end_mark_belongs_to_the_reply(pieces: tuple[bytes, ...]) -> None:
    instrument = TcpInstrument(lambda _: b"", b"\r")
    await instrument.restore()
    host, _, port = instrument.address.partition(":")
    link = tcp_link(host, int(port), DEADLINE_S)
    await link.open()
    reply = asyncio.create_task(link.exchange(b"a\r", b"\x03", trailing=1))
    await instrument.asked.wait()
    for piece in pieces:
        instrument.say(piece)
        await asyncio.sleep(0.005)
    assert await reply == b"x\x03\x03"
    await link.close()
    await instrument.cut()


async def test_a_missing_check_byte_is_an_error(rig: Rig) -> None:
    _, link = rig
    await link.open()
    with pytest.raises(ProtocolError, match="no end mark"):
        await link.exchange(b"a\r", b"\r", trailing=1)
