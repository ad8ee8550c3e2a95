"""Modbus ASCII over real sockets and terminals: what answers are taken, and what is made of the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cultureops.device.transport.base import RegisterLink
from cultureops.device.transport.modbus import Frames, ModbusLink, _Line, modbus_ascii_link, modbus_tcp_link
from cultureops.device.transport.serial import SerialSettings
from cultureops.errors import DeviceFault, DriverError, DriverTimeout, NotConnected, ProtocolError
from cultureops.testing import Fault, PtyInstrument, TcpInstrument

DEADLINE_S = 0.5
ASKED = b":010400000002F9\r\n"
ANSWER = b":0104040007000BE5\r\n"
Rig = tuple[TcpInstrument, ModbusLink]


def framed(body: str) -> bytes:
    data = bytes.fromhex(body)
    return b":" + (data + bytes([-sum(data) % 256])).hex().upper().encode() + b"\r\n"


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    instrument = TcpInstrument(lambda request: ANSWER, b"\r\n")
    await instrument.restore()
    host, _, port = instrument.address.partition(":")
    link = modbus_tcp_link(host, int(port), DEADLINE_S, Frames.ASCII)
    await link.open()
    yield instrument, link
    await link.close()
    await instrument.cut()


async def test_registers(rig: Rig) -> None:
    instrument, link = rig
    assert isinstance(link, RegisterLink) and link.check_bits == 8
    assert list(await link.read_registers(1, 4, 0, 2)) == [7, 11]
    assert instrument.requests == [ASKED]


async def test_registers_of_a_terminal(tmp_path: Path) -> None:
    instrument = PtyInstrument(lambda request: ANSWER, b"\r\n", tmp_path)
    await instrument.restore()
    link = modbus_ascii_link(instrument.address, SerialSettings(19200), DEADLINE_S)
    try:
        await link.open()
        assert list(await link.read_registers(1, 4, 0, 2)) == [7, 11]
        assert link.check_bits == 8
    finally:
        await link.close()
        await instrument.cut()


async def test_a_port_that_refuses_its_settings_is_one_line(tmp_path: Path) -> None:
    instrument = PtyInstrument(lambda request: ANSWER, b"\r\n", tmp_path)
    await instrument.restore()
    link = modbus_ascii_link(instrument.address, SerialSettings(9600, 7, "E"), DEADLINE_S)  # as pseudo-terminals do
    with pytest.raises(NotConnected, match="the port refuses its settings"):
        await link.open()
    await link.close()
    await instrument.cut()


async def test_bits(rig: Rig) -> None:
    instrument, link = rig
    instrument.answer = lambda request: framed("07020101")
    assert list(await link.read_registers(7, 2, 0x800, 1)) == [1]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b":0104040007000BE6\r\n", "wrong check sum"),
        (b":0104040007000CE5\r\n", "wrong check sum"),
        (b":0104040007000bE5\r\n", "upper-case hex"),
        (b":0104040007000B+5\r\n", "upper-case hex"),
        (b":0104040007000B5\r\n", "pairs"),
        (b":010404 07000BE5\r\n", "upper-case hex"),
        (b":\r\n", "wrong length"),
        (b":01FF\r\n", "wrong length"),
        (framed("02040400070008"), "unit 2 instead of 1"),
        (framed("01030400070008"), "function 3 instead of 4"),
        (framed("01040200070008"), "wrong length"),
        (framed("010404000700"), "wrong length"),
        (framed("01040600070008000A"), "wrong length"),
        (framed("01040800070008"), "wrong length"),
        (framed("01840200"), "wrong length"),
        (framed("018302"), "function 131 instead of 4"),
    ],
)
async def test_answers_that_do_not_fit(rig: Rig, answer: bytes, message: str) -> None:
    instrument, link = rig
    instrument.answer = lambda request: answer
    with pytest.raises(ProtocolError, match=message) as raised:
        await link.read_registers(1, 4, 0, 2)
    assert "\n" not in str(raised.value) and not link.is_open
    instrument.answer = lambda request: ANSWER
    assert list(await link.read_registers(1, 4, 0, 2)) == [7, 11]


@pytest.mark.parametrize("answer", [ANSWER[:-1], ANSWER[1:], b"garbage", b"\r\n", ANSWER + b"x"])
async def test_what_is_no_frame_is_no_silence(rig: Rig, answer: bytes) -> None:
    instrument, link = rig
    instrument.answer = lambda request: answer
    with pytest.raises(ProtocolError, match="bytes are no whole answer"):
        await link.read_registers(1, 4, 0, 2)


@pytest.mark.parametrize("noise", [b"\x00\xff", b"noise\r\n", ANSWER[:9], b":::"])
async def test_a_colon_starts_anew(rig: Rig, noise: bytes) -> None:
    instrument, link = rig
    instrument.answer = lambda request: noise + ANSWER
    assert list(await link.read_registers(1, 4, 0, 2)) == [7, 11]
    assert list(await link.read_registers(1, 4, 0, 2)) == [7, 11]


async def test_what_was_said_unasked_is_not_heard(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    instrument, link = rig
    for noise in (b":01040400630063", b":zzzzzzzzzz\r\n", b"\xff" * 700):
        instrument.say(noise)
        await asyncio.sleep(0.01)
    assert link.is_open and caplog.records == []
    assert list(await link.read_registers(1, 4, 0, 2)) == [7, 11]


async def test_an_answer_in_pieces(rig: Rig) -> None:
    instrument, link = rig

    def piecemeal(request: bytes) -> bytes:
        for index in range(1, len(ANSWER)):
            asyncio.get_running_loop().call_later(0.001 * index, instrument.say, ANSWER[index : index + 1])
        return ANSWER[:1]

    instrument.answer = piecemeal
    assert list(await link.read_registers(1, 4, 0, 2)) == [7, 11]


async def test_exceptions_and_silence(rig: Rig) -> None:
    instrument, link = rig
    instrument.answer = lambda request: framed("018402")
    with pytest.raises(DeviceFault, match=r"exception 2 \(illegal data address\)"):
        await link.read_registers(1, 4, 0, 2)
    assert link.is_open
    instrument.fault = Fault.SILENT
    with pytest.raises(DriverTimeout):
        await link.read_registers(1, 4, 0, 2)


async def test_the_longest_answer(rig: Rig) -> None:
    instrument, link = rig
    instrument.answer = lambda request: framed("0104FA" + "0102" * 125)
    assert list(await link.read_registers(1, 4, 0, 125)) == [0x0102] * 125


@given(st.integers(1, len(ANSWER) - 3), st.integers(0, 255))
@example(1, ord(":"))
def test_no_single_wrong_character_is_taken(place: int, character: int) -> None:
    spoiled = ANSWER[:place] + bytes([character]) + ANSWER[place + 1 :]
    line = _Line("it", lambda _: None, Frames.ASCII)  # type: ignore[arg-type, return-value]
    line._expected = (1, 4, 4)
    assert (spoiled == ANSWER) == (line._wrong(spoiled) == "")


async def test_random_noise_is_a_driver_error(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    instrument, link = rig
    for noise in (b":", b":\r\n:\r\n", b":zz\r\n", b":0\r\n", b"\xff" * 600, b":" + b"0" * 600 + b"\r\n"):
        instrument.answer = lambda request, noise=noise: noise  # type: ignore[misc]
        with pytest.raises(DriverError):
            await link.read_registers(1, 4, 0, 2)
    assert caplog.records == []
