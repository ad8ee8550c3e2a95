"""A sealed chunk gives every reading back bit by bit, or says that it is not what was sealed."""

import math
import struct
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cultureops.device.reading import Quality, Reason
from cultureops.errors import Unreadable
from cultureops.telemetry import chunk
from cultureops.telemetry.integers import compress
from cultureops.telemetry.month import ChunkRow, Key
from cultureops.telemetry.points import Points
from cultureops.telemetry.store import Floats

HOUR = 491_000 * 3_600_000
KEY = Key(491_000, 7, 1).number
MILLION = 1_000_000
LIMITS = -(1 << 63), (1 << 63) - 1

FINITE = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.one_of(
    FINITE,
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.integers(-(10**9), 10**9).map(lambda number: number / 1000),
    st.sampled_from([0.0, -0.0, 5e-324, -5e-324, 2.2e-308, 1.7976931348623157e308, 2.0**53, 2.0**53 - 1, 0.1 + 0.2]),
)
OF_ONE_MAKE = st.one_of(
    st.lists(FINITE, max_size=60),
    st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), max_size=60),
    *[st.lists(st.integers(-(10**6), 10**6).map((10**places).__rtruediv__), max_size=60) for places in (0, 1, 2, 3, 9)],
    st.lists(VALUES, max_size=60),
)
INSTANTS = st.one_of(st.integers(HOUR, HOUR + 3_599_999), st.integers(*LIMITS))
STATES = st.tuples(st.sampled_from([0, 64, 192]), st.sampled_from([int(reason) for reason in Reason]))


def points_of(values: list[float], states: list[tuple[int, int]], sources: list[int], received: list[int]) -> Points:
    quality = np.array([quality for quality, _ in states], np.uint8)
    value = np.array(values, np.float64)
    value[quality == Quality.BAD] = np.nan
    return Points(
        np.array(sources, np.int64),
        np.array(received, np.int64),
        value,
        quality,
        np.array([reason for _, reason in states], np.uint8),
    )


@st.composite
def hours(draw: st.DrawFn) -> Points:
    """Readings in any order of time: a clock that goes back, instants that come twice, quality in runs or not."""
    values = draw(OF_ONE_MAKE.filter(bool))
    size = len(values)
    runs = draw(st.lists(st.tuples(STATES, st.integers(1, 20)), min_size=1, max_size=size))
    states = [state for state, length in runs for _ in range(length)]
    states = (states * size)[:size]
    start, step = draw(st.integers(HOUR, HOUR + 60_000)), draw(st.integers(-5, 1000))
    regular = [start + step * at for at in range(size)]
    sources = draw(st.one_of(st.just(regular), st.lists(INSTANTS, min_size=size, max_size=size)))
    late = draw(st.one_of(st.just([9] * size), st.lists(st.integers(-90, 9000), min_size=size, max_size=size)))
    near = [min(LIMITS[1], max(LIMITS[0], at + more)) for at, more in zip(sources, late, strict=True)]
    received = draw(st.one_of(st.just(near), st.lists(INSTANTS, min_size=size, max_size=size)))
    return points_of(values, states, sources, received)


def sealed(points: Points) -> ChunkRow:
    stamps, values = chunk.encode_stamps(points.source_ms, points.received_ms), chunk.encode_values(points)
    return ChunkRow(KEY, points.size, chunk.digest(KEY, stamps, values), stamps, values)


def comes_back(points: Points) -> ChunkRow:
    row = sealed(points)
    for ours, theirs in zip(row.points().columns(), points.columns(), strict=True):
        assert ours.dtype == theirs.dtype and ours.tobytes() == theirs.tobytes()
    return row


@settings(max_examples=80)
@given(hours())
def test_an_hour_comes_back_bit_by_bit(points: Points) -> None:
    comes_back(points)


