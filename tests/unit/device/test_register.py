"""Registers: numbers, and the requests that fetch them."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops.device.register import MAX_BITS, MAX_REGISTERS, TYPES, Block, Point, decode, plan


def words(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f">{len(data) // 2}H", data)


@given(st.floats(width=32, allow_nan=False), st.booleans(), st.booleans(), st.integers(0, 5))
def test_floats_in_every_order(value: float, low_word: bool, low_byte: bool, before: int) -> None:
    data = struct.pack(">f", value)
    if low_word:
        data = data[2:] + data[:2]
    if low_byte:
        data = bytes([data[1], data[0], data[3], data[2]])
    point = Point("x", 4, 100 + before, "float32", low_word_first=low_word, low_byte_first=low_byte)
    assert decode(point, 100, words(bytes(2 * before) + data)) == value


def test_printed_float_of_the_gmp252() -> None:
    point = Point("co2", 3, 0, "float32", low_word_first=True)
    assert decode(point, 0, [0xD47A, 0x43E8]) == pytest.approx(465.66, abs=0.001)


def test_nan_stays_nan() -> None:
    assert math.isnan(decode(Point("x", 4, 0, "float32"), 0, [0x7FC0, 0]))


@pytest.mark.parametrize(
    ("kind", "registers", "value"),
    [
        ("uint16", [0xFFFF], 65535),
        ("int16", [0xFFFF], -1),
        ("int16", [0x8000], -32768),
        ("int16", [0x7FFF], 32767),
        ("uint32", [0xFFFF, 0xFFFE], 4294967294),
        ("int32", [0xFFFF, 0xFFFE], -2),
        ("int32", [0x8000, 0], -(2**31)),
    ],
)
def test_integers(kind: str, registers: list[int], value: int) -> None:
    assert decode(Point("x", 3, 9, kind), 9, registers) == value


def test_bits_and_fields() -> None:
    assert decode(Point("x", 4, 0, "bit", bitmask=0x0010), 0, [0x0010]) == 1
    assert decode(Point("x", 4, 0, "bit", bitmask=0x0010), 0, [0xFFEF]) == 0
    assert decode(Point("x", 4, 0, "uint16", bitmask=0x0F00), 0, [0xA5FF]) == 5
    assert decode(Point("x", 2, 7, "bit"), 5, [0, 0, 1]) == 1


def test_neighbours_are_fetched_together() -> None:
    points = [Point("c", 4, 4, "uint16"), Point("a", 4, 0, "float32"), Point("b", 4, 2, "float32")]
    (request,) = plan(points)
    assert (request.function, request.address, request.count) == (4, 0, 5)
    assert [point.name for point in request.points] == ["a", "b", "c"]


def test_gaps_are_read_over_only_where_allowed() -> None:
    points = [Point("a", 4, 0, "uint16"), Point("b", 4, 4, "uint16")]
    assert [(r.address, r.count) for r in plan(points, 2)] == [(0, 1), (4, 1)]
    assert [(r.address, r.count) for r in plan(points, 3)] == [(0, 5)]


_points = st.builds(
    Point,
    name=st.text("abc", min_size=1, max_size=3),
    function=st.integers(3, 4),
    address=st.integers(0, 400),
    type=st.sampled_from(sorted(set(TYPES) - {"bit"})),
)


@given(st.lists(_points, max_size=40), st.integers(0, 124))
def test_each_point_is_fetched_whole_exactly_once(points: list[Point], max_gap: int) -> None:
    requests = plan(points, max_gap)
    fetched = [point for request in requests for point in request.points]
    assert sorted(fetched, key=repr) == sorted(points, key=repr)
    for request in requests:
        assert 1 <= request.count <= MAX_REGISTERS
        covered = set()
        for point in request.points:
            assert point.function == request.function
            assert request.address <= point.address
            assert point.address + point.count <= request.address + request.count
            covered |= set(range(point.address, point.address + point.count))
        longest = free = 0
        for address in range(request.address, request.address + request.count):
            free = 0 if address in covered else free + 1
            longest = max(longest, free)
        assert longest <= max_gap


def test_the_longest_requests() -> None:
    assert [r.count for r in plan([Point(str(n), 4, n, "uint16") for n in range(130)])] == [125, 5]
    assert [r.count for r in plan([Point(str(n), 2, n, "bit") for n in range(MAX_BITS + 1)])] == [2000, 1]
    assert [r.count for r in plan([Point(str(n), 4, n, "float32") for n in range(0, 128, 2)])] == [124, 4]


def test_blocks_are_read_whole_and_only_where_needed() -> None:
    blocks = [Block(3, 100, 10), Block(3, 200, 10), Block(4, 100, 4)]
    value, beside = Point("value", 3, 102, "float32"), Point("beside", 3, 110, "uint16")
    first, second = plan([beside, value], max_gap=50, blocks=blocks)
    assert (first.function, first.address, first.count, first.points) == (3, 100, 10, (value,))
    assert (second.address, second.count, second.points) == (110, 1, (beside,))


@pytest.mark.parametrize(
    ("address", "holds", "cuts"),
    [(97, False, False), (98, False, False), (99, False, True), (100, True, False), (108, True, False),
     (109, False, True), (110, False, False)],
)  # fmt: skip
def test_a_block_holds_a_point_whole_or_not_at_all(address: int, holds: bool, cuts: bool) -> None:
    block, point = Block(3, 100, 10), Point("x", 3, address, "float32")
    assert (block.holds(point), block.cuts(point)) == (holds, cuts)
    assert not Block(4, 100, 10).holds(point) and not Block(4, 100, 10).cuts(point)


@given(st.lists(_points, max_size=30), st.integers(0, 124))
def test_each_point_is_fetched_exactly_once_with_blocks(points: list[Point], max_gap: int) -> None:
    blocks = [Block(3, 0, 50), Block(4, 100, 100)]
    requests = plan(points, max_gap, blocks)
    fetched = [point for request in requests for point in request.points]
    assert sorted(fetched, key=repr) == sorted(points, key=repr)
