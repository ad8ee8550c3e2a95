"""The last position of a ledger and its hash: a copy kept elsewhere proves a cut-off or rewritten history."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from cultureops.errors import StorageError

__all__ = ["GENESIS", "Head", "PrintedHead", "parse_head"]

GENESIS: Final = hashlib.sha256(b"").digest()
"""What the first event's hash builds on: SHA-256 of nothing, the empty root of RFC 6962 section 2.1."""

_TEXT = re.compile(r"(\d+):([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Head:
    """The state of a whole ledger: its last position (0 when empty) and the hash there (hex)."""

    position: int = 0
    hash: str = GENESIS.hex()

    def __str__(self) -> str:
        """Write the head the way ``parse`` reads it, ``position:hash``."""
        return f"{self.position}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """Read ``position:hash``; raise StorageError for anything else."""
        match = _TEXT.fullmatch(text.strip())
        if match is None:
            raise StorageError(f"{text!r} is not a ledger head; write it as position:hash (64 hex digits)")
        return cls(int(match[1]), match[2])


_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter that is taken for a digit."""
_READ_AS: Final = str.maketrans("ILO", "110")
_ROOT_BITS: Final = 95
_PRINTED = re.compile(r"(\d{1,16})((?:-[0-9A-Z]{5}){4})")


@dataclass(frozen=True, slots=True)
class PrintedHead:
    """A head as it stands on paper: the number of events, and the first 95 bits of the Merkle root."""

    position: int
    root_bits: int

    @classmethod
    def of(cls, size: int, root: bytes) -> PrintedHead:
        """Shorten a root [32 bytes]."""
        return cls(size, int.from_bytes(root) >> 256 - _ROOT_BITS)

    def fits(self, root: bytes) -> bool:
        """Whether a root [32 bytes] begins so."""
        return PrintedHead.of(self.position, root) == self

    def __str__(self) -> str:
        """Write it as ``position-XXXXX-XXXXX-XXXXX-XXXXX``; the last letter tells a mistyped one."""
        number = self.root_bits << 5 | self._check()
        letters = "".join(_ALPHABET[number >> shift & 31] for shift in range(95, -1, -5))
        return "-".join([str(self.position), *(letters[at : at + 5] for at in range(0, 20, 5))])

    @classmethod
    def parse(cls, text: str) -> PrintedHead:
        """Read what was printed, with I and L for 1, O for 0, in either case; raises StorageError for anything else."""
        match = _PRINTED.fullmatch(text.strip().upper())
        if match is None:
            raise StorageError(f"{text[:80]!r} is not a printed head; write it as 1234-XXXXX-XXXXX-XXXXX-XXXXX")
        letters = match[2].replace("-", "").translate(_READ_AS)
        if "U" in letters:
            raise StorageError(f"{text!r}: there is no letter U in a printed head; compare it with the paper")
        number = 0
        for letter in letters:
            number = number << 5 | _ALPHABET.index(letter)
        found = cls(int(match[1]), number >> 5)
        if found._check() != number & 31:
            raise StorageError(f"{text!r}: mistyped, its last letter does not fit the rest; compare it with the paper")
        return found

    def _check(self) -> int:
        return hashlib.sha256(f"{self.position}:{self.root_bits}".encode()).digest()[0] >> 3


def parse_head(text: str) -> Head | PrintedHead:
    """Read a head in either form; raises StorageError for anything else."""
    return Head.parse(text) if ":" in text else PrintedHead.parse(text)
