"""The driver contract for Modbus, over all framings; frames are built here, by hand."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

from cultureops.device.driver import Driver
from cultureops.device.transport.open import open_link
from cultureops.testing import DriverContract, Instrument, PtyInstrument, TcpInstrument
from cultureops_drivers.modbus import create

INCUBATOR = {
    "temperature": 36.9,
    "co2": 5.1,
    "humidity": 94.5,
    "o2": 18.6,
    "temperature_setpoint": 37.0,
    "co2_setpoint": 5.0,
    "door": 0.0,
    "alarm_bits": 0.0,
}


def crc16(data: bytes) -> bytes:
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc.to_bytes(2, "little")


def answer_pdu(request: bytes, function: int, registers: bytes) -> bytes:
    """Answer ``function, address, count`` out of a register image; other functions and addresses are refused."""
    asked, address, count = struct.unpack(">BHH", request)
    if asked != function:
        return bytes([asked | 0x80, 1])
    data = registers[2 * address : 2 * (address + count)]
    if len(data) != 2 * count:
        return bytes([asked | 0x80, 2])
    return bytes([asked, len(data)]) + data


def incubator_registers(values: Mapping[str, float]) -> bytes:
    floats = ("temperature", "co2", "humidity", "o2", "temperature_setpoint", "co2_setpoint")
    words = (int(values["door"]), int(values["alarm_bits"]), 1, 0)
    return struct.pack(">6f", *(values[name] for name in floats)) + struct.pack(">4H", *words)


class TestTcp(DriverContract):
    first = INCUBATOR
    second = {**INCUBATOR, "temperature": 35.5, "co2": 0.4, "door": 1.0, "alarm_bits": 3.0}

    def instrument(self, folder: object) -> Instrument:
        return TcpInstrument(self.answer, 12)

    def driver(self, address: str) -> Driver:
        options = {"profile": "cultureops_virtual_incubator"}
        return create("incubator_1", open_link(f"modbus+tcp://{address}", self.deadline_s), options)

    def answer(self, request: bytes) -> bytes:
        pdu = answer_pdu(request[7:], 4, incubator_registers(self.values))
        return request[:4] + (len(pdu) + 1).to_bytes(2, "big") + request[6:7] + pdu


class TestRtu(DriverContract):
    first = {"co2": 5.0123, "compensation_temperature": 37.0}
    second = {"co2": 4.2, "compensation_temperature": 36.0}

    def instrument(self, folder: object) -> Instrument:
        assert isinstance(folder, Path)
        return PtyInstrument(self.answer, 8, folder)

    def driver(self, address: str) -> Driver:
        uri = f"modbus+rtu://{address}?baudrate=19200&stopbits=2"
        return create("probe_4", open_link(uri, self.deadline_s), {"profile": "vaisala_gmp252"})

    def answer(self, request: bytes) -> bytes:
        assert crc16(request[:-2]) == request[-2:]
        low_first = b"".join(
            packed[2:] + packed[:2]
            for packed in (
                struct.pack(">f", number)
                for number in (self.values["co2"] * 1e4, self.values["compensation_temperature"])
            )
        )
        registers = low_first + bytes(2 * (0x0802 - 4))
        reply = request[:1] + answer_pdu(request[1:6], 3, registers)
        return reply + crc16(reply)


class TestRtuThroughTcp(TestRtu):
    def instrument(self, folder: object) -> Instrument:
        return TcpInstrument(self.answer, 8)

    def driver(self, address: str) -> Driver:
        link = open_link(f"modbus+rtu+tcp://{address}", self.deadline_s)
        return create("probe_4", link, {"profile": "vaisala_gmp252"})


class TestAscii(TestRtu):
    def instrument(self, folder: object) -> Instrument:
        assert isinstance(folder, Path)
        return PtyInstrument(self.answer, b"\r\n", folder)

    def driver(self, address: str) -> Driver:
        uri = f"modbus+ascii://{address}?baudrate=19200"  # a pseudo-terminal has 8 bits and no parity
        return create("probe_4", open_link(uri, self.deadline_s), {"profile": "vaisala_gmp252"})

    def answer(self, request: bytes) -> bytes:
        frame = bytes.fromhex(request[1:-2].decode())
        assert request[:1] == b":" and sum(frame) % 256 == 0
        answered = super().answer(frame[:-1] + crc16(frame[:-1]))[:-2]
        return b":" + (answered + bytes([-sum(answered) % 256])).hex().upper().encode() + b"\r\n"


class TestAsciiThroughTcp(TestAscii):
    def instrument(self, folder: object) -> Instrument:
        return TcpInstrument(self.answer, b"\r\n")

    def driver(self, address: str) -> Driver:
        link = open_link(f"modbus+ascii+tcp://{address}", self.deadline_s)
        return create("probe_4", link, {"profile": "vaisala_gmp252"})
