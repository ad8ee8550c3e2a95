"""A hub follows a gateway's chain, and takes nothing that does not follow from what it holds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.joined import fact

from cultureops.clock import MINUTE_MS, SeededEntropy, SteppedClock
from cultureops.errors import StorageError
from cultureops.ledger import Event, KeyFolder, SignedHead, SqlLedger, verify
from cultureops.ledger.chain import link
from cultureops.ledger.head import Head
from cultureops.sync.events_body import EventsBody, Sent
from cultureops.sync.origin_log import Forked, OriginLog, TooNew

ORIGIN = "room_1"
Source = tuple[Sequence[Event], Sequence[SignedHead]]


async def written(
    folder: Path, clock: SteppedClock, *, numbers: Sequence[int] = range(9), origin: str = ORIGIN, seed: int = 7
) -> Source:
    """A gateway's log of ten events and its heads; the same seed makes the same key."""
    folder.mkdir(exist_ok=True)
    ledger = SqlLedger.open(folder / "source.sqlite", clock, SeededEntropy(seed), origin, KeyFolder(folder / "keys"))
    await ledger.introduce_key()
    for number in numbers:
        await ledger.append(f"batch:{number % 2}", [fact(number)], None)
        clock.advance(MINUTE_MS)
    await ledger.sign_head()
    found = tuple(ledger.read_all()), ledger.signed_heads()
    await ledger.close()
    return found


@pytest.fixture
async def source(tmp_path: Path, clock: SteppedClock) -> Source:
    return await written(tmp_path, clock)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[OriginLog]:
    opened = OriginLog.open(tmp_path / "room_1.sqlite", ORIGIN)
    yield opened
    opened.close()


def behind(log: OriginLog, events: Sequence[Event], heads: Sequence[SignedHead] = ()) -> EventsBody:
    return EventsBody.of(log.head(), events, heads)


def resealed(event: Event, previous: str, change: Callable[[bytes], bytes]) -> Sent:
    """The event with other bytes and a hash that fits them."""
    canonical = change(event.canonical)
    return Sent(event.position, link(bytes.fromhex(previous), canonical), canonical)


def test_it_holds_what_was_sent_and_opens_again(log: OriginLog, source: Source) -> None:
    events, heads = source
    log.take(behind(log, events[:4], [head for head in heads if head.size <= 4]))
    log.take(behind(log, events[4:], [head for head in heads if head.size > 4]))
    log.close()
    again = OriginLog.open(log.path, ORIGIN)
    assert again.head() == Head(10, events[-1].hash) == verify(log.path)
    assert tuple(again.read_all()) == events and tuple(again.read_all(3, 2)) == events[3:5]
    assert again.signed_heads() == tuple(heads) and again.newest_head == heads[-1]
    assert again.signed_heads(4) == tuple(head for head in heads if head.size > 4)


@pytest.mark.parametrize(
    ("what", "spoil"),
    [
        ("a gap", lambda events: events[:3] + events[4:]),
        ("a replay", lambda events: events[:3] + events[2:]),
        ("another order", lambda events: [*events[:3], events[4], events[3], *events[5:]]),
    ],
)
def test_what_does_not_follow_is_refused_and_what_does_is_kept(
    log: OriginLog, source: Source, what: str, spoil: Callable[[list[Event]], list[Event]]
) -> None:
    with pytest.raises(Forked, match="position 4 does not follow"):
        log.take(behind(log, spoil(list(source[0]))))
    assert log.head() == Head(3, source[0][2].hash), what
    log.take(behind(log, source[0][3:]))
    assert tuple(log.read_all()) == source[0]


def test_a_changed_byte_is_refused(log: OriginLog, source: Source) -> None:
    body = behind(log, source[0])
    row = body.events[5]
    spoiled = row._replace(canonical=row.canonical.replace(b'"number":4', b'"number":5'))
    with pytest.raises(Forked, match="position 6"):
        log.take(replace(body, events=(*body.events[:5], spoiled, *body.events[6:])))
    assert log.head().position == 5


