"""A frame comes back as it went in, or not at all."""

import struct
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cultureops.device.reading import Quality, Reading, Reason
from cultureops.errors import Unreadable
from cultureops.telemetry import frame
from cultureops.telemetry.points import as_readings

NAMES = {number: f"device_{number}/t" for number in (1, 2, 3, 70_000)}
INDEX = {name: number for number, name in NAMES.items()}
INSTANTS = st.one_of(st.integers(1_767_600_000_000, 1_767_600_100_000), st.integers(-(1 << 61), 1 << 61))


@st.composite
def readings(draw: Callable[..., object]) -> Reading:
    channel = draw(st.sampled_from(sorted(INDEX)))
    value = draw(st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)))
    quality = Quality.BAD if value is None else draw(st.sampled_from([Quality.GOOD, Quality.UNCERTAIN]))
    reason = draw(st.sampled_from([reason for reason in Reason if value is not None or reason]))
    return Reading(channel, value, quality, reason, draw(INSTANTS), draw(INSTANTS))  # type: ignore[arg-type]


FRAMES = st.lists(readings(), min_size=1, max_size=30)
SOME = [
    Reading("device_1/t", 37.01, Quality.GOOD, Reason.NONE, 1_767_600_000_000, 1_767_600_000_009),
    Reading("device_2/t", None, Quality.BAD, Reason.TIMEOUT, 1_767_600_000_001, 1_767_600_000_251),
]


def packed(readings: list[Reading], index: dict[str, int]) -> bytes:
    return frame.encode(frame.take_apart(readings, index)[1])


def rows_of(columns: frame.Columns) -> list[Reading]:
    return list(as_readings([NAMES[number] for number in columns.channel.tolist()], columns.points))


@given(FRAMES)
def test_readings_come_back_exactly(rows: list[Reading]) -> None:
    columns = frame.decode([(7, packed(rows, INDEX))])
    assert rows_of(columns) == rows
    assert columns.frame.tolist() == [7] * len(rows)


@settings(max_examples=40)
@given(st.lists(FRAMES, max_size=6))
def test_frames_join_in_their_order_whatever_their_make_up(parts: list[list[Reading]]) -> None:
    columns = frame.decode([(number, packed(rows, INDEX)) for number, rows in enumerate(parts, 5)])
    assert rows_of(columns) == [row for rows in parts for row in rows]
    assert columns.frame.tolist() == [number for number, rows in enumerate(parts, 5) for _ in rows]


@given(FRAMES)
def test_the_last_of_each_channel_is_the_last_to_arrive(rows: list[Reading]) -> None:
    last = frame.last_of_each(frame.decode([(1, packed(rows, INDEX))]))
    found = {NAMES[number]: next(as_readings([NAMES[number]], points)) for number, points in last.items()}
    assert found == {row.channel: row for row in rows}


@given(st.lists(FRAMES, min_size=1, max_size=4))
def test_parts_packed_together_are_as_if_they_had_come_at_once(parts: list[list[Reading]]) -> None:
    rows = frame.together([frame.take_apart(part, INDEX)[1] for part in parts])
    assert rows_of(frame.decode([(1, frame.encode(rows))])) == [reading for part in parts for reading in part]


def test_the_largest_frame_comes_back() -> None:
    rows = [SOME[0], SOME[1]] * (frame.MAX_READINGS // 2) + [SOME[1]]
    assert rows_of(frame.decode([(1, packed(rows, INDEX))])) == rows


def test_every_changed_byte_is_noticed() -> None:
    payload = packed(SOME, INDEX)
    for at in range(len(payload)):
        damaged = bytearray(payload)
        damaged[at] ^= 0x10
        with pytest.raises(Unreadable, match="frame 9: "):
            frame.decode([(8, payload), (9, bytes(damaged))])


def test_every_missing_or_added_byte_is_noticed() -> None:
    payload = packed(SOME, INDEX)
    for length in range(len(payload)):
        with pytest.raises(Unreadable):
            frame.decode([(1, payload[:length])])
    with pytest.raises(Unreadable):
        frame.decode([(1, payload + b"\0")])


@given(st.binary(max_size=200))
def test_garbage_is_unreadable(payload: bytes) -> None:
    with pytest.raises(Unreadable):
        frame.decode([(1, payload)])


def test_a_newer_format_says_so() -> None:
    with pytest.raises(Unreadable, match=r"frame 3: a frame of format 3; this program knows format 2.*; restore"):
        frame.decode([(3, b"\x03" + packed(SOME, INDEX)[1:])])


def test_columns_that_do_not_fit_the_head_are_unreadable() -> None:
    """Bytes with a checksum that is right, and a head that tells of other columns."""
    payload = packed(SOME, INDEX)
    for head in (
        struct.pack("<BBHq", 2, 2, 2, 0),
        struct.pack("<BBHq", 2, 1, 2, 0),
        struct.pack("<BBHq", 2, 0, 0, 0),
        struct.pack("<BBHq", 2, 0, 3, 0),
    ):
        damaged = head + payload[len(head) : -4]
        with pytest.raises(Unreadable, match="frame 1: "):
            frame.decode([(1, damaged + struct.pack("<I", zlib.crc32(damaged)))])


def test_a_frame_of_forty_channels_takes_less_than_ten_bytes_a_reading() -> None:
    index = {f"device/{number}": number for number in range(1, 41)}
    rows = [SOME[0]._replace(channel=name, value=37 + number / 100) for name, number in index.items()]
    assert len(packed(rows, index)) < 10 * len(rows)
