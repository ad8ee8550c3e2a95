"""The sending side of ASTM E1381: ENQ, numbered frames with their sums, EOT; every step waits for its answer.

Frame ``STX FN text ETX|ETB C1 C2 CR LF``, sum of the bytes from FN to the end mark modulo 256 in upper-case
hexadecimal, 240 characters of text at most, 15 s for an answer, 10 s after a refused ENQ, 6 attempts. Transcribed from
kxepal/python-astm 606a774 (astm/codec.py) and senaite.astm b701c18.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final

__all__ = ["Outbox", "Sender", "frames_of"]

ENQ: Final = b"\x05"
EOT: Final = b"\x04"
ACK: Final = b"\x06"
NAK: Final = b"\x15"
REPLY_S: Final = 15.0
BUSY_S: Final = 10.0
MOST_ATTEMPTS: Final = 6
TEXT_CHARACTERS: Final = 240

Outbox = deque[Sequence[bytes]]
"""Messages that wait, each a list of records without their CR; one leaves when it was acknowledged to its end."""


def frames_of(records: Sequence[bytes]) -> Iterator[bytes]:
    """Yield the frames of a message, one record a frame, longer ones continued."""
    number = 0
    for record in records:
        text = record + b"\r"
        parts = [text[at : at + TEXT_CHARACTERS] for at in range(0, len(text), TEXT_CHARACTERS)]
        for part in parts:
            number = (number + 1) % 8
            mark = 0x03 if part is parts[-1] else 0x17
            inside = b"%d" % number + part + bytes([mark])
            total = 0
            for byte in inside:
                total = (total + byte) & 0xFF
            yield b"\x02" + inside + b"%02X\r\n" % total


class Sender:
    """One connection's sender; ``receive`` returns what it says to an answer, ``step`` what it says by itself."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._frames: list[bytes] | None = None
        self._at = -1
        self._attempts = 0
        self._waits_s = 0.0
        self._say: Callable[[bytes], None] = _nowhere

    def on_line(self, say: Callable[[bytes], None]) -> None:
        """Take the way to speak, and begin when something waits."""
        self._say = say
        say(self.step(0.0))

    def speak(self, dt_s: float) -> None:
        """Let time pass and say what has become due."""
        if words := self.step(dt_s):
            self._say(words)

    def step(self, dt_s: float) -> bytes:
        """Let ``dt_s`` seconds pass [>= 0]; return what is to be said."""
        self._waits_s = max(0.0, self._waits_s - dt_s)
        if self._waits_s > 0.0:
            return b""
        if self._frames is not None:  # no answer came
            return self._hang_up(REPLY_S)
        if not self._outbox:
            return b""
        self._frames, self._at, self._attempts, self._waits_s = list(frames_of(self._outbox[0])), -1, 0, REPLY_S
        return ENQ

    def receive(self, data: bytes) -> bytes:
        """Take answers, each one byte; whatever else comes is no answer."""
        return b"".join(self._answered(bytes([byte])) for byte in data)

    def _answered(self, answer: bytes) -> bytes:
        if self._frames is None or answer not in (ACK, NAK):
            return b""
        if answer == NAK:
            self._attempts += 1
            if self._at < 0:
                return self._hang_up(BUSY_S)
            return self._hang_up(REPLY_S) if self._attempts >= MOST_ATTEMPTS else self._frame()
        self._at, self._attempts = self._at + 1, 0
        if self._at < len(self._frames):
            return self._frame()
        self._outbox.popleft()
        end = self._hang_up(0.0)
        return end + self.step(0.0)

    def _frame(self) -> bytes:
        assert self._frames is not None
        self._waits_s = REPLY_S
        return self._frames[self._at]

    def _hang_up(self, waits_s: float) -> bytes:
        self._frames, self._waits_s = None, waits_s
        return EOT


def _nowhere(_words: bytes) -> None:
    """Stand in for a line until there is one."""