def test_history_that_was_rewritten_with_fitting_hashes_contradicts_its_heads(log: OriginLog, source: Source) -> None:
    events, heads = source
    changed = [Sent(event.position, bytes.fromhex(event.hash), event.canonical) for event in events[:8]]
    changed.append(resealed(events[8], events[7].hash, lambda old: old.replace(b'"number":7', b'"number":1')))
    log.take(behind(log, events[:8]))
    assert [head.size for head in heads][-1] == 10 and 9 in [head.size for head in heads]
    with pytest.raises(Forked, match="head of 9 events is of another log"):
        log.take(EventsBody(log.head(), tuple(changed[8:]), tuple(head for head in heads if head.size == 9)))


async def test_another_history_of_the_same_key_does_not_follow(
    log: OriginLog, source: Source, tmp_path: Path, clock: SteppedClock
) -> None:
    """A gateway that was put back from a backup and went on: its own hashes fit, those that were sent do not."""
    events, heads = source
    log.take(behind(log, events[:6], [head for head in heads if head.size <= 6]))
    other, _ = await written(tmp_path / "other", clock, numbers=[0, 1, 5, 5, 5, 5, 5, 5, 5])
    with pytest.raises(Forked, match="position 7 does not follow"):
        log.take(behind(log, other[6:]))
    assert log.disputes(Head(5, other[4].hash)) and log.disputes(Head(6, other[5].hash))
    assert log.disputes(Head(6, events[5].hash)) is None and log.disputes(Head(9, other[8].hash)) is None


async def test_events_of_another_origin_are_refused(log: OriginLog, tmp_path: Path, clock: SteppedClock) -> None:
    events, _ = await written(tmp_path, clock, origin="room_2")
    with pytest.raises(Forked, match="of 'room_2', not of 'room_1'"):
        log.take(behind(log, events))
    assert log.head() == Head()


async def test_false_heads_are_refused(log: OriginLog, source: Source, tmp_path: Path, clock: SteppedClock) -> None:
    events, heads = source
    _, foreign = await written(tmp_path / "foreign", clock, seed=8)
    last = heads[-1]
    for false, said in (
        (replace(last, signature="00" * 64), "a false head"),
        (replace(last, root=hashlib.sha256(b"another").hexdigest()), "a false head"),
        (replace(last, origin="room_2"), "a false head"),
        (foreign[-1], "a false head"),
        (replace(last, size=12), "came with a log of 10"),
    ):
        with pytest.raises(Forked, match=said):
            log.take(EventsBody.of(log.head(), events[log.head().position :], [false]))
        assert log.newest_head is None
    assert log.head().position == 10, "the events are sound"
    log.take(EventsBody(log.head(), (), (last,)))
    assert log.newest_head == last


def test_heads_that_come_late_are_checked_where_they_belong(log: OriginLog, source: Source) -> None:
    events, heads = source
    log.take(behind(log, events))
    log.take(EventsBody(log.head(), (), tuple(heads)))
    assert log.signed_heads() == tuple(heads)


def test_what_only_a_newer_program_reads_is_no_fork(log: OriginLog, source: Source) -> None:
    events, _ = source
    log.take(behind(log, events[:9]))
    newer = resealed(events[9], events[8].hash, lambda old: old.replace(b'"sha256"', b'"sha512"'))
    with pytest.raises(TooNew, match="position 10 can't be read by this hub"):
        log.take(EventsBody(log.head(), (newer,)))
    log.take(behind(log, events[9:]))
    assert log.head().position == 10


def test_a_disk_that_fails_leaves_what_was_held(
    log: OriginLog, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    events, heads = source
    log.take(behind(log, events[:4]))

    def full(*_: object) -> None:
        raise StorageError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr("cultureops.sync.origin_log.change_claims", full)
        with pytest.raises(StorageError, match="disk full"):
            log.take(behind(log, events[4:]))
        patch.setattr("cultureops.sync.origin_log.restore", full)  # nor can it be read back
        for _ in range(2):
            with pytest.raises(StorageError, match="disk full"):
                log.take(behind(log, events[4:]))
    assert log.head().position == 4
    log.take(behind(log, events[4:], [head for head in heads if head.size > 4]))
    assert tuple(log.read_all()) == events and verify(log.path).position == 10
