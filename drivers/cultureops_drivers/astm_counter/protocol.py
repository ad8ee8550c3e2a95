"""The receiving side of ASTM E1381 (CLSI LIS01-A2): frames in, acknowledgements and whole messages out. Pure.

One session is ENQ, frames, EOT. A frame is ``STX FN text ETX|ETB C1 C2 CR LF``: FN counts 1..7, 0..7; C1 C2 is the sum
of the bytes from FN to ETX or ETB modulo 256 as two upper-case hexadecimal digits. Sources: ASTM E1381 as implemented
by kxepal/python-astm 606a774 (astm/codec.py) and senaite.astm b701c18.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

__all__ = [
    "ACK",
    "ENQ",
    "EOT",
    "ETB",
    "ETX",
    "LONGEST_TEXT",
    "MOST_TEXT",
    "NAK",
    "RECEIVER_S",
    "STX",
    "Abandon",
    "Action",
    "Finish",
    "Keep",
    "Receiver",
    "Refuse",
    "Send",
    "checksum",
]

ENQ: Final = b"\x05"
EOT: Final = b"\x04"
STX: Final = b"\x02"
ETX: Final = b"\x03"
ETB: Final = b"\x17"
ACK: Final = b"\x06"
NAK: Final = b"\x15"
CR_LF: Final = b"\r\n"

RECEIVER_S: Final = 30.0
"""How long a session may be silent [s] (E1381 receiver timer)."""
LONGEST_TEXT: Final = 240
"""Characters of text in a frame of E1381."""
MOST_TEXT: Final = 64_000
"""Characters of text in a frame of LIS01-A2 (second-hand); a longer one is no frame."""
MOST_MESSAGE: Final = 4_000_000
"""Bytes of one session that are still taken; our own limit."""

_IDLE_NOISE: Final = EOT + ACK + NAK + b"\x00\r\n"
"""What a line may carry between sessions without being another protocol's."""
_TRAILER: Final = 4
_FOREIGN: Final = 64


