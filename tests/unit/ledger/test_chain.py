"""The chain's arithmetic against values worked out here, and the head's text form."""

from __future__ import annotations

import hashlib

import pytest

from cultureops.errors import StorageError
from cultureops.ledger.chain import Fault, Row, Tail, link
from cultureops.ledger.finding import Kind
from cultureops.ledger.head import GENESIS, Head


def test_genesis_is_the_hash_of_nothing() -> None:
    assert GENESIS.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert Tail().head == Head(0, GENESIS.hex())


def test_a_link_hashes_a_zero_byte_the_hash_before_and_the_bytes() -> None:
    hasher = hashlib.sha256()
    for part in (bytes([0]), GENESIS, b'{"a":1}'):
        hasher.update(part)
    assert link(GENESIS, b'{"a":1}') == hasher.digest()
    assert link(GENESIS, b"") != GENESIS


def test_a_row_with_columns_of_wrong_type_is_edited() -> None:
    fault = Tail().follow(Row(1, "a", 1, "text", b"\x00" * 32))  # type: ignore[arg-type]
    assert isinstance(fault, Fault)
    assert (fault.position, fault.kind) == (1, Kind.EDITED)


def test_a_head_survives_its_text() -> None:
    head = Head(12, link(GENESIS, b"x").hex())
    assert Head.parse(f" {head}\n") == head


@pytest.mark.parametrize("text", ["", "12", "12:abc", f"-1:{'0' * 64}", f"12:{'G' * 64}"])
def test_text_that_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(StorageError, match="is not a ledger head"):
        Head.parse(text)
