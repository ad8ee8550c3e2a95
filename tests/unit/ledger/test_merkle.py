"""The tree of RFC 6962, against the definitions of its section 2.1, published vectors, and pymerkle as a peer."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from cultureops.errors import ChainBroken
from cultureops.ledger.merkle import MerkleTree, check_consistency, check_inclusion, leaf_hash, merkle_root

# What Certificate Transparency's own test of the tree is given, and the roots of its first 1, 2, ... leaves
# (github.com/google/certificate-transparency, merkletree/merkle_tree_test.cc).
VECTORS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def defined(leaves: list[bytes]) -> bytes:
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + defined(leaves[:split]) + defined(leaves[split:])).digest()


def test_published_vectors() -> None:
    assert merkle_root([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    leaves = [bytes.fromhex(text) for text in VECTORS]
    tree = MerkleTree.of(leaves)
    for size, root in enumerate(ROOTS, 1):
        assert merkle_root(leaves[:size]).hex() == tree.root(size).hex() == root


@settings(max_examples=40)
@given(st.lists(st.binary(max_size=8), max_size=70))
def test_the_root_is_the_one_that_is_defined(leaves: list[bytes]) -> None:
    assert merkle_root(leaves) == MerkleTree.of(leaves).root() == defined(leaves)


LEAVES = [b"%d" % number for number in range(1030)]
SIZES = [1, 2, 3, 7, 8, 255, 256, 257, 511, 513, 767, 768, 1023, 1024, 1025, 1030]


@pytest.fixture(scope="module")
def peer() -> InmemoryTree:
    tree = InmemoryTree(algorithm="sha256")
    for leaf in LEAVES:
        tree.append_entry(leaf)
    return tree


def test_roots_and_proofs_are_those_of_a_peer_and_hold(peer: InmemoryTree) -> None:
    tree = MerkleTree.of(LEAVES)
    for size in SIZES:
        root = tree.root(size)
        assert root == peer.get_root(size)
        for index in {0, size // 3, size // 2, size - 1}:
            path = tree.inclusion(index, size)
            theirs = peer.prove_inclusion(index + 1, size).serialize()["path"]
            assert [node.hex() for node in path] == theirs[1:], "theirs begins with the leaf itself"
            check_inclusion(LEAVES[index], index, size, path, root)
    for new in SIZES:
        for old in [size for size in SIZES if size <= new]:
            check_consistency(old, new, tree.consistency(old, new), tree.root(old), tree.root(new))


@settings(max_examples=25)
@given(st.data())
def test_no_false_proof_holds(data: st.DataObject) -> None:
    tree = MerkleTree.of(LEAVES)
    size = data.draw(st.integers(2, 1030))
    index = data.draw(st.integers(0, size - 1))
    path = list(tree.inclusion(index, size))
    other = data.draw(st.integers(0, size - 1).filter(lambda found: found != index))
    with pytest.raises(ChainBroken):
        check_inclusion(LEAVES[other], index, size, path, tree.root(size))
    with pytest.raises(ChainBroken):
        check_inclusion(LEAVES[index], index, size, path[:-1], tree.root(size))
    with pytest.raises(ChainBroken):
        check_inclusion(LEAVES[index], index, size, [*path, b"\x00" * 32], tree.root(size))
    old = data.draw(st.integers(1, size - 1))
    proof = list(tree.consistency(old, size))
    with pytest.raises(ChainBroken):
        check_consistency(old, size, proof, leaf_hash(b"another"), tree.root(size))
    with pytest.raises(ChainBroken):
        check_consistency(old, size, proof[:-1], tree.root(old), tree.root(size))
    changed = data.draw(st.integers(0, len(proof) - 1))
    proof[changed] = bytes(32)
    with pytest.raises(ChainBroken):
        check_consistency(old, size, proof, tree.root(old), tree.root(size))


def test_what_was_never_there_has_no_proof() -> None:
    tree = MerkleTree.of(LEAVES[:5])
    for ask in (lambda: tree.root(6), lambda: tree.inclusion(5), lambda: tree.consistency(6), lambda: tree.root(-1)):
        with pytest.raises(ValueError, match=r"of 5|5 leaves|5 of the tree"):
            ask()
    forgetful = MerkleTree()
    for leaf in LEAVES[:300]:
        forgetful.append(leaf)
    assert forgetful.root() == tree_root(300) and forgetful.root(256) == tree_root(256)
    with pytest.raises(ValueError, match="can't read its leaves"):
        forgetful.inclusion(5)


def tree_root(size: int) -> bytes:
    return merkle_root(LEAVES[:size])
