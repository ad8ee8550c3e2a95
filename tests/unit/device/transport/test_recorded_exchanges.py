"""Modbus RTU and ASCII exchanges collected by others: the right answers are taken, the wrong ones refused."""

from __future__ import annotations

import csv
import os
import tempfile
from pathlib import Path

import pytest

from cultureops.device.transport.modbus import modbus_ascii_link, modbus_rtu_link, modbus_tcp_link
from cultureops.device.transport.serial import SerialSettings
from cultureops.errors import DeviceFault, DriverError
from cultureops.testing import PtyInstrument, TcpInstrument

READS = (1, 2, 3, 4)


def exchanges(framing: str) -> list[dict[str, str]]:
    data = os.environ.get("CULTUREOPS_ACCEPTANCE_DATA")
    if not data:
        pytest.skip("CULTUREOPS_ACCEPTANCE_DATA is not set: no recorded exchanges at hand")
    with (Path(data) / "protocols/minimalmodbus/exchanges_hex.csv").open(encoding="utf-8", newline="") as lines:
        return [row for row in csv.DictReader(lines) if row["framing"] == framing and row["req_crc_ok"] != "False"]


def delivered(request: bytes, answer: bytes) -> list[int]:
    """Take the numbers out of a right answer by hand: registers, or bits from the lowest on."""
    function, count, data = request[0], int.from_bytes(request[3:5]), answer[2:]
    if function in (1, 2):
        return [data[index // 8] >> index % 8 & 1 for index in range(count)]
    return [int.from_bytes(data[at : at + 2]) for at in range(0, 2 * count, 2)]


async def ask(request: bytes, response: bytes, folder: Path) -> object:
    """Have our link ask exactly what was asked then, and hear what was answered then."""
    instrument = PtyInstrument(lambda asked: response if asked == request else b"", 8, folder)
    await instrument.restore()
    link = modbus_rtu_link(instrument.address, SerialSettings(19200), 0.05)
    try:
        await link.open()
        unit_id, function = request[0], request[1]
        return await link.read_registers(unit_id, function, *(int.from_bytes(request[at : at + 2]) for at in (2, 4)))
    finally:
        await link.close()
        await instrument.cut()


async def test_recorded_exchanges() -> None:
    taken = refused = 0
    for row in exchanges("rtu"):
        request, response = bytes.fromhex(row["request_hex"]), bytes.fromhex(row["response_hex"])
        if len(request) != 8 or request[1] not in READS:
            continue
        with tempfile.TemporaryDirectory() as folder:
            if row["table"].startswith("WRONG"):
                with pytest.raises(DriverError):
                    print(row["line"], await ask(request, response, Path(folder)))
                refused += 1
            else:
                assert await ask(request, response, Path(folder)) == delivered(request[1:-2], response[1:-2]), row[
                    "line"
                ]
                taken += 1
    assert taken > 10 and refused > 5


async def ask_in_ascii(request: bytes, response: bytes, folder: Path) -> object:
    """The same for Modbus ASCII, whose frames are text."""
    instrument = PtyInstrument(lambda asked: response if asked == request else b"", b"\r\n", folder)
    await instrument.restore()
    link = modbus_ascii_link(instrument.address, SerialSettings(19200), 0.05)
    try:
        await link.open()
        frame = bytes.fromhex(request[1:-2].decode())
        return await link.read_registers(frame[0], frame[1], *(int.from_bytes(frame[at : at + 2]) for at in (2, 4)))
    finally:
        await link.close()
        await instrument.cut()


def spoiled(response: bytes) -> tuple[bytes, ...]:
    """Return what a line may make of an answer: a wrong digit, a lost one, another unit."""
    digit = b"0" if response[5:6] != b"0" else b"1"
    return response[:5] + digit + response[6:], response[:4] + response[5:], b":08" + response[3:]


async def test_recorded_exchanges_in_ascii() -> None:
    taken = refused = 0
    for row in exchanges("ascii"):
        request, response = bytes.fromhex(row["request_hex"]), bytes.fromhex(row["response_hex"])
        if int(request[3:5], 16) not in READS:
            continue
        with tempfile.TemporaryDirectory() as folder:
            found = await ask_in_ascii(request, response, Path(folder))
        asked, answered = (bytes.fromhex(frame[3:-4].decode()) for frame in (request, response))
        assert found == delivered(asked, answered), row["line"]
        taken += 1
        for wrong in spoiled(response):
            with tempfile.TemporaryDirectory() as folder, pytest.raises(DriverError):
                print(row["line"], await ask_in_ascii(request, wrong, Path(folder)))
            refused += 1
    assert taken > 15 and refused == 3 * taken


def captured(folder: Path) -> list[tuple[bytes, bytes]]:
    """Return the requests of a capture of Modbus TCP with their answers, in their order."""
    capture = (folder / "modbus_example.pcap").read_bytes()
    asked: dict[tuple[bytes, bytes], bytes] = {}
    exchanged, at = [], 24
    while at < len(capture):
        length = int.from_bytes(capture[at + 8 : at + 12], "little")
        packet = capture[at + 16 : at + 16 + length][14:]  # behind the Ethernet header
        segment = packet[4 * (packet[0] & 15) : int.from_bytes(packet[2:4])]
        ports, payload = (segment[:2], segment[2:4]), segment[4 * (segment[12] >> 4) :]
        if payload and int.from_bytes(ports[1]) == 502:
            asked[ports[0], payload[:2]] = payload
        elif payload:
            exchanged.append((asked[ports[1], payload[:2]], payload))
        at += 16 + length
    return exchanged


def decoded(folder: Path) -> list[list[int]]:
    """Return the numbers that the capture's own decoder found in the answers to reads; none where it was refused."""
    rows = [row.split("\t") for row in (folder / "modbus_detailed.log").read_text().splitlines() if row[0] != "#"]
    functions = ("READ_COILS", "READ_DISCRETE_INPUTS", "READ_HOLDING_REGISTERS", "READ_INPUT_REGISTERS")
    return [[int(number) for number in row[12].split(",") if number != "-"] for row in rows if row[8] in functions]


async def test_captured_exchanges_over_tcp() -> None:
    data = os.environ.get("CULTUREOPS_ACCEPTANCE_DATA")
    if not data:
        pytest.skip("CULTUREOPS_ACCEPTANCE_DATA is not set: no recorded exchanges at hand")
    folder = Path(data) / "protocols/icsnpp_modbus"
    found: list[list[int]] = []
    for request, answer in captured(folder):
        if request[7] not in READS:
            continue
        instrument = TcpInstrument(lambda asked, answer=answer: asked[:2] + answer[2:], 12)  # type: ignore[misc]
        await instrument.restore()
        host, _, port = instrument.address.partition(":")
        link = modbus_tcp_link(host, int(port), 1.0)
        try:
            await link.open()
            where = (int.from_bytes(request[at : at + 2]) for at in (8, 10))
            found.append(list(await link.read_registers(request[6], request[7], *where)))
        except DeviceFault:
            found.append([])
        finally:
            await link.close()
            await instrument.cut()
        assert instrument.requests[0][6:] == request[6:]
    assert sorted(found) == sorted(decoded(folder)) and len(found) == 9
