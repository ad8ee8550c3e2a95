"""Integers come back bit by bit, in few bytes, or not at all."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cultureops.errors import Unreadable
from cultureops.telemetry.integers import compress, decompress, pack, shuffled, unpack, unshuffled
from cultureops.telemetry.store import Integers

LOW, HIGH = -(1 << 63), (1 << 63) - 1
ANY = st.one_of(
    st.integers(LOW, HIGH), st.integers(-130, 130), st.sampled_from([LOW, LOW + 1, -1, 0, 1, HIGH - 1, HIGH])
)
MILLION = 1_000_000


def of(numbers: list[int]) -> Integers:
    return np.array(numbers, np.int64)


def comes_back(numbers: Integers) -> bytes:
    packed = pack(numbers)
    found = unpack(packed, numbers.size)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, numbers)
    return packed


@given(st.lists(ANY, max_size=60))
def test_any_integers_come_back(numbers: list[int]) -> None:
    comes_back(of(numbers))


@given(ANY, ANY, st.integers(1, 300), st.lists(st.integers(-200, 200), min_size=1, max_size=20))
def test_lines_come_back_also_where_they_wrap(start: int, step: int, count: int, noise: list[int]) -> None:
    line = [(start + step * at + noise[at % len(noise)] + (1 << 63)) % (1 << 64) - (1 << 63) for at in range(count)]
    comes_back(of(line))


@settings(max_examples=30)
@given(st.integers(1, 20_000), st.integers(0, 62), st.integers(0, 1 << 32))
def test_long_walks_of_any_width_come_back(count: int, bits: int, seed: int) -> None:
    dice = np.random.default_rng(seed)
    comes_back(np.cumsum(dice.integers(-(1 << bits), 1 << bits, count, np.int64, endpoint=True)))


def test_what_begins_quiet_and_ends_wild_comes_back() -> None:
    """The predictor is chosen by the first numbers, and has to hold for all."""
    dice = np.random.default_rng(1)
    quiet = np.arange(5_000, dtype=np.int64)
    for wild in (dice.integers(LOW, HIGH, 5_000, np.int64), np.full(5_000, LOW), np.tile([LOW, HIGH], 2_500)):
        comes_back(np.concatenate((quiet, wild)))
        comes_back(np.concatenate((wild, quiet)))


def test_a_million_come_back_in_few_bytes() -> None:
    dice = np.random.default_rng(2)
    noise = dice.integers(0, 4, MILLION)
    assert len(comes_back(1_767_600_000_000 + 1000 * np.arange(MILLION))) < 250
    assert len(comes_back(1_767_600_000_000 + 1000 * np.arange(MILLION) + noise)) < 0.33 * MILLION
    assert len(comes_back(3_700 + noise)) < 0.33 * MILLION
    assert len(comes_back(dice.integers(LOW, HIGH, MILLION, np.int64))) < 8.01 * MILLION


@given(st.binary(max_size=300))
def test_bytes_come_back(raw: bytes) -> None:
    assert decompress(compress(raw), len(raw)) == raw


@given(st.lists(ANY, max_size=40), st.sampled_from(["<i8", "<u4", "<u2", "u1"]))
def test_bytes_sorted_by_weight_come_back(numbers: list[int], name: str) -> None:
    some = of(numbers).astype(name)
    raw = shuffled(some)
    np.testing.assert_array_equal(unshuffled(raw, np.dtype(name)), some)
    assert raw[: some.size] == (some & 0xFF).astype("u1").tobytes()


def test_every_truncation_is_noticed() -> None:
    for numbers in (of([5, 9, 2, 40, 4]), np.arange(1000) * 7, np.random.default_rng(3).integers(0, 99, 500)):
        packed = pack(numbers)
        for length in range(len(packed)):
            with pytest.raises(Unreadable):
                unpack(packed[:length], numbers.size)
        for count in (1, numbers.size - 1, numbers.size + 1, 8 * numbers.size):
            with pytest.raises(Unreadable):
                unpack(packed, count)


HEADS = st.builds(struct.Struct("<BBqq").pack, st.integers(0, 3), st.sampled_from([1, 2, 4, 8, 3]), ANY, ANY)
BODIES = st.one_of(st.binary(max_size=80), st.binary(max_size=80).map(compress))


@given(st.one_of(BODIES, st.builds(bytes.__add__, HEADS, BODIES)), st.integers(0, 80))
def test_garbage_is_unreadable_or_as_many_integers(packed: bytes, count: int) -> None:
    try:
        found = unpack(packed, count)
    except Unreadable:
        return
    assert found.dtype == np.int64 and found.size == count


@given(st.lists(ANY, min_size=1, max_size=40), st.data())
def test_a_changed_byte_raises_nothing_else(numbers: list[int], data: st.DataObject) -> None:
    packed = bytearray(pack(of(numbers)))
    packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        found = unpack(bytes(packed), len(numbers))
    except Unreadable:
        return
    assert found.dtype == np.int64 and found.size == len(numbers)


@pytest.mark.parametrize("predictor", [0, 1, 2])
def test_what_wraps_where_it_never_did_raises_nothing(predictor: int) -> None:
    """A head and residuals that are well made and belong to other numbers."""
    residuals = compress(shuffled(np.array([2, 2, HIGH, 5], "<u8")))
    assert unpack(struct.pack("<BBqq", predictor, 8, HIGH, HIGH) + residuals, 4).size == 4
