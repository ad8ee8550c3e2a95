"""The centrifuge's telegrams, against what the manual prints."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops.errors import DriverError, ProtocolError, WriteRejected
from cultureops_drivers.hettich_rotanta import protocol
from cultureops_drivers.hettich_rotanta.protocol import State1, State2

# AH5680-01EN p53, p58, p62
PRINTED = [
    ("00528", "T", b"T\x0200528=1800\x03\x08", 0x1800),
    ("00634", "T", b"T\x0200634=0162\x03\x0a", 0x0162),
    ("00635", "T", b"T\x0200635=0292\x03\x07", 0x0292),
    ("00635", "]", b"]\x0200635=0222\x03\x0c", 0x0222),
    ("00528", "T", b"T\x0200528=2006\x03\x05", 0x2006),
    ("00528", "T", b"T\x0200528=2100\x03\x02", 0x2100),
    ("00528", "T", b"T\x0200528=2500\x03\x06", 0x2500),
    ("00528", "T", b"T\x0200528=0500\x03\x04", 0x0500),
]
MISPRINTED = [
    ("00537", b"T\x0200537=C800\x03\x07"),
    ("00524", b"T\x0200524=0602\x03\x0a"),
    ("00528", b"T\x0200528=2003\x03\x01"),
    ("00634", b"T\x0200634=0662\x03\x09"),
]
PRINTED_SELECTS = [
    b"00524=0604\x03\x0f", b"00526=0002\x03\x0d", b"00526=0070\x03\x08", b"00523=0604\x03\x08", b"00633=0002\x03\x0a",
    b"00685=0000\x03\x05",
]  # fmt: skip


def test_printed_enquiry() -> None:
    assert protocol.enquiry("00634", "T") == b"\x04T00634\x05"


@pytest.mark.parametrize(("code", "address", "answer", "word"), PRINTED)
def test_printed_answers(code: str, address: str, answer: bytes, word: int) -> None:
    assert protocol.word_of(answer, code, address) == word


@pytest.mark.parametrize("telegram", PRINTED_SELECTS)
def test_the_block_check_of_the_other_printed_telegrams(telegram: bytes) -> None:
    assert protocol.block_check(telegram[:-1]) == telegram[-1]


@pytest.mark.parametrize(("code", "answer"), MISPRINTED)
def test_misprinted_answers_are_refused(code: str, answer: bytes) -> None:
    with pytest.raises(ProtocolError, match=f"{code}: block check .. instead of .."):
        protocol.word_of(answer, code, "T")


def test_what_the_words_mean_on_their_pages() -> None:
    assert protocol.state_1(0x0162) == State1(program=1, is_standstill=True)
    assert protocol.state_1(0x0662) == State1(program=6, is_standstill=True)
    assert protocol.state_2(0x0292) == State2(lid_is_shut=True, rotor=9, key_lock=2)
    assert protocol.state_2(0x0222) == State2(lid_is_shut=True, rotor=2, key_lock=2)
    assert protocol.rotor_position(0x0602) == (2, 6)
    assert protocol.hatch_is_shut(0x1800)
    assert not any(map(protocol.hatch_is_shut, (0x2003, 0x2006, 0x2100, 0x2500, 0x0500, 0x0000, 0x3800)))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"T\x15", "not of the form"),
        (b"T\x0200634=0162\x03", "not of the form"),
        (b"T\x0200634=016\x03\x0a", "not of the form"),
        (b"T\x0200634=01G2\x03\x0a", "not of the form"),
        (b"T\x0200634=0162\x03\x0b", "block check 0B instead of 0A"),
        (b"]\x0200634=0162\x03\x0a", "the answer of T was expected"),
        (b"T\x0200635=0292\x03\x07", "the answer of T was expected"),
        (b"", "not of the form"),
    ],
)
def test_wrong_answers(answer: bytes, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        protocol.word_of(answer, "00634", "T")


@given(st.integers(0, 13), st.integers(1, 255))
def test_no_single_wrong_byte_goes_unnoticed(position: int, flip: int) -> None:
    answer = bytearray(b"T\x0200634=0162\x03\x0a")
    answer[position] ^= flip
    with pytest.raises(ProtocolError):
        protocol.word_of(bytes(answer), "00634", "T")


@given(st.binary(max_size=30))
def test_any_bytes_are_a_word_or_a_driver_error(answer: bytes) -> None:
    try:
        protocol.word_of(answer, "00634", "T")
    except DriverError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    "code", ["00526", "00523", "00633", "00685", "00640", "00520", "0634", "", "00634\x05\x04T00633"]
)
def test_what_moves_the_centrifuge_is_never_sent(code: str) -> None:
    with pytest.raises(WriteRejected, match="is not sent to a Rotanta"):
        protocol.enquiry(code, "T")
