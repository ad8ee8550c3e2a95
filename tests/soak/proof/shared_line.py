"""The program of an RS-485 line at 19,200 baud: eight virtual incubators, one of them dead and one that babbles.

``python shared_line.py SEED`` prints the path of the line, and ends with its standard input. Frames are made here, not
by the code under proof.
"""

import os
import random
import select
import struct
import sys
import time
import tty

BAUDRATE = 19_200
CHARACTER_S = 11 / BAUDRATE
REQUEST_BYTES = 8
DEAD, BABBLER = 3, 8
MOST_STRAY_BYTES = 64
REGISTERS = b"".join(
    struct.pack(">f", value) for value in (37.0, 5.0, 92.0, 18.5, 37.0, 5.0)
) + struct.pack(">4H", 0, 0, 1, 0)  # fmt: skip


def crc(data: bytes) -> bytes:
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return value.to_bytes(2, "little")


def answer(request: bytes) -> bytes:
    unit_id, function, address, count = struct.unpack(">BBHH", request[:6])
    data = REGISTERS[2 * address : 2 * (address + count)]
    if crc(request[:6]) != request[6:] or function != 4 or len(data) != 2 * count or unit_id == DEAD:
        return b""
    body = bytes((unit_id, function, len(data))) + data
    return body + crc(body)


def main(seed: int) -> None:
    dice = random.Random(seed)
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    print(os.ttyname(theirs), flush=True)
    babbles_at = time.monotonic() + 1
    heard = b""
    while True:
        readable, _, _ = select.select([ours, sys.stdin], [], [], max(0.0, babbles_at - time.monotonic()))
        if sys.stdin in readable:
            return
        if time.monotonic() >= babbles_at:
            os.write(ours, dice.randbytes(dice.randint(1, MOST_STRAY_BYTES)))
            babbles_at = time.monotonic() + dice.uniform(1, 3)
        if ours not in readable:
            if heard:
                heard = b""  # half a request and then silence: nobody is meant
            continue
        heard += os.read(ours, REQUEST_BYTES)
        if len(heard) < REQUEST_BYTES:
            continue
        reply, heard = answer(heard[:REQUEST_BYTES]), b""
        time.sleep((REQUEST_BYTES + 3.5 + len(reply)) * CHARACTER_S)
        os.write(ours, reply)


if __name__ == "__main__":
    main(int(sys.argv[1]))
