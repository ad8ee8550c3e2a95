"""Heads that were kept outside of a ledger's file: noted by a person, printed, or anchored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from cultureops.errors import SignatureInvalid
from cultureops.ledger.chain import Tail
from cultureops.ledger.head import Head, PrintedHead
from cultureops.ledger.keys import PublicKey
from cultureops.ledger.signed_head import SignedHead

__all__ = ["Known", "fits"]

AnyHead: TypeAlias = Head | PrintedHead | SignedHead


@dataclass(frozen=True, slots=True)
class Known:
    """A head and where it was kept; ``key`` is the one that an anchor says it was signed by."""

    where: str
    head: AnyHead
    key: PublicKey | None = None

    @property
    def size(self) -> int:
        """How many events it stands for."""
        return self.head.size if isinstance(self.head, SignedHead) else self.head.position

    @property
    def is_as_kept(self) -> bool:
        """Whether what was kept is what was signed; what nobody signed is believed as it stands."""
        if not isinstance(self.head, SignedHead):
            return True
        if self.key is None:
            return False
        try:
            self.head.check(self.key)
        except SignatureInvalid:
            return False
        return True


def fits(head: AnyHead, tail: Tail) -> bool:
    """Whether a ledger that stands at the head's position is the one that the head stands for."""
    if isinstance(head, PrintedHead):
        return head.fits(tail.tree.root())
    if isinstance(head, SignedHead):
        return head.chain_hash == tail.hash.hex() and head.root == tail.tree.root().hex()
    return head.hash == tail.hash.hex()
