"""The last position of a ledger and its hash: a copy kept elsewhere proves a cut-off or rewritten history."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from cultureops.errors import StorageError

__all__ = ["GENESIS", "Head"]

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
