"""The program of an RS-485 line at 19,200 baud: eight virtual incubators, one of them dead and one that babbles.

About once a second the babbler says 1 to 64 stray bytes: while the line is idle, before, within or after a reply.
``python shared_line.py SEED`` prints the path of the line, ends with its standard input, and prints how many bursts
there were and the unit of each reply that one fell before or into. Frames are made here, not by the code under proof.
"""

import contextlib
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
BETWEEN_BURSTS_S = (0.5, 1.5)
SILENCE_S = 0.05
"""Behind half a request this means that nobody is meant; far more than 3.5 characters, for a busy machine."""
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


class Talk:
    """Bytes that pass the line character by character from a moment on [s, of the monotonic clock]."""

    def __init__(self, data: bytes, begins_at: float) -> None:
        self.data, self.begins_at = data, begins_at
        self.ends_at = begins_at + len(data) * CHARACTER_S
        self.said = 0

    def part(self, now: float) -> bytes:
        """Return what has passed the line since the last call."""
        passed = len(self.data) if now >= self.ends_at else max(0, int((now - self.begins_at) / CHARACTER_S))
        begin, self.said = self.said, passed
        return self.data[begin:passed]


class Line:
    """The units' end of the line; whoever is about to reply does not listen, and the babbler minds nobody."""

    def __init__(self, ours: int, dice: random.Random) -> None:
        self.ours, self.dice = ours, dice
        self.heard, self.heard_at = b"", 0.0
        self.reply = Talk(b"", time.monotonic())
        self.burst = self.next_burst(time.monotonic())
        self.bursts, self.spoilt = 0, list[int]()
        self.asked, self.is_spoilt = 0, False

    def next_burst(self, now: float) -> Talk:
        strays = self.dice.randbytes(self.dice.randint(1, MOST_STRAY_BYTES))
        return Talk(strays, now + self.dice.uniform(*BETWEEN_BURSTS_S))

    def replies(self, now: float) -> bool:
        """Whether a reply is due or on its way."""
        return now < self.reply.ends_at

    def wait_s(self, now: float) -> float:
        """Return how long nothing is to be said: a character's time while somebody speaks or is about to."""
        return CHARACTER_S if self.replies(now) else max(CHARACTER_S, self.burst.begins_at - now)

    def speak(self, now: float) -> None:
        """Put on the line what has passed it by now."""
        strays, said = self.burst.part(now), self.reply.part(now)
        if strays and (said or self.replies(now)) and not self.is_spoilt:
            self.is_spoilt = True
            self.spoilt.append(self.asked)
        if passed := strays + said:
            with contextlib.suppress(BlockingIOError):  # nobody reads, and what overflows is lost
                os.write(self.ours, passed)
        if now >= self.burst.ends_at:
            self.burst, self.bursts = self.next_burst(now), self.bursts + 1

    def listen(self, now: float) -> None:
        """Take a request, and say from when on it is answered: once it and a silence have passed the line."""
        fresh = os.read(self.ours, REQUEST_BYTES - len(self.heard))
        self.heard = (self.heard if now < self.heard_at + SILENCE_S else b"") + fresh
        self.heard_at = now
        if len(self.heard) == REQUEST_BYTES:
            self.reply = Talk(answer(self.heard), now + (REQUEST_BYTES + 3.5) * CHARACTER_S)
            self.asked, self.is_spoilt, self.heard = self.heard[0], False, b""


def main(seed: int) -> None:
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    os.set_blocking(ours, False)
    print(os.ttyname(theirs), flush=True)
    line = Line(ours, random.Random(seed))
    while True:
        now = time.monotonic()
        line.speak(now)
        ears = [sys.stdin] if line.replies(now) else [sys.stdin, ours]
        readable, _, _ = select.select(ears, [], [], line.wait_s(now))
        if sys.stdin in readable:
            print(line.bursts, *line.spoilt, flush=True)
            return
        if ours in readable:
            line.listen(time.monotonic())


if __name__ == "__main__":
    main(int(sys.argv[1]))
