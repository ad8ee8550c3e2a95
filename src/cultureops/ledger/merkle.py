"""The Merkle tree of RFC 6962 section 2.1: one hash that stands for many. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

__all__ = ["merkle_root"]


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root hash [32 bytes] of the leaves in their order; that of no leaves is SHA-256 of nothing."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    level = [hashlib.sha256(b"\x00" + leaf).digest() for leaf in leaves]
    while len(level) > 1:
        # An odd one goes up as it is, which gives the RFC's split at the largest power of two.
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [hashlib.sha256(b"\x01" + left + right).digest() for left, right in pairs] + level[len(level) & ~1 :]
    return level[0]
