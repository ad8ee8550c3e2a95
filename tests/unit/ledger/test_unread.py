"""One event that can't be read costs neither its other readers nor any other event anything."""

from pathlib import Path

from cultureops.clock import SeededEntropy, SteppedClock
from cultureops.ledger.event import Actor, Event, NewEvent, Source
from cultureops.ledger.store import SqlLedger
from cultureops.ledger.unread import MOST_NAMED, Unread

T0 = 1_767_600_000_000


async def test_each_event_is_taken_on_its_own(tmp_path: Path) -> None:
    ledger = SqlLedger.open(tmp_path / "ledger.sqlite", SteppedClock(T0), SeededEntropy(1))
    try:
        for n in range(3):
            new = NewEvent("seen", {"n": n}, Actor("a", "OP"), Source.HUMAN)
            await ledger.append(f"stream:{n}", [new], None)
        events = tuple(ledger.read_all())
    finally:
        await ledger.close()
    seen: list[int] = []

    def picky(event: Event) -> None:
        if event.data["n"] == 1:
            raise KeyError("n")

    unread = Unread()
    took = [unread.take(event, (picky, lambda event: seen.append(event.position))) for event in events]
    assert took == [True, False, True] and seen == [1, 2, 3]
    assert (unread.positions, unread.count, unread.streams) == ([2], 1, {"stream:1"})
    for _ in range(MOST_NAMED + 5):
        unread.take(events[1], (picky,))
    assert unread.count == MOST_NAMED + 6 and len(unread.positions) == MOST_NAMED
