"""What watchers are told, byte by byte, and that nothing said between two moments is lost on them."""

import json
from typing import Any

import pytest

from cultureops.acquisition.live import QUEUE_LENGTH, LiveFeed
from cultureops.clock import parse_iso
from cultureops.device.reading import Quality, Reading, Reason, bad_reading
from cultureops.web import stream
from cultureops.web.stream import encode_batches, encode_readings, encode_still, events

NOW = parse_iso("2026-01-05T08:00:00Z")


def told(message: bytes) -> tuple[str, Any]:
    kind, data, *rest = message.decode().split("\n")
    assert rest == ["", ""]
    return kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def test_a_reading_is_one_row_with_quality_reason_and_time() -> None:
    good = Reading("incubator_1/co2", 5.03, Quality.GOOD, Reason.NONE, NOW, NOW + 4)
    lost = bad_reading("incubator_1/o2", Reason.TIMEOUT, NOW, NOW)
    kind, data = told(encode_readings([good, lost], NOW + 5))
    assert kind == "readings"
    assert data == {
        "now": "2026-01-05T08:00:00.005Z",
        "now_ms": NOW + 5,
        "readings": [
            ["incubator_1/co2", 5.03, "GOOD", "", NOW],
            ["incubator_1/o2", None, "BAD", Reason.TIMEOUT.text, NOW],
        ],
    }


async def test_what_happens_while_the_greeting_is_made_is_told_after_it() -> None:
    feed = LiveFeed()

    def greeting() -> bytes:
        feed.publish(b"later")
        return b"greeting"

    watching = events(feed, greeting, lambda: b"still", lambda: True)
    assert (await anext(watching)).endswith(b"greeting")
    assert await anext(watching) == b"later"
    await watching.aclose()
    assert not feed.has_subscribers


async def test_who_may_watch_no_more_is_told_no_more() -> None:
    feed, allowed = LiveFeed(), [True, False]
    watching = events(feed, lambda: b"greeting", lambda: b"still", lambda: allowed.pop(0))
    await anext(watching)
    feed.publish(b"while signed in")
    feed.publish(b"afterwards")
    assert [message async for message in watching] == [b"while signed in"]
    assert not feed.has_subscribers


async def test_who_did_not_keep_up_is_told_so_and_how_things_stand() -> None:
    feed, greetings = LiveFeed(), iter([b"at first", b"as it stands now"])
    watching = events(feed, lambda: next(greetings), lambda: b"still", lambda: True)
    await anext(watching)
    for number in range(QUEUE_LENGTH + 1):
        feed.publish(b"%d" % number)
    behind, _, rest = (await anext(watching)).partition(b"\n\n")
    assert told(behind + b"\n\n") == ("behind", {"missed": QUEUE_LENGTH})
    assert rest == b"as it stands now"
    feed.publish(b"next")
    assert await anext(watching) == b"next"
    await watching.aclose()


async def test_a_quiet_line_says_that_it_is_still_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "KEEP_ALIVE_S", 0.001)
    watching = events(LiveFeed(), lambda: b"greeting", lambda: encode_still(NOW), lambda: True)
    await anext(watching)
    assert told(await anext(watching)) == ("still", {"now": "2026-01-05T08:00:00.000Z", "now_ms": NOW})
    await watching.aclose()


def test_changed_batches_are_named_in_order() -> None:
    assert told(encode_batches({"B-2", "B-1"}, NOW))[1]["batch_ids"] == ["B-1", "B-2"]
