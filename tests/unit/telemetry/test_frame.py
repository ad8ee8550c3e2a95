"""A frame comes back as it went in, or not at all."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops.device.reading import Quality, Reading, Reason
from cultureops.errors import Unreadable
from cultureops.telemetry import frame

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


@given(FRAMES)
def test_readings_come_back_exactly(rows: list[Reading]) -> None:
    assert list(frame.decode(frame.encode(rows, INDEX)).readings(NAMES)) == rows


@given(FRAMES, st.sampled_from(sorted(NAMES)))
def test_one_channel_alone_reads_the_same(rows: list[Reading], number: int) -> None:
    payload, places = frame.encode(rows, INDEX), dict[bytes, tuple[int, ...]]()
    for _ in range(2):
        found = frame.decode_one(payload, number, places)
        assert [(at, None if value != value else value, quality, reason) for at, value, quality, reason in found] == [
            (row.source_time, row.value, row.quality, row.reason) for row in rows if row.channel == NAMES[number]
        ]


@given(st.lists(FRAMES, min_size=1, max_size=4))
def test_frames_join_in_their_order(parts: list[list[Reading]]) -> None:
    joined = frame.join([frame.decode(frame.encode(rows, INDEX)) for rows in parts])
    assert list(joined.readings(NAMES)) == [row for rows in parts for row in rows]


def test_every_changed_byte_is_noticed() -> None:
    payload = frame.encode(SOME, INDEX)
    for at in range(len(payload)):
        damaged = bytearray(payload)
        damaged[at] ^= 0x10
        for read in (frame.decode, lambda data: frame.decode_one(data, 1, {})):
            with pytest.raises(Unreadable):
                read(bytes(damaged))


def test_every_missing_or_added_byte_is_noticed() -> None:
    payload = frame.encode(SOME, INDEX)
    for length in range(len(payload)):
        with pytest.raises(Unreadable):
            frame.decode(payload[:length])
    with pytest.raises(Unreadable):
        frame.decode(payload + b"\0")


@given(st.binary(max_size=200))
def test_garbage_is_unreadable(payload: bytes) -> None:
    with pytest.raises(Unreadable):
        frame.decode(payload)


def test_a_newer_format_says_so() -> None:
    with pytest.raises(Unreadable, match="format 2; this program knows format 1"):
        frame.decode(b"\x02" + frame.encode(SOME, INDEX)[1:])


def test_a_reading_takes_22_bytes() -> None:
    rows = [SOME[0]] * 40
    assert len(frame.encode(rows, INDEX)) == 16 + 40 * 22
