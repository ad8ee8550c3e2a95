"""A name is held once, over all streams: by the events, by the database, after any restart and any damage."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from tests.ledgers import InFile, Kept

from cultureops.clock import SeededEntropy, SteppedClock, SystemClock, SystemEntropy
from cultureops.errors import ChainBroken, ClaimTaken, StorageError
from cultureops.ledger import Actor, Holder, NewEvent, Source, SqlLedger, Whereabouts, verify
from cultureops.ledger.store import Group

MakeEvent = Callable[..., NewEvent]
OpenLedger = Callable[..., SqlLedger]
PLACE = "place:cryostore_1/R2/B3/A7"
OTHER_PLACE = "place:cryostore_1/R2/B3/A8"


def claim(*claims: str, releases: tuple[str, ...] = ()) -> NewEvent:
    actor = Actor("tech-1", "technician")
    return NewEvent("moved", {}, actor, Source.HUMAN, claims=claims, releases=releases)


def table_of(kept: Kept) -> list[tuple[str, str, int]]:
    return kept.query("SELECT name, stream, position FROM claims ORDER BY name")


async def test_a_claimed_name_has_a_holder(open_ledger: OpenLedger, make_event: MakeEvent) -> None:
    ledger = open_ledger()
    await ledger.append("z", [make_event()], 0)
    (event,) = await ledger.append("vial:1", [claim(PLACE, "vial:B-2026-001.V07")], 0)
    assert (event.claims, event.releases) == ((PLACE, "vial:B-2026-001.V07"), ())
    assert ledger.read("vial:1") == (event,)
    assert ledger.holder(PLACE) == Holder("vial:1", 2) == ("vial:1", 2)
    assert ledger.holder(OTHER_PLACE) is None
    assert ledger.claimed() == ((PLACE, "vial:1"), ("vial:B-2026-001.V07", "vial:1"))
    assert ledger.claimed("place:cryostore_1/R2/") == ((PLACE, "vial:1"),)
    assert ledger.claimed("place:cryostore_1/R3/") == ()


@pytest.mark.parametrize("stream", ["vial:2", "vial:1"])
async def test_a_held_name_is_refused_with_all_that_came_with_it(
    open_ledger: OpenLedger, make_event: MakeEvent, where: Whereabouts, stream: str
) -> None:
    ledger = open_ledger()
    await ledger.append("vial:1", [claim(PLACE)], 0)
    with pytest.raises(ClaimTaken, match=f"'{PLACE}' is held by stream 'vial:1' since position 1") as refused:
        await ledger.append_many([("a", [make_event()], None), (stream, [claim(OTHER_PLACE, PLACE)], None)])
    assert (refused.value.claim, refused.value.stream, refused.value.position) == (PLACE, "vial:1", 1)
    assert ledger.head() == verify(where)
    assert ledger.head().position == 1
    assert ledger.holder(OTHER_PLACE) is None


async def test_only_the_holder_releases(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    await ledger.append("vial:1", [claim(PLACE)], 0)
    with pytest.raises(ClaimTaken, match="held by stream 'vial:1' since position 1, stream 'vial:2' can't release it"):
        await ledger.append("vial:2", [claim(releases=(PLACE,))], None)
    with pytest.raises(ClaimTaken, match="held by nobody, stream 'vial:1' can't release it") as refused:
        await ledger.append("vial:1", [claim(releases=(OTHER_PLACE,))], None)
    assert (refused.value.stream, refused.value.position) == (None, None)
    await ledger.append("vial:1", [claim(releases=(PLACE,))], None)
    await ledger.append("vial:2", [claim(PLACE)], None)
    assert ledger.holder(PLACE) == ("vial:2", 3)


async def test_releases_come_before_claims_and_events_in_order(open_ledger: OpenLedger, kept: Kept) -> None:
    ledger = open_ledger()
    await ledger.append("vial:1", [claim(PLACE)], 0)
    await ledger.append("vial:1", [claim(OTHER_PLACE, releases=(PLACE,))], 1)
    assert ledger.claimed() == ((OTHER_PLACE, "vial:1"),)
    await ledger.append("vial:1", [claim(OTHER_PLACE, releases=(OTHER_PLACE,))], 2)
    assert ledger.holder(OTHER_PLACE) == ("vial:1", 3)
    handed_over: list[Group] = [
        ("vial:1", [claim(releases=(OTHER_PLACE,))], None),
        ("vial:2", [claim(OTHER_PLACE)], None),
    ]
    with pytest.raises(ClaimTaken):
        await ledger.append_many(handed_over[::-1])
    await ledger.append_many(handed_over)
    assert ledger.holder(OTHER_PLACE) == ("vial:2", 5)
    with pytest.raises(ClaimTaken):
        await ledger.append("vial:3", [claim(PLACE), claim(PLACE)], None)
    await ledger.append("vial:3", [claim(PLACE), claim(releases=(PLACE,))], None)
    assert table_of(kept) == [(OTHER_PLACE, "vial:2", 5)]
    assert verify(kept.where) == ledger.head()


@pytest.mark.parametrize(
    "unfit", [(PLACE, PLACE), ("",), ("a\nb",), (7,), "place", ("x" * 201,), None, ("half \ud800",)]
)
async def test_unfit_names_are_refused(open_ledger: OpenLedger, make_event: MakeEvent, unfit: object) -> None:
    ledger = open_ledger()
    for key in ("claims", "releases"):
        with pytest.raises(StorageError, match=f"event 'counted': {key}"):
            await ledger.append("a", [make_event(**{key: unfit})], None)
    assert ledger.head().position == 0


async def test_an_event_without_claims_has_the_bytes_it_always_had(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    bare, claiming = await ledger.append("a", [claim(), claim(PLACE)], 0)
    assert set(json.loads(claiming.canonical)) - set(json.loads(bare.canonical)) == {"claims"}
    assert json.loads(claiming.canonical)["claims"] == [PLACE]


async def test_a_file_without_the_table_gets_one_and_keeps_its_head(
    path: Path, written: Kept, clock: SteppedClock
) -> None:
    written.attempt("DROP TABLE claims", "PRAGMA user_version = 1")
    before = verify(path)
    with capture_logs() as logs:
        ledger = SqlLedger.open(path, clock, SeededEntropy(1))
    assert ledger.head() == before and logs == []
    await ledger.append("a", [claim(PLACE)], 4)
    await ledger.close()
    assert table_of(written) == [(PLACE, "a", 13)]
    assert verify(path).position == 13


async def claimed_ledger(where: Whereabouts, clock: SteppedClock) -> None:
    ledger = SqlLedger.open(where, clock, SeededEntropy(1))
    await ledger.append("vial:1", [claim(PLACE)], 0)
    await ledger.append("vial:2", [claim(OTHER_PLACE)], 0)
    await ledger.close()


async def edit_and_open(kept: Kept, clock: SteppedClock, statement: str, said: str) -> None:
    """See that an edited table is noticed, and that opening makes it anew."""
    await claimed_ledger(kept.where, clock)
    whole = table_of(kept)
    kept.edit(statement)
    with pytest.raises(ChainBroken, match=f"events are intact, but the table of claims .*{said}") as caught:
        verify(kept.where)
    assert "\n" not in str(caught.value)
    with capture_logs() as logs:
        ledger = SqlLedger.open(kept.where, clock, SeededEntropy(2))
    assert [entry["event"] for entry in logs] == ["the table of claims is made anew from the events"]
    with pytest.raises(ClaimTaken):
        await ledger.append("vial:3", [claim(PLACE)], 0)
    await ledger.close()
    assert table_of(kept) == whole
    assert verify(kept.where).position == 2


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (f"DELETE FROM claims WHERE name = '{PLACE}'", "stands there with nobody and belongs to stream 'vial:1'"),
        ("UPDATE claims SET stream = 'vial:2'", "stands there with stream 'vial:2' since position 1 and belongs to"),
        ("UPDATE claims SET position = 9", "since position 9 and belongs to stream 'vial:1' since position 1; 2 such"),
        ("INSERT INTO claims VALUES ('place:x', 'vial:1', 1)", "'place:x' stands there with stream 'vial:1'"),
    ],
)
async def test_an_edited_table_is_noticed_and_made_anew(
    kept: Kept, clock: SteppedClock, statement: str, said: str
) -> None:
    await edit_and_open(kept, clock, statement, said)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("INSERT INTO claims VALUES (x'00ff', 'vial:1', 1)", "1 such names"),
        ("DROP TABLE claims", "2 such names"),
    ],
)
async def test_a_table_that_only_a_file_can_have_is_noticed_and_made_anew(
    path: Path, kept: Kept, clock: SteppedClock, statement: str, said: str
) -> None:
    await edit_and_open(kept, clock, statement, said)


async def test_a_table_edited_under_a_running_writer_lets_no_name_be_held_twice(
    open_ledger: OpenLedger, kept: Kept
) -> None:
    ledger = open_ledger()
    await ledger.append("vial:1", [claim(PLACE)], 0)
    kept.edit("DELETE FROM claims", "INSERT INTO claims VALUES ('place:x', 'vial:9', 1)")
    with pytest.raises(ClaimTaken, match="held by stream 'vial:1'"):
        await ledger.append("vial:2", [claim(PLACE)], 0)
    for refused in (claim("place:x"), claim(releases=(PLACE,))):
        with pytest.raises(StorageError, match="the table of claims is not what the events say"):
            await ledger.append("vial:1", [refused], 1)
    assert ledger.head().position == 1
    await ledger.append("vial:2", [claim(OTHER_PLACE)], 0)
    with pytest.raises(ChainBroken, match="events are intact"):
        verify(kept.where)


async def test_events_that_claim_a_held_name_are_no_ledger(kept: Kept, clock: SteppedClock) -> None:
    """Only somebody who computes fitting hashes can write them."""
    ledger = SqlLedger.open(kept.where, clock, SeededEntropy(1))
    await ledger.append("vial:1", [claim(PLACE)], 0)
    ledger._tail.held.clear()
    kept.edit("DELETE FROM claims")
    await ledger.append("vial:2", [claim(PLACE)], 0)
    await ledger.close()
    for use in (verify, lambda where: SqlLedger.open(where, clock, SeededEntropy(1))):
        with pytest.raises(
            ChainBroken, match=f"position 2: claim: claims or releases '{PLACE}', .* position 1, stream"
        ):
            use(kept.where)


NAMES = st.lists(st.sampled_from([f"place:{place}" for place in "abcd"]), max_size=2, unique=True)
EVENT = st.tuples(st.sampled_from(["s1", "s2", "s3"]), NAMES, NAMES)
TRANSACTION = st.lists(EVENT, min_size=1, max_size=3)


@settings(deadline=None, max_examples=40)
@given(transactions=st.lists(st.tuples(TRANSACTION, st.booleans()), max_size=8))
def test_any_claims_over_any_streams_end_as_a_plain_model_says(
    tmp_path_factory: pytest.TempPathFactory,
    transactions: list[tuple[list[tuple[str, list[str], list[str]]], bool]],
) -> None:
    path = tmp_path_factory.mktemp("any") / "ledger.sqlite"

    async def run() -> None:
        ledger = SqlLedger.open(path, SystemClock(), SystemEntropy())
        model: dict[str, tuple[str, int]] = {}
        position = 0
        for transaction, is_reopened in transactions:
            after, allowed = dict(model), True
            for offset, (stream, released, claimed) in enumerate(transaction, 1):
                for name in released:
                    allowed &= name in after and after.pop(name)[0] == stream
                for name in claimed:
                    allowed &= name not in after
                    after[name] = (stream, position + offset)
            groups: list[Group] = [
                (stream, [claim(*new, releases=tuple(old))], None) for stream, old, new in transaction
            ]
            try:
                await ledger.append_many(groups)
            except ClaimTaken:
                assert not allowed
            else:
                assert allowed
                model, position = after, position + len(transaction)
            assert ledger.claimed() == tuple(sorted((name, holder[0]) for name, holder in model.items()))
            if is_reopened:
                await ledger.close()
                with capture_logs() as logs:
                    ledger = SqlLedger.open(path, SystemClock(), SystemEntropy())
                assert logs == []
        assert {name: ledger.holder(name) for name in model} == model
        await ledger.close()
        assert {name: (stream, at) for name, stream, at in table_of(InFile(path))} == model
        assert verify(path).position == position

    asyncio.run(run())


async def test_a_hundred_claims_beside_a_hundred_thousand(
    open_ledger: OpenLedger, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = open_ledger()
    for rack in range(20):
        places = [f"place:cryostore_1/R{rack}/B{number // 100}/{number % 100}" for number in range(5_000)]
        await ledger.append(f"rack:{rack}", [claim(*places)], 0)
    plain_s, claiming_s = [], []
    for number in range(10):
        for taken_s, places in ((plain_s, []), (claiming_s, [f"place:new/{number}/{place}" for place in range(100)])):
            start = time.perf_counter()
            await ledger.append(f"batch:{number}", [claim(*places)], None)
            taken_s.append(time.perf_counter() - start)
    start = time.perf_counter()
    assert len(ledger.claimed("place:cryostore_1/R7/")) == 5_000
    listed_s = time.perf_counter() - start
    await ledger.close()
    start = time.perf_counter()
    open_ledger()
    opened_s = time.perf_counter() - start
    with capsys.disabled():
        print(f"\nclaims: 100 beside 100,000 in {min(claiming_s) * 1e3:.1f} ms (none in {min(plain_s) * 1e3:.1f}), "
              f"5,000 listed in {listed_s * 1e3:.0f} ms, opened in {opened_s * 1e3:.0f} ms")  # fmt: skip
    assert min(claiming_s) < 0.020 + min(plain_s)
    assert opened_s < 20.0
