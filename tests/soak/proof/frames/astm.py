"""Oracle for the receiver of ASTM E1381 (CLSI LIS01-A2) frames.

A frame is ``STX FN text ETX|ETB C1 C2 CR LF``: FN counts 1..7, 0..7; C1 C2 is the sum of the bytes from FN to ETX or
ETB modulo 256 as two upper-case hex digits (astm/codec.py of kxepal/python-astm, senaite.astm). Only what passes may be
kept, and only what is kept, or is the frame before it once more, may be acknowledged.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from random import Random

from proof.frames.dialect import Answer, Dialect, Scene

__all__ = ["ASTM", "Place"]

STX, ETX, EOT, ENQ, ETB = 2, 3, 4, 5, 0x17
ACK = "ack"
SESSIONS = 60


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a session: the frames before it, and the texts of the whole session."""

    before: tuple[bytes, ...]
    texts: frozenset[bytes]


def frame(number: int, text: bytes, mark: int) -> bytes:
    body = b"%d" % (number % 8) + text + bytes([mark])
    return bytes([STX]) + body + f"{sum(body) % 256:02X}\r\n".encode()


def session(dice: Random) -> list[bytes]:
    texts = [
        b"H|\\^&|||counter^1|||||||P|E1394-97|20261121120000\r",
        b"O|1|S%05d||^^^VCD\r" % dice.randrange(10**5),
        b"R|1|^^^VCD|%.3f|10*6/mL\r" % dice.uniform(0, 9),
        b"R|2|^^^VIAB|%.1f|%%\r" % dice.uniform(0, 100),
        b"L|1|N\r",
    ]
    return [frame(number, text, dice.choice([ETX, ETX, ETB])) for number, text in enumerate(texts, 1)]


def scenes(dice: Random) -> Sequence[Scene]:
    found = []
    for _ in range(SESSIONS):
        ours, foreign = session(dice), session(dice)
        texts = frozenset(answer[2:-5] for answer in ours)
        for at, answer in enumerate(ours):
            late = tuple(other for number, other in enumerate(ours) if number != at)
            found.append(Scene(Place(tuple(ours[:at]), texts), answer, late, tuple(foreign)))
    return found


def agree(asked: Place, got: Answer, _true: Answer) -> bool:
    """Whether all that was kept is of this session; an acknowledgement alone says nothing."""
    return all(part == ACK or part in asked.texts for part in got)


def judge(asked: Place, heard: bytes) -> Collection[Answer]:
    """Return every order in which the sound frames may be kept and acknowledged; a receiver may miss some."""
    last = body_of(asked.before[-1]) if asked.before else None
    ways: set[tuple[Answer, int, bytes | None]] = {((), (len(asked.before) + 1) % 8, last)}
    for body in events(heard):
        for said, number, previous in tuple(ways):
            if body is None:
                ways.add(((*said, ACK), 1, None))
            elif body == previous:
                ways.add(((*said, ACK), number, previous))
            elif body[:1] == b"%d" % number:
                ways.add(((*said, body[1:-1], ACK), (number + 1) % 8, body))
    return {said for said, _, _ in ways if said}


def events(heard: bytes) -> list[bytes | None]:
    """Return in order the bodies of sound frames, and None for each ENQ."""
    found: list[bytes | None] = []
    for at, byte in enumerate(heard):
        if byte == ENQ:
            found.append(None)
        elif byte == STX and (body := body_of(heard[at:])) is not None:
            found.append(body)
    return found


def body_of(data: bytes) -> bytes | None:
    """Return FN to ETX or ETB of the frame at the start, None where it fails a check."""
    ends = [at for at, byte in enumerate(data) if byte in (ETX, ETB)]
    if not ends or any(byte in (STX, ENQ, EOT) for byte in data[1 : ends[0]]):
        return None
    body, rest = data[1 : ends[0] + 1], data[ends[0] + 1 : ends[0] + 5]
    sound = len(body) >= 2 and rest == f"{sum(body) % 256:02X}\r\n".encode()
    return body if sound else None


ASTM = Dialect("ASTM E1381 receiver", 8, scenes, judge, agree)
