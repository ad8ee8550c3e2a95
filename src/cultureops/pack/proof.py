"""Which nodes of a Merkle tree a reader needs to lead any of the chosen leaves to the root, each on its own. Pure.

Nodes are named by level (0: leaves) and index on it; what has no pair goes up as it is, so that a level of n nodes
stands under one of (n + 1) // 2 (RFC 6962 section 2.1). Every leaf keeps a way of its own to the root, where a
multiproof would be smaller: then a forged leaf is told from those beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from cultureops.ledger.merkle import node_hash

__all__ = ["Node", "NodeRow", "Nodes", "peaks"]

Node: TypeAlias = tuple[int, int]
"""(level, index)"""
NodeRow: TypeAlias = tuple[int, int, str]
"""(level, index, hash [hex]) as it stands in a proof."""
_BYTES: Final = 32


class Nodes:
    """All nodes over some leaf hashes [32 bytes each]; a million leaves take 64 MB and a second."""

    def __init__(self, leaf_hashes: Iterable[bytes]) -> None:
        self._levels = [bytearray().join(leaf_hashes)]
        self.size = len(self._levels[0]) // _BYTES
        while len(self._levels[-1]) > _BYTES:
            self._levels.append(_above(self._levels[-1]))

    @property
    def root(self) -> bytes:
        """The root hash [32 bytes]; raises ValueError for a tree of nothing."""
        if not self.size:
            raise ValueError("a tree without leaves has no node")
        return bytes(self._levels[-1])

    def proving(self, wanted: Iterable[Node]) -> list[NodeRow]:
        """Return every node that is met, as a sibling, on the way from one of the wanted nodes to the root."""
        needed: set[Node] = set()
        for level, index in wanted:
            needed.update(self._siblings(level, index))
        return [(level, index, self.hash(level, index).hex()) for level, index in sorted(needed)]

    def hash(self, level: int, index: int) -> bytes:
        """Return the hash [32 bytes] of a node."""
        return bytes(self._levels[level][_BYTES * index : _BYTES * (index + 1)])

    def _siblings(self, level: int, index: int) -> Iterator[Node]:
        while level < len(self._levels) - 1:
            beside = index ^ 1
            if _BYTES * beside < len(self._levels[level]):
                yield level, beside
            level, index = level + 1, index // 2


def _above(level: bytearray) -> bytearray:
    above = bytearray()
    even = len(level) // (2 * _BYTES) * 2 * _BYTES
    whole = bytes(level)
    for at in range(0, even, 2 * _BYTES):
        above += node_hash(whole[at : at + _BYTES], whole[at + _BYTES : at + 2 * _BYTES])
    return above + level[even:]


def peaks(size: int) -> list[Node]:
    """Return the full subtrees that a tree of ``size`` leaves consists of, from the left: an old root's parts."""
    found: list[Node] = []
    at = 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            found.append((level, at >> level))
            at += 1 << level
    return found
