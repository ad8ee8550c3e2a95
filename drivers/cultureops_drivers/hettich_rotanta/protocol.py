r"""Enquiries to Hettich robotic centrifuges and what they answer, without any I/O.

An enquiry is ``EOT address code ENQ``, its answer ``address STX code=value ETX BCC``: a code of five digits, a value of
four hex digits, a block check that is the XOR of all bytes behind STX up to ETX. Source: Hettich "Serial communication
and PC parameters ROTANTA 460 Robotic, ROTANTA 46 RSC Robotic", AH5680-01EN, p6-12, 44, 53-62. Select telegrams, which
start, open and move the centrifuge, can't be built; nor can enquiry 00685, which is said to clear its reset bit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Final

from cultureops.errors import ProtocolError, WriteRejected

__all__ = [
    "CENTRIFUGE_TYPE",
    "END",
    "HATCH",
    "QUERIES",
    "ROTOR_POSITION",
    "STATE_1",
    "STATE_2",
    "TRAILING",
    "State1",
    "State2",
    "block_check",
    "enquiry",
    "hatch_is_shut",
    "rotor_position",
    "state_1",
    "state_2",
    "word_of",
]

END: Final = b"\x03"
TRAILING: Final = 1
"""The block check behind ETX."""

ROTOR_POSITION: Final = "00524"
HATCH: Final = "00528"
CENTRIFUGE_TYPE: Final = "00537"
STATE_1: Final = "00634"
STATE_2: Final = "00635"

QUERIES: Final = frozenset({ROTOR_POSITION, HATCH, CENTRIFUGE_TYPE, STATE_1, STATE_2})
"""All that is ever sent."""

_ANSWER = re.compile(rb"(.)\x02([0-9]{5})=([0-9A-F]{4})\x03(.)", re.DOTALL)

_STANDSTILL: Final = 0x02
_LID_SHUT: Final = 0x02
_HATCH_SHUT_AND_LOCKED: Final = 0x18


@dataclass(frozen=True, slots=True)
class State1:
    """Parameter 00634: the program called last, and whether the rotor stands still."""

    program: int
    is_standstill: bool


@dataclass(frozen=True, slots=True)
class State2:
    """Parameter 00635: the lid, the number of the rotor, and the position of the key (1 to 5)."""

    lid_is_shut: bool
    rotor: int
    key_lock: int


def block_check(data: bytes) -> int:
    """Return the XOR of all bytes."""
    return reduce(xor, data, 0)


def enquiry(code: str, address: str) -> bytes:
    """Return the enquiry for a code of the centrifuge with that address, one character.

    Raises WriteRejected for every code that is not in ``QUERIES``.
    """
    if code not in QUERIES:
        raise WriteRejected(f"{code!r} is not sent to a Rotanta; only {', '.join(sorted(QUERIES))} are")
    return f"\x04{address}{code}\x05".encode("ascii")


def word_of(answer: bytes, code: str, address: str) -> int:
    """Return the value of an answer [0-65535]; raises ProtocolError for another form, block check, address or code."""
    found = _ANSWER.fullmatch(answer)
    if found is None:
        raise ProtocolError(f"{code}: not of the form 'address STX code=value ETX BCC': {answer[:40]!r}")
    if found[4][0] != (expected := block_check(answer[2:-1])):
        raise ProtocolError(f"{code}: block check {found[4][0]:02X} instead of {expected:02X}: {answer[:40]!r}")
    if found[1] != address.encode("ascii") or found[2] != code.encode("ascii"):
        raise ProtocolError(f"{code}: the answer of {address} was expected, not {answer[:40]!r}")
    return int(found[3], 16)


def state_1(word: int) -> State1:
    """Take parameter 00634 apart (p44, p53).

    That bit 1 of the low byte is standstill follows from the printed 0x62 and that bits 5 and 6 are internal, bit 7 the
    modification bit; the table of bits was not seen.
    """
    return State1(word >> 8, bool(word & _STANDSTILL))


def state_2(word: int) -> State2:
    """Take parameter 00635 apart (p53, p62)."""
    return State2(bool(word >> 8 & _LID_SHUT), word >> 4 & 0xF, word & 0xF)


def hatch_is_shut(word: int) -> bool:
    """Return whether parameter 00528 says that the hatch is closed and locked (p53, p58); else it is open or moves."""
    return word >> 8 == _HATCH_SHUT_AND_LOCKED


def rotor_position(word: int) -> tuple[int, int]:
    """Return (position, number of positions) out of parameter 00524 (p53)."""
    return word & 0xFF, word >> 8
