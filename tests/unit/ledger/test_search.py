"""What is looked for among stored events is found alike in both databases, whatever stands around it."""

from __future__ import annotations

from collections.abc import Callable

from cultureops.clock import SteppedClock
from cultureops.ledger import NewEvent, SqlLedger
from cultureops.ledger.search import Search

MakeEvent = Callable[..., NewEvent]
OpenLedger = Callable[..., SqlLedger]


SEARCHES = [
    (Search(), [1, 2, 3, 4, 5]),
    (Search(streams=("batch:B-1", "batch:absent")), [1, 3]),
    (Search(prefix="batch:"), [1, 2, 3]),
    (Search(prefix="batch:B_"), []),
    (Search(needles=(b'"type":"moved"',)), [3]),
    (Search(needles=(b'"type":"counted"', b"\\u0000")), [2]),
    (Search(text="größe 50% o'brien"), [4]),
    (Search(text="GRÖSSE"), []),
    (Search(since="2026-01-05T08:02:00.000Z"), [3, 4, 5]),
    (Search(until="2026-01-05T08:02:00.000Z"), [1, 2]),
    (Search(since="2026-01-05T08:01:00.000Z", until="2026-01-05T08:04:00.000Z", prefix="batch:"), [2, 3]),
]


async def test_events_are_found_by_what_they_hold(
    open_ledger: OpenLedger, make_event: MakeEvent, clock: SteppedClock
) -> None:
    ledger = open_ledger()
    for stream, event in (
        ("batch:B-1", make_event(data={"recorded_at": "1999-01-01T00:00:00.000Z", "inner": {"recorded_at": "2999"}})),
        ("batch:B-2", make_event(data={"text": "a\0b", 'x","recorded_at":"1999': 1})),
        ("batch:B-1", make_event("moved")),
        ("alarm:A-1", make_event(data={"text": "GRößE 50% O'Brien"})),
        ("Batch:C", make_event(data={"text": '"recorded_at":"1999"'})),
    ):
        await ledger.append(stream, [event], None)
        clock.advance(60_000)
    for search, found in SEARCHES:
        assert [event.position for event in ledger.search(search, 0, 5, 10)] == found
        newest_first = ledger.search(search, 0, 5, 10, newest_first=True)
        assert [event.position for event in newest_first] == found[::-1]
        assert [event.position for event in ledger.search(search, 1, 4, 1)] == [at for at in found if 1 < at <= 4][:1]
