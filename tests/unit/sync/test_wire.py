"""What goes over the wire comes out as it went in; what is not of the protocol is refused in words, never otherwise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.joined import CHANNELS, START, readings

from cultureops.device.reading import Quality, Reading, Reason
from cultureops.ledger.head import Head
from cultureops.sync.clock_offset import Exchange
from cultureops.sync.events_body import EventsBody, Held, Sent
from cultureops.sync.hello import Answer, Hello, Order, Standing
from cultureops.sync.readings_body import ReadingsBody, read_cursor_answer
from cultureops.sync.wire import Malformed, with_head, without_head
from cultureops.telemetry.follow import Cursor, Extract
from cultureops.telemetry.frame import Columns
from cultureops.telemetry.points import Points

HELLO = Hello(
    "room_1", "0.1.0", "boot", "ab" * 32, START, Head(7, "cd" * 32), 3, 12, START - 5, Exchange(START, 2, 3, START + 9)
)  # fmt: skip
STANDING = Standing(START, {"inc_1": ("b-1", "b-2"), "inc_2": ()})
ANSWER = Answer(1, 2, Head(7, "cd" * 32), 6, Cursor(4, 0, -1), STANDING, (Order("id", {"a": [1, None]}),), "forked")


def extract(found: list[Reading]) -> Extract:
    numbers = {name: number for number, name in enumerate(CHANNELS, 5)}
    points = Points(
        np.array([reading.source_time for reading in found], np.int64),
        np.array([reading.received_time for reading in found], np.int64),
        np.array([np.nan if reading.value is None else reading.value for reading in found], float),
        np.array([reading.quality for reading in found], np.uint8),
        np.array([reading.reason for reading in found], np.uint8),
    )
    channel = np.array([numbers[reading.channel] for reading in found], np.int64)
    columns = Columns(np.zeros(len(found), np.int64), channel, points)
    return Extract({number: name for name, number in numbers.items()}, columns, Cursor(9, 0, -1), 0)


def sent(found: list[Reading]) -> bytes:
    return ReadingsBody.written(Cursor(3, 0, -1), extract(found), CHANNELS)


def test_greetings_come_out_as_they_went_in() -> None:
    assert Hello.read(HELLO.body()) == HELLO
    bare = Hello("room_1", "0.1.0", "boot", "ab" * 32, START, Head(), 0)
    assert Hello.read(bare.body()) == bare
    assert Answer.read(ANSWER.body()) == ANSWER
    assert Held.read(Held(Head(3, "ef" * 32), 2).body()) == Held(Head(3, "ef" * 32), 2)


@pytest.mark.parametrize("count", [0, 1, 300, 49_200])
def test_readings_come_out_as_they_went_in(count: int) -> None:
    found = readings(0, count) + readings(0, count // 3, "inc_1/co2")
    body = ReadingsBody.read(sent(found))
    assert (body.after, body.next) == (Cursor(3, 0, -1), Cursor(9, 0, -1))
    assert list(body.readings) == found
    assert set(body.channels) == {reading.channel for reading in found}
    assert all(body.channels[name] == CHANNELS[name] for name in body.channels)


@settings(max_examples=50)
@given(st.binary(max_size=400))
def test_garbage_is_malformed(body: bytes) -> None:
    for read in (Hello.read, Answer.read, EventsBody.read, Held.read, ReadingsBody.read, read_cursor_answer):
        with pytest.raises(Malformed):
            read(body)


WHOLE = {
    "hello": (Hello.read, HELLO.body()),
    "answer": (Answer.read, ANSWER.body()),
    "events": (EventsBody.read, EventsBody(Head(), (Sent(1, b"h" * 32, b"{}"), Sent(2, b"i" * 32, b"{}"))).body()),
    "readings": (ReadingsBody.read, sent(readings(0, 40))),
}


@pytest.mark.parametrize("what", WHOLE)
@settings(max_examples=40)
@given(data=st.data())
def test_what_was_cut_off_or_bent_is_malformed_or_sound(what: str, data: st.DataObject) -> None:
    read, body = WHOLE[what]
    if data.draw(st.booleans(), "cut"):
        bent = body[: data.draw(st.integers(0, len(body) - 1), "end")]
    else:
        at = data.draw(st.integers(0, len(body) - 1), "at")
        bent = body[:at] + bytes([data.draw(st.integers(0, 255), "byte")]) + body[at + 1 :]
    try:
        found = read(bent)
    except Malformed as error:
        assert "\n" not in str(error) and len(str(error)) < 400
    else:
        assert isinstance(found, Hello | Answer | EventsBody | ReadingsBody)


def test_every_column_of_a_frame_is_doubted() -> None:
    good = extract(readings(0, 40))
    points = good.rows.points

    def spoiled(**columns: np.ndarray) -> bytes:
        names = ("source_ms", "received_ms", "value", "quality", "reason")
        mixed = Points(*(columns.get(name, getattr(points, name)) for name in names))
        rows = Columns(good.rows.frame, good.rows.channel, mixed)
        return ReadingsBody.written(Cursor(), Extract(good.names, rows, Cursor(1), 0), CHANNELS)

    for body in (
        spoiled(source_ms=points.source_ms - START - 1, received_ms=points.received_ms),
        spoiled(received_ms=points.received_ms + 6 * 10**12),
        spoiled(value=np.full(40, np.inf)),
        spoiled(value=np.full(40, np.nan)),
        spoiled(quality=np.full(40, Quality.BAD, np.uint8)),
        spoiled(quality=np.full(40, 7, np.uint8)),
        spoiled(reason=np.full(40, 200, np.uint8)),
        spoiled(reason=np.full(40, Reason.NONE, np.uint8)),
    ):
        with pytest.raises(Malformed):
            ReadingsBody.read(body)


def test_a_frame_of_a_channel_without_a_name_is_malformed() -> None:
    head, rest = without_head(sent(readings(0, 3)), "readings")
    nameless = dict(head.raw()) | {"channels": {}}
    with pytest.raises(Malformed, match="not known here"):
        ReadingsBody.read(with_head(nameless, rest))
