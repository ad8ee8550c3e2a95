"""The program of a serial line at its true speed: a Modbus RTU device behind a pseudo-terminal whose bytes take time.

A character takes eleven bits, as the RTU standard has it; the device notices the end of a request after 3.5 characters
of silence and answers at once, character by character.
"""

from __future__ import annotations

import os
import select
import struct
import sys
import time
import tty
from typing import Final

__all__ = ["BITS_A_CHARACTER", "SILENT_CHARACTERS", "wire_s"]

BITS_A_CHARACTER: Final = 11
SILENT_CHARACTERS: Final = 3.5
REQUEST_BYTES: Final = 8
SPIN_S: Final = 0.002


def wire_s(baudrate: int, registers: int) -> float:
    """Return how long a request, the silence after it and its answer take on the wire [s]."""
    return (REQUEST_BYTES + SILENT_CHARACTERS + 5 + 2 * registers) * BITS_A_CHARACTER / baudrate


def _crc(data: bytes) -> bytes:
    """Return the CRC-16 of Modbus over Serial Line V1.02, 2.5.1.2."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return value.to_bytes(2, "little")


def _answer(request: bytes) -> bytes:
    unit_id, function, address, count = struct.unpack(">BBHH", request[:6])
    if _crc(request[:6]) != request[6:]:
        return b""
    data = b"".join(((address + number) & 0xFFFF).to_bytes(2) for number in range(count))
    body = bytes((unit_id, function, len(data))) + data
    return body + _crc(body)


def _until(at: float) -> None:
    """Return at a moment, to some microseconds."""
    rest_s = at - time.perf_counter()
    if rest_s > SPIN_S:
        time.sleep(rest_s - SPIN_S)
    while time.perf_counter() < at:
        pass


def main(baudrate: int) -> None:
    """Answer requests until standard input ends."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    print(os.ttyname(theirs), flush=True)
    character_s = BITS_A_CHARACTER / baudrate
    request, began = b"", 0.0
    while True:
        readable, _, _ = select.select([ours, sys.stdin], [], [])
        if sys.stdin in readable:
            return
        if not request:
            began = time.perf_counter()
        request += os.read(ours, REQUEST_BYTES - len(request))
        if len(request) < REQUEST_BYTES:
            continue
        reply, request = _answer(request), b""
        starts = began + (REQUEST_BYTES + SILENT_CHARACTERS) * character_s
        for number, byte in enumerate(reply, 1):
            _until(starts + number * character_s)
            os.write(ours, bytes((byte,)))


if __name__ == "__main__":
    main(int(sys.argv[1]))