@given(st.integers(1, 100), STATES)
def test_one_state_throughout_comes_back_also_when_all_is_bad(count: int, state: tuple[int, int]) -> None:
    comes_back(points_of([1.25] * count, [state] * count, [HOUR] * count, [HOUR] * count))


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_very_many_hours_come_back_bit_by_bit(record_property: Callable[[str, object], None]) -> None:
    tried = 0

    @settings(max_examples=20_000)
    @given(hours())
    def one(points: Points) -> None:
        nonlocal tried
        tried += 1
        comes_back(points)

    one()
    record_property("chunks", tried)


def million(values: Floats, quality: np.ndarray) -> Points:
    at = HOUR + np.arange(MILLION, dtype=np.int64) * 3
    reason = np.where(quality == Quality.BAD, Reason.TIMEOUT, Reason.NONE).astype(np.uint8)
    return Points(at, at + 20, np.where(quality == Quality.BAD, math.nan, values), quality, reason)


def test_a_million_readings_come_back() -> None:
    dice = np.random.default_rng(20260105)
    walk = np.cumsum(dice.integers(-2, 3, MILLION)) / 100
    good = np.full(MILLION, Quality.GOOD, np.uint8)
    flickering = dice.choice(np.array([0, 64, 192], np.uint8), MILLION)
    row = comes_back(million(walk, good))
    assert len(row.values) + len(row.stamps or b"") < 0.5 * MILLION
    comes_back(million(walk.astype(np.float32).astype(np.float64), flickering))
    comes_back(million(dice.standard_normal(MILLION), flickering))


@given(OF_ONE_MAKE)
def test_scaled_values_are_the_same_bits_or_are_not_scaled(values: list[float]) -> None:
    found = chunk.scaled(np.array(values, np.float64))
    if found is None:
        return
    places, numbers = found
    assert chunk.unscaled(numbers, places).tobytes() == np.array(values, np.float64).tobytes()
    if places:  # the fewest decimals that do
        with pytest.raises(AssertionError):
            np.testing.assert_array_equal(
                np.rint(np.array(values) * 10.0 ** (places - 1)) / 10.0 ** (places - 1), values
            )


@pytest.mark.parametrize(
    ("values", "places"),
    [
        ([37.0, 36.0], 0),
        ([37.05, 36.9], 2),
        ([0.1 + 0.2], None),
        ([-0.0, 1.0], None),
        ([2.0**53], None),
        ([1e-9], 9),
        ([5e-324], None),
        ([], 0),
    ],
)
def test_decimals_are_found_where_there_are_any(values: list[float], places: int | None) -> None:
    found = chunk.scaled(np.array(values, np.float64))
    assert (None if found is None else found[0]) == places


SOME = points_of(
    [37.05, 36.9, 37.0, 37.1, 36.95],
    [(192, 0), (192, 0), (0, 1), (64, 9), (192, 0)],
    [HOUR + at for at in (0, 1000, 2000, 1500, 1500)],
    [HOUR + at for at in (9, 1009, 2250, 2260, 2270)],
)
RAW = replace(SOME, value=np.array([math.pi, 1e300, math.nan, -0.0, 5e-324]))


@pytest.mark.parametrize("points", [SOME, RAW, SOME.at(slice(0, 2)), SOME.at(slice(2, 3))])
def test_every_changed_byte_is_noticed(points: Points) -> None:
    row = comes_back(points)
    for name in ("stamps", "values", "sha256"):
        for at in range(len(getattr(row, name))):
            for bit in range(8):
                damaged = bytearray(getattr(row, name))
                damaged[at] ^= 1 << bit
                with pytest.raises(Unreadable, match="SHA-256"):
                    replace(row, **{name: bytes(damaged)}).points()  # type: ignore[arg-type]


