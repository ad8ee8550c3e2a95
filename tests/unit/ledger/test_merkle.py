"""The tree of RFC 6962, against the definition of its section 2.1 and its published empty root."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from cultureops.ledger.merkle import merkle_root


def defined(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + defined(leaves[:split]) + defined(leaves[split:])).digest()


def test_no_leaves() -> None:
    assert merkle_root([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@given(st.lists(st.binary(max_size=8), min_size=1, max_size=70))
def test_the_root_is_the_one_that_is_defined(leaves: list[bytes]) -> None:
    assert merkle_root(leaves) == defined(leaves)
