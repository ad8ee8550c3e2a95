"""The Merkle tree of RFC 6962 section 2.1 (RFC 9162 section 2.1): one hash that stands for many. Pure.

A leaf is ``SHA-256(0x00 || bytes)``, a node ``SHA-256(0x01 || left || right)``; what has no pair goes up as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Self, TypeAlias

from cultureops.errors import ChainBroken

__all__ = [
    "Frontier",
    "Leaves",
    "MerkleTree",
    "check_consistency",
    "check_inclusion",
    "leaf_hash",
    "merkle_root",
    "node_hash",
]

Leaves: TypeAlias = Callable[[int, int], Sequence[bytes]]
"""Gives the bytes of the leaves ``first <= index < end``, counted from 0."""

_EMPTY: Final = hashlib.sha256(b"").digest()
_BLOCK_LEVEL: Final = 8
_BLOCK: Final = 1 << _BLOCK_LEVEL
"""Leaves under one kept hash: a proof reads at most so many at either end, a million leaves cost 125 kB of memory."""


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash [32 bytes] of a leaf."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash [32 bytes] of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The whole subtrees that a growing tree consists of, greatest first: all that its root needs [32 B * log2 n]."""

    def __init__(self, size: int = 0, subtrees: Iterable[bytes] = ()) -> None:
        self.size = size
        self._subtrees = list(subtrees)

    def copy(self) -> Frontier:
        """Return one that grows on its own."""
        return Frontier(self.size, self._subtrees)

    def append(self, leaf: bytes) -> None:
        """Take the next leaf."""
        self.add(leaf_hash(leaf))

    def add(self, found: bytes) -> bytes | None:
        """Take the next leaf's hash; return the hash of the block that it completes, None where it completes none."""
        block = None
        pairs = self.size
        level = 0
        while pairs & 1:
            found = node_hash(self._subtrees.pop(), found)
            pairs >>= 1
            level += 1
            if level == _BLOCK_LEVEL:
                block = found
        self._subtrees.append(found)
        self.size += 1
        return block

    def root(self, rest: bytes | None = None) -> bytes:
        """Return the root hash [32 bytes]; that of no leaves is SHA-256 of nothing.

        ``rest`` is the root of leaves behind these, fewer than the smallest subtree has.
        """
        subtrees = self._subtrees if rest is None else [*self._subtrees, rest]
        if not subtrees:
            return _EMPTY
        found = subtrees[-1]
        for left in reversed(subtrees[:-1]):
            found = node_hash(left, found)
        return found