@dataclass(frozen=True, slots=True)
class Send:
    """Write these bytes to the instrument."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Keep:
    """Make this part of the message durable; what comes after must not be sent before that is done."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Finish:
    """The session ended and its message is whole; ``notes`` say what was unusual."""

    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Abandon:
    """What was kept of this session is no whole message."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """Whoever speaks does not speak this protocol: hang up where that can be done."""

    reason: str
    data: bytes


Action: TypeAlias = Send | Keep | Finish | Abandon | Refuse


def checksum(data: bytes) -> bytes:
    """Return the two digits that guard a frame; ``data`` reaches from FN to ETX or ETB."""
    return b"%02X" % (sum(data) % 256)


class Receiver:
    """One line's receiver.

    ``receive`` and ``tick`` take ``now`` [s, any steady clock] and return what is to be done, in order. A frame that
    fails any check is answered NAK and comes again; the frame acknowledged last is acknowledged again when it returns
    unchanged, and kept once.
    """

    def __init__(self) -> None:
        self._unread = bytearray()
        self._in_session = False
        self._last: tuple[int, bytes] | None = None
        self._is_ended = False
        self._is_refused = False
        self._kept = 0
        self._notes: list[str] = []
        self._heard = 0.0

    @property
    def deadline(self) -> float | None:
        """When ``tick`` is due next [s]; None while no session is under way."""
        return self._heard + RECEIVER_S if self._in_session else None

    def receive(self, data: bytes, now: float) -> tuple[Action, ...]:
        """Take bytes as they come in, whole frames or not."""
        self._unread += data
        return tuple(self._actions(now))

    def tick(self, now: float) -> tuple[Action, ...]:
        """End a session that has been silent for too long."""
        due = self.deadline
        if due is None or now < due:
            return ()
        self._unread.clear()
        return tuple(self._abandon(f"the instrument was silent for {RECEIVER_S:g} s within a message"))

    def lost(self) -> tuple[Action, ...]:
        """End the session whose line broke."""
        self._unread.clear()
        return tuple(self._abandon("the line broke within a message")) if self._in_session else ()

    def _actions(self, now: float) -> Iterator[Action]:
        while self._unread:
            if not self._in_session:
                if not (yield from self._idle(now)):
                    return
                continue
            mark = bytes(self._unread[:1])
            if mark == STX:
                if not (yield from self._frame(now)):
                    return
                continue
            del self._unread[:1]
            if mark == EOT:
                yield from self._end()
            elif mark == ENQ:  # the instrument begins anew, perhaps because our acknowledgement was lost
                if self._last is not None:
                    yield from self._abandon("the instrument began anew within a message")
                yield from self._begin(now)

    def _idle(self, now: float) -> Generator[Action, None, bool]:
        """Skip to the next ENQ; return whether there was one."""
        start = self._unread.find(ENQ)
        skipped = bytes(self._unread if start < 0 else self._unread[:start])
        del self._unread[: len(skipped) + (start >= 0)]
        if skipped.strip(_IDLE_NOISE):
            yield Refuse(f"expected ENQ, the start of an ASTM session, got {skipped[:20]!r}", skipped[:_FOREIGN])
        if start < 0:
            return False
        yield from self._begin(now)
        return True

    def _begin(self, now: float) -> Iterator[Action]:
        self._in_session, self._heard = True, now
        self._last, self._is_ended, self._is_refused, self._kept = None, False, False, 0
        self._notes.clear()
        yield Send(ACK)

    def _end(self) -> Iterator[Action]:
        if self._last is not None and self._is_ended and not self._is_refused:
            self._in_session = False
            yield Finish(tuple(self._notes))
        else:
            yield from self._abandon("the instrument ended the session within a message")

    def _abandon(self, reason: str) -> Iterator[Action]:
        self._in_session = False
        if self._last is not None:
            yield Abandon(reason)

    def _frame(self, now: float) -> Generator[Action, None, bool]:
        """Judge the frame at the start of what is unread; return whether there was a whole one."""
        end = _first(self._unread, ETX, ETB)
        anew = _first(self._unread, ENQ, EOT)
        if anew >= 0 and (end < 0 or anew < end):  # the rest of this frame was lost, and the instrument knows
            del self._unread[:anew]
            return True
        if end < 0 or len(self._unread) < end + 1 + _TRAILER:
            if len(self._unread) > MOST_TEXT + 2 + 1 + _TRAILER:
                self._unread.clear()
                yield self._refusal(now)
            return False
        torn = self._unread.rfind(STX, 0, end)
        frame = bytes(self._unread[torn : end + 1 + _TRAILER])
        ends_well = frame.endswith(CR_LF)
        # Of a frame that does not end as it should nobody knows where the next one begins.
        del self._unread[: end + 1 + _TRAILER if ends_well else len(self._unread)]
        body, digits = frame[1:-_TRAILER], frame[-_TRAILER:-2]
        if not ends_well or digits != checksum(body) or not 2 <= len(body) <= MOST_TEXT + 2:
            yield self._refusal(now)
            return True
        yield from self._judged(body, now)
        return True

    def _judged(self, body: bytes, now: float) -> Iterator[Action]:
        number, text, mark = body[0] - ord("0"), body[1:-1], body[-1:]
        expected = 1 if self._last is None else (self._last[0] + 1) % 8
        if self._last == (number, body):
            self._heard, self._is_refused = now, False
            yield Send(ACK)
        elif number != expected or self._kept + len(text) > MOST_MESSAGE:
            yield self._refusal(now)
        else:
            if len(text) > LONGEST_TEXT:
                self._notes.append(f"frame {number} holds {len(text)} characters, E1381 allows {LONGEST_TEXT}")
            self._last, self._is_ended, self._heard = (number, body), mark == ETX, now
            self._is_refused = False
            self._kept += len(text)
            yield Keep(text)
            yield Send(ACK)

    def _refusal(self, now: float) -> Send:
        self._heard, self._is_refused = now, True
        return Send(NAK)


def _first(data: bytearray, *marks: bytes) -> int:
    """Return where the first of the marks stands, -1 without one."""
    return min((at for at in map(data.find, marks) if at >= 0), default=-1)