@pytest.mark.parametrize("points", [SOME, RAW])
def test_every_missing_added_or_moved_byte_is_noticed(points: Points) -> None:
    row = comes_back(points)
    assert row.stamps is not None
    for length in range(len(row.stamps)):
        moved = row.stamps[length:] + row.values
        for stamps, values in ((row.stamps[:length], row.values), (row.stamps[:length], moved)):
            with pytest.raises(Unreadable):
                replace(row, stamps=stamps, values=values).points()
    for length in range(len(row.values)):
        with pytest.raises(Unreadable):
            replace(row, values=row.values[:length]).points()
    with pytest.raises(Unreadable):
        replace(row, values=row.values + b"\0").points()
    with pytest.raises(Unreadable):
        replace(row, stamps=None).points()


def test_a_chunk_under_another_key_or_with_another_count_is_noticed() -> None:
    row = comes_back(SOME)
    for changed in (replace(row, number=row.number + 1), replace(row, readings=4), replace(row, readings=6)):
        with pytest.raises(Unreadable):
            changed.points()


def test_a_newer_format_says_so() -> None:
    row = sealed(SOME)
    assert row.stamps is not None
    with pytest.raises(Unreadable, match="format 3; this program knows format 2"):
        chunk.decode(row.stamps, b"\x03" + row.values[1:], SOME.size)


def check_decode(stamps: bytes, values: bytes, count: int) -> None:
    """Bytes nobody sealed are Unreadable, or so many readings that could have been sealed; no other error."""
    try:
        points = chunk.decode(stamps, values, count)
    except Unreadable:
        return
    assert {column.size for column in points.columns()} == {count}
    assert not np.isfinite(points.value[points.bad]).any()


@settings(max_examples=60)
@given(hours(), st.data())
def test_decoding_changed_bytes_raises_nothing_else(points: Points, data: st.DataObject) -> None:
    row = sealed(points)
    parts = [bytearray(row.stamps or b""), bytearray(row.values)]
    for _ in range(data.draw(st.integers(1, 3))):
        part = data.draw(st.sampled_from(parts))
        if part and data.draw(st.booleans()):
            part[data.draw(st.integers(0, len(part) - 1))] ^= data.draw(st.integers(1, 255))
        else:
            del part[data.draw(st.integers(0, len(part))) :]
    check_decode(bytes(parts[0]), bytes(parts[1]), points.size + data.draw(st.sampled_from([0, 0, -1, 1])))


PARTS = st.one_of(st.binary(max_size=60), st.binary(max_size=60).map(compress))
HEADS = st.builds(
    struct.Struct("<BBII").pack,
    st.just(chunk.FORMAT),
    st.one_of(st.integers(0, 9), st.integers(0, 255)),
    st.one_of(st.integers(0, 4), st.integers(0, (1 << 32) - 1)),
    st.one_of(st.integers(0, 40), st.integers(0, (1 << 32) - 1)),
)
STAMPS = st.lists(st.integers(*LIMITS), min_size=1, max_size=9).map(
    lambda at: chunk.encode_stamps(np.array(at, np.int64), np.array(at[::-1], np.int64))
)


@settings(max_examples=150)
@given(st.one_of(PARTS, STAMPS), st.one_of(PARTS, st.builds(bytes.__add__, HEADS, PARTS)), st.integers(0, 9))
def test_decoding_garbage_raises_nothing_else(stamps: bytes, values: bytes, count: int) -> None:
    check_decode(stamps, values, count)


def test_a_state_that_does_not_exist_is_unreadable() -> None:
    """Made as a sealed chunk is, with a quality, decimals or a value that no reading has."""
    row = sealed(SOME.at(slice(0, 2)))
    assert row.stamps is not None
    for values in (
        row.values[:1] + b"\x0a" + row.values[2:],
        row.values[:14] + b"\x07" + row.values[15:],
        sealed(replace(RAW, value=np.array([math.nan, 1.0, math.nan, 1.0, 1.0]))).values,
        sealed(replace(RAW, value=np.array([1.0, math.inf, math.nan, 1.0, 1.0]))).values,
    ):
        count = 2 if len(values) == len(row.values) else 5
        with pytest.raises(Unreadable):
            chunk.decode(row.stamps if count == 2 else sealed(SOME).stamps or b"", values, count)