class MerkleTree:
    """A growing tree that forgets its leaves and proves by reading some of them again, where ``leaves`` gives them."""

    def __init__(self, leaves: Leaves | None = None) -> None:
        self.frontier = Frontier()
        self._leaves = leaves
        self._blocks = bytearray()

    @classmethod
    def of(cls, leaves: Sequence[bytes]) -> Self:
        """Return the tree of leaves that stay in memory."""
        tree = cls(lambda first, end: leaves[first:end])
        for leaf in leaves:
            tree.append(leaf)
        return tree

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return self.frontier.size

    def append(self, leaf: bytes) -> None:
        """Take the next leaf."""
        if (block := self.frontier.add(leaf_hash(leaf))) is not None:
            self._blocks += block

    def root(self, size: int | None = None) -> bytes:
        """Return the root [32 bytes] as it is, or as it was when the tree had ``size`` leaves [0..size]."""
        if size is None or size == self.size:
            return self.frontier.root()
        return self._root_of(0, self._known(size))

    def inclusion(self, index: int, size: int | None = None) -> tuple[bytes, ...]:
        """Return the audit path of leaf ``index`` [0..size-1], nearest first (RFC 6962 section 2.1.1)."""
        end = self._known(self.size if size is None else size)
        if not 0 <= index < end:
            raise ValueError(f"leaf {index} is not among the {end} of the tree")
        path: list[bytes] = []
        first = 0
        while end - first > 1:
            middle = first + _split(end - first)
            if index < middle:
                path.append(self._root_of(middle, end))
                end = middle
            else:
                path.append(self._root_of(first, middle))
                first = middle
        return tuple(reversed(path))

    def consistency(self, old: int, new: int | None = None) -> tuple[bytes, ...]:
        """Return the proof that the tree of ``old`` leaves is the beginning of that of ``new`` (section 2.1.2).

        Of none, or of all of them, the proof is empty.
        """
        end = self._known(self.size if new is None else new)
        if not 0 <= old <= end:
            raise ValueError(f"a tree of {end} leaves never had {old}")
        if old in (0, end):
            return ()
        proof: list[bytes] = []
        first, is_whole = 0, True
        while old != end:
            middle = first + _split(end - first)
            if old <= middle:
                proof.append(self._root_of(middle, end))
                end = middle
            else:
                proof.append(self._root_of(first, middle))
                first, is_whole = middle, False
        if not is_whole:
            proof.append(self._root_of(first, end))
        return tuple(reversed(proof))

    def _known(self, size: int) -> int:
        if not 0 <= size <= self.size:
            raise ValueError(f"a tree of {self.size} leaves has no root of {size}")
        return size

    def _root_of(self, first: int, end: int) -> bytes:
        """Return the root of some leaves; ``first`` is where a subtree as large as they are, or larger, can begin."""
        whole = end // _BLOCK * _BLOCK
        if first % _BLOCK or whole <= first:
            return merkle_root(self._read(first, end))
        frontier = Frontier()
        for at in range(first // _BLOCK, whole // _BLOCK):
            frontier.add(bytes(self._blocks[32 * at : 32 * at + 32]))
        return frontier.root(merkle_root(self._read(whole, end)) if whole < end else None)

    def _read(self, first: int, end: int) -> Sequence[bytes]:
        if first == end:
            return ()
        if self._leaves is None:
            raise ValueError("this tree can't read its leaves again; give it a reader to have proofs of it")
        return self._leaves(first, end)


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root hash [32 bytes] of the leaves in their order; that of no leaves is SHA-256 of nothing."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


def check_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Check that a leaf stands at ``index`` [0..size-1] of the tree with this root (RFC 9162 section 2.1.3.2).

    Raises ChainBroken when it does not.
    """
    found, at, last = leaf_hash(leaf), index, size - 1
    is_proven = 0 <= index < size
    for node in path:
        if last == 0:
            is_proven = False
            break
        if at & 1 or at == last:
            found = node_hash(node, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, node)
        at, last = at >> 1, last >> 1
    if not is_proven or last or found != root:
        raise ChainBroken(f"leaf {index} is not in the tree of {size} leaves with this root; keep both as evidence")


def check_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Check that the tree of ``old`` leaves is the beginning of that of ``new`` (RFC 9162 section 2.1.4.2).

    Raises ChainBroken when it is not.
    """
    if not _is_consistent(old, new, list(proof), old_root, new_root):
        raise ChainBroken(f"the tree of {old} leaves is not the beginning of that of {new}; keep both as evidence")


def _is_consistent(old: int, new: int, proof: list[bytes], old_root: bytes, new_root: bytes) -> bool:
    if not 0 <= old <= new:
        return False
    if old == new:
        return not proof and old_root == new_root
    if old == 0:
        return not proof and old_root == _EMPTY
    if old & (old - 1) == 0:
        proof.insert(0, old_root)
    if not proof:
        return False
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    of_old = of_new = proof[0]
    for node in proof[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            of_old, of_new = node_hash(node, of_old), node_hash(node, of_new)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            of_new = node_hash(of_new, node)
        at, last = at >> 1, last >> 1
    return last == 0 and of_old == old_root and of_new == new_root


def _split(size: int) -> int:
    """Return the greatest power of two below a size [2..]."""
    return 1 << (size - 1).bit_length() - 1
