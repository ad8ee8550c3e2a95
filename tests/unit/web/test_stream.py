"""What watchers are told, byte by byte, and that nothing said between two moments is lost on them."""

import json
from typing import Any

from cultureops.acquisition.live import LiveFeed
from cultureops.clock import parse_iso
from cultureops.device.reading import Quality, Reading, Reason, bad_reading
from cultureops.web.stream import encode_readings, events

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

    watching = events(feed, greeting, lambda: True)
    assert (await anext(watching)).endswith(b"greeting")
    assert await anext(watching) == b"later"
    await watching.aclose()
    assert not feed.has_subscribers


async def test_who_may_watch_no_more_is_told_no_more() -> None:
    feed, allowed = LiveFeed(), [True, False]
    watching = events(feed, lambda: b"greeting", lambda: allowed.pop(0))
    await anext(watching)
    feed.publish(b"while signed in")
    feed.publish(b"afterwards")
    assert [message async for message in watching] == [b"while signed in"]
    assert not feed.has_subscribers
