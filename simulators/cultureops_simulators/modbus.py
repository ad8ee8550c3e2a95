"""Modbus server frames: requests in, replies out, over MBAP (TCP), RTU and ASCII.

Sources: MODBUS Application Protocol V1.1b3 (sections 6.3, 6.4, 7), MODBUS Messaging on TCP/IP V1.0b (3.1.3),
MODBUS over Serial Line V1.02 (2.5.1, 2.5.2, 6.2.1, 6.2.2). Read functions only.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Final

__all__ = ["AsciiDialect", "MbapDialect", "ReadRegisters", "RtuDialect", "Tables", "crc16", "lrc"]

ReadRegisters = Callable[[int, int], bytes | None]
"""Return ``count`` registers from ``address`` as big-endian bytes, or None where the map has none."""

Tables = Mapping[int, ReadRegisters]
"""What each read function (3, 4) of a device reads."""

ILLEGAL_FUNCTION: Final = 1
ILLEGAL_DATA_ADDRESS: Final = 2
ILLEGAL_DATA_VALUE: Final = 3
GATEWAY_TARGET_FAILED: Final = 0x0B
MOST_REGISTERS: Final = 125
_FIXED_LENGTH_FUNCTIONS: Final = range(1, 7)
_RTU_READ_FRAME: Final = 8
_LONGEST_RTU_FRAME: Final = 256
_MBAP_HEADER: Final = 7
_LONGEST_MBAP_LENGTH: Final = 254
_LONGEST_ASCII_FRAME: Final = 513
_HEX_DIGITS: Final = frozenset(b"0123456789ABCDEF")


def _crc_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
        table.append(value)
    return tuple(table)


_CRC_TABLE: Final = _crc_table()


def crc16(frame: Iterable[int]) -> int:
    """Return the CRC-16/MODBUS of the bytes; sent low byte first."""
    crc = 0xFFFF
    for byte in frame:
        crc = (crc >> 8) ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc


def lrc(frame: Iterable[int]) -> int:
    """Return the longitudinal redundancy check of the bytes: with it they add up to 0 modulo 256."""
    return -sum(frame) & 0xFF


def _answer(pdu: bytes, tables: Tables) -> bytes:
    """Answer one request PDU by data or by an exception PDU."""
    asked = pdu[0]
    read = tables.get(asked)
    if read is None:
        return bytes((asked | 0x80, ILLEGAL_FUNCTION))
    if len(pdu) != 5:
        return bytes((asked | 0x80, ILLEGAL_DATA_VALUE))
    address, count = struct.unpack_from(">HH", pdu, 1)
    if not 1 <= count <= MOST_REGISTERS:
        return bytes((asked | 0x80, ILLEGAL_DATA_VALUE))
    data = read(address, count)
    if data is None:
        return bytes((asked | 0x80, ILLEGAL_DATA_ADDRESS))
    return bytes((asked, 2 * count)) + data


class MbapDialect:
    """Modbus TCP server side of one connection: one unit id; ``also`` names further read functions."""

    def __init__(self, unit_id: int, function: int, read: ReadRegisters, also: Tables | None = None) -> None:
        self._unit_id, self._tables = unit_id, {function: read, **(also or {})}
        self._buffer = b""

    def receive(self, data: bytes) -> bytes:
        """Answer every whole request; a stream that is no MBAP is dropped up to here."""
        buffer, replies = self._buffer + data, b""
        while len(buffer) > _MBAP_HEADER:
            transaction, protocol, length, unit_id = struct.unpack_from(">HHHB", buffer)
            if protocol != 0 or not 2 <= length <= _LONGEST_MBAP_LENGTH:
                buffer = b""
                break
            if len(buffer) < 6 + length:
                break
            pdu, buffer = buffer[_MBAP_HEADER : 6 + length], buffer[6 + length :]
            if unit_id == self._unit_id:
                answer = _answer(pdu, self._tables)
            else:
                answer = bytes((pdu[0] | 0x80, GATEWAY_TARGET_FAILED))
            replies += struct.pack(">HHHB", transaction, 0, len(answer) + 1, unit_id) + answer
        self._buffer = buffer
        return replies


class RtuDialect:
    """Modbus RTU server side of a line: silent towards other unit ids and broken frames.

    Without a clock the silent interval cannot be seen, so frames are found by their CRC: a read request is 8 bytes
    long, any other function is taken to end where the received bytes end.
    """

    def __init__(self, unit_id: int, function: int, read: ReadRegisters, also: Tables | None = None) -> None:
        self._unit_id, self._tables = unit_id, {function: read, **(also or {})}
        self._buffer = b""

    def receive(self, data: bytes) -> bytes:
        """Answer every whole request addressed to this unit; skip what is none."""
        buffer, replies, start = self._buffer + data, b"", 0
        while start < len(buffer):
            end = self._frame_end(buffer, start)
            if end is None:
                start += 1
                continue
            if end < 0:
                break
            if buffer[start] == self._unit_id:
                answer = _answer(buffer[start + 1 : end - 2], self._tables)
                frame = bytes((self._unit_id,)) + answer
                replies += frame + struct.pack("<H", crc16(frame))
            start = end
        self._buffer = buffer[start:][-_LONGEST_RTU_FRAME:]
        return replies

    @staticmethod
    def _frame_end(buffer: bytes, start: int) -> int | None:
        """Return where the frame that starts here ends, -1 if more bytes may complete it, None if there is none."""
        left = len(buffer) - start
        if left < 4:
            return -1
        if buffer[start + 1] in _FIXED_LENGTH_FUNCTIONS:
            end = start + _RTU_READ_FRAME
            if end > len(buffer):
                return -1
        else:
            end = min(len(buffer), start + _LONGEST_RTU_FRAME)
        (sent,) = struct.unpack_from("<H", buffer, end - 2)
        return end if crc16(buffer[start : end - 2]) == sent else None


class AsciiDialect:
    """Modbus ASCII server side of a line: a colon starts a frame, whatever came before; broken ones get no answer."""

    def __init__(self, unit_id: int, function: int, read: ReadRegisters, also: Tables | None = None) -> None:
        self._unit_id, self._tables = unit_id, {function: read, **(also or {})}
        self._buffer = b""

    def receive(self, data: bytes) -> bytes:
        """Answer every whole request addressed to this unit; skip what is none."""
        *lines, rest = (self._buffer + data).split(b"\r\n")
        self._buffer = rest[-_LONGEST_ASCII_FRAME:]
        return b"".join(self._reply(line) for line in lines)

    def _reply(self, line: bytes) -> bytes:
        _, colon, digits = line.rpartition(b":")
        if not colon or len(digits) < 6 or len(digits) % 2 or not _HEX_DIGITS.issuperset(digits):
            return b""
        frame = bytes.fromhex(digits.decode())
        if lrc(frame) or frame[0] != self._unit_id:
            return b""
        answer = frame[:1] + _answer(frame[1:-1], self._tables)
        return b":" + (answer + bytes((lrc(answer),))).hex().upper().encode() + b"\r\n"
