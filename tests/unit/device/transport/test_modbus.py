"""Registers over real sockets: what answers are taken, and what is made of the others."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from cultureops.device.transport.base import RegisterLink
from cultureops.device.transport.modbus import ModbusLink, modbus_tcp_link
from cultureops.errors import DeviceFault, DriverError, DriverTimeout, NotConnected, ProtocolError
from cultureops.testing import Fault, TcpInstrument

DEADLINE_S = 0.5
Rig = tuple[TcpInstrument, ModbusLink]


def reply(request: bytes, pdu: bytes, *, unit: int | None = None, tid: int | None = None) -> bytes:
    head = request[:2] if tid is None else tid.to_bytes(2, "big")
    unit_id = request[6] if unit is None else unit
    return head + b"\0\0" + (len(pdu) + 1).to_bytes(2, "big") + bytes([unit_id]) + pdu


def registers(request: bytes) -> bytes:
    """Each register holds its own address; each bit is set where its address is odd."""
    function, address, count = struct.unpack(">BHH", request[7:12])
    if function in (1, 2):
        bits = sum((address + index & 1) << index for index in range(count))
        data = bits.to_bytes((count + 7) // 8, "little")
    else:
        data = b"".join((address + index).to_bytes(2, "big") for index in range(count))
    return reply(request, bytes([function, len(data)]) + data)


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    instrument = TcpInstrument(registers, 12)
    await instrument.restore()
    host, _, port = instrument.address.partition(":")
    link = modbus_tcp_link(host, int(port), DEADLINE_S)
    await link.open()
    yield instrument, link
    await link.close()
    await instrument.cut()


@pytest.mark.parametrize("function", [3, 4])
@pytest.mark.parametrize(("address", "count"), [(0, 1), (0x801, 2), (65_411, 125)])
async def test_registers(rig: Rig, function: int, address: int, count: int) -> None:
    instrument, link = rig
    assert isinstance(link, RegisterLink)
    assert list(await link.read_registers(240, function, address, count)) == list(range(address, address + count))
    assert instrument.requests[0][6:] == struct.pack(">BBHH", 240, function, address, count)


@pytest.mark.parametrize("function", [1, 2])
@pytest.mark.parametrize("count", [1, 8, 13, 2000])
async def test_bits(rig: Rig, function: int, count: int) -> None:
    _, link = rig
    assert list(await link.read_registers(1, function, 1, count)) == [(1 + index) & 1 for index in range(count)]


async def test_functions_that_do_not_read_are_refused(rig: Rig) -> None:
    instrument, link = rig
    with pytest.raises(ProtocolError, match="function 6 does not read"):
        await link.read_registers(1, 6, 0, 1)
    assert instrument.requests == []


@pytest.mark.parametrize(
    ("code", "error", "name"),
    [
        (1, DeviceFault, "illegal function"),
        (2, DeviceFault, "illegal data address"),
        (3, DeviceFault, "illegal data value"),
        (4, DeviceFault, "server device failure"),
        (6, DeviceFault, "server device busy"),
        (10, NotConnected, "gateway path unavailable"),
        (11, DriverTimeout, "gateway target device failed to respond"),
        (99, DeviceFault, "unknown"),
    ],
)
async def test_exceptions_have_names(rig: Rig, code: int, error: type[DriverError], name: str) -> None:
    instrument, link = rig
    instrument.answer = lambda request: reply(request, bytes([0x84, code]))
    with pytest.raises(error, match=rf"unit 1: function 4 at 7, 2 long: exception {code} \({name}\)"):
        await link.read_registers(1, 4, 7, 2)
    assert link.is_open


@pytest.mark.parametrize(
    ("pdu", "changes", "message"),
    [
        ("04 04 0000 0000", {"unit": 2}, "unit 2 instead of 1"),
        ("04 04 0000 0000", {"tid": 999}, "wrong transaction"),
        ("03 04 0000 0000", {}, "function 3 instead of 4"),
        ("83 02", {}, "function 131 instead of 4"),
        ("04 02 0000", {}, "wrong length"),
        ("04 04 0000", {}, "wrong length"),
        ("04 06 0000 0000 0000", {}, "wrong length"),
        ("84 02 00", {}, "wrong length"),
    ],
)
async def test_answers_that_do_not_fit(rig: Rig, pdu: str, changes: dict[str, int], message: str) -> None:
    instrument, link = rig
    instrument.answer = lambda request: reply(request, bytes.fromhex(pdu), **changes)
    with pytest.raises(ProtocolError, match=message) as raised:
        await link.read_registers(1, 4, 0, 2)
    assert "\n" not in str(raised.value) and not link.is_open
    instrument.answer = registers
    assert list(await link.read_registers(1, 4, 0, 2)) == [0, 1]


async def test_half_an_answer_is_no_silence(rig: Rig) -> None:
    instrument, link = rig
    instrument.answer = lambda request: registers(request)[:-1]
    with pytest.raises(ProtocolError, match="12 bytes are no whole answer: 00 01 00 00"):
        await link.read_registers(1, 4, 0, 2)


def _say(noise: bytes, request: bytes) -> bytes:
    return noise


async def test_noise_of_any_kind_is_a_driver_error(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    instrument, link = rig
    for length in (1, 7, 8, 9, 40, 300):
        noise = random.Random(length).randbytes(length)
        instrument.answer = partial(_say, noise)
        with pytest.raises(DriverError):
            await link.read_registers(1, 4, 0, 2)
    instrument.answer = registers
    assert list(await link.read_registers(1, 4, 0, 2)) == [0, 1]
    assert caplog.records == []


async def test_an_answer_in_pieces(rig: Rig) -> None:
    instrument, link = rig

    def piecemeal(request: bytes) -> bytes:
        whole = registers(request)
        for index in range(1, len(whole)):
            asyncio.get_running_loop().call_later(
                0.001 * index, lambda at=index: [c.write(whole[at : at + 1]) for c in instrument.connections]
            )
        return whole[:1]

    instrument.answer = piecemeal
    assert list(await link.read_registers(1, 4, 5, 3)) == [5, 6, 7]


async def test_two_units_on_one_gateway(rig: Rig) -> None:
    """The silent one costs its neighbour nothing but a new connection."""
    instrument, link = rig
    instrument.fault = Fault.SILENT
    with pytest.raises(DriverTimeout, match=r"unit 9: no answer within 0\.5 s"):
        await link.read_registers(9, 4, 0, 1)
    instrument.fault = Fault.NONE
    assert list(await link.read_registers(1, 4, 3, 1)) == [3]


async def test_refused_and_unopened(tmp_path: Path) -> None:
    instrument = TcpInstrument(registers, 12)
    await instrument.restore()
    host, _, port = instrument.address.partition(":")
    await instrument.cut()
    link = modbus_tcp_link(host, int(port), DEADLINE_S)
    with pytest.raises(NotConnected, match="was not opened"):
        await link.read_registers(1, 4, 0, 1)
    with pytest.raises(NotConnected, match="can't be opened"):
        await link.open()
