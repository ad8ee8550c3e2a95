"""What every ledger test starts from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.ledgers import InDatabase, InFile, Kept

from cultureops.clock import MINUTE_MS, SeededEntropy, SteppedClock, parse_iso
from cultureops.ledger import Actor, JsonValue, NewEvent, Source, SqlLedger, Whereabouts

MakeEvent = Callable[..., NewEvent]
OpenLedger = Callable[..., SqlLedger]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test on both databases, unless it asks for the path of the file."""
    if "kept" in metafunc.fixturenames:
        kinds = ["sqlite"] if "path" in metafunc.fixturenames else ["sqlite", "postgresql"]
        metafunc.parametrize("kept", kinds, indirect=True)


def _event(type: str = "counted", data: dict[str, JsonValue] | None = None, **more: object) -> NewEvent:
    fields: dict[str, object] = {"actor": Actor("tech-1", "technician"), "source": Source.HUMAN} | more
    return NewEvent(type, {"viability_pct": 96.5} if data is None else data, **fields)  # type: ignore[arg-type]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave to the soak run what differs in nothing but the bytes that both databases give back alike."""
    for item in items:
        is_one_of_many = "test_tampering_is_named[postgresql" in item.name and not any(
            name in item.name for name in _EACH_KIND
        )
        if is_one_of_many or item.name.startswith(_ALIKE):
            item.add_marker(pytest.mark.soak)


_ALIKE = (
    "test_unfit_names_are_refused[postgresql",
    "test_throughput[postgresql",
    "test_an_older_program_refuses_a_ledger_that_a_newer_one_ran_a_lab_on[postgresql",
    "test_a_failing_hook_is_reported_and_loses_nothing[postgresql",
    "test_reading_goes_on_over_many_pages[postgresql",
    "test_a_failing_hook_costs_no_foreign_event[postgresql",
    "test_hooks_hear_every_commit_in_order_before_append_returns[postgresql",
    "test_an_unfit_event_spoils_its_whole_append[postgresql",
    "test_an_event_without_claims_has_the_bytes_it_always_had[postgresql",
    "test_an_edited_table_is_noticed_and_made_anew[postgresql-UPDATE",
    "test_rewriting_the_same_rows_is_no_tampering[postgresql",
    "test_a_cancelled_caller_leaves_all_or_nothing_and_hooks_hear_it[postgresql",
    "test_a_refused_append_still_tells_of_what_others_did[postgresql",
)
_EACH_KIND = ("-edit-", "-insert_copy-", "-delete_and_rehash-")


@pytest.fixture
def make_event() -> MakeEvent:
    """Build a new event with sensible fields."""
    return _event


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger of this test lives, which is about files alone."""
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    """Where the ledger of this test lives."""
    if request.param == "sqlite":
        return InFile(tmp_path / "ledger.sqlite")
    return InDatabase(request.getfixturevalue("postgres"))


@pytest.fixture
def where(kept: Kept) -> Whereabouts:
    """Return what the program is told of it."""
    return kept.where


@pytest.fixture
def clock() -> SteppedClock:
    """Lab time, standing."""
    return SteppedClock(parse_iso("2026-01-05T08:00:00Z"))


@pytest.fixture
async def open_ledger(kept: Kept, clock: SteppedClock) -> AsyncIterator[OpenLedger]:
    """Open the ledger of this test; whatever a test leaves open is closed."""
    opened: list[SqlLedger] = []

    def open_(at: Whereabouts = kept.where, seed: int = 7) -> SqlLedger:
        opened.append(SqlLedger.open(at, clock, SeededEntropy(seed)))
        return opened[-1]

    yield open_
    for ledger in opened:
        await ledger.close()


@pytest.fixture
def written(kept: Kept, clock: SteppedClock) -> Kept:
    """A closed ledger of 12 events, streams a, b and c taking turns."""

    async def write() -> None:
        ledger = SqlLedger.open(kept.where, clock, SeededEntropy(7))
        for number in range(12):
            await ledger.append("abc"[number % 3], [_event(data={"number": number})], None)
            clock.advance(MINUTE_MS)
        await ledger.close()

    asyncio.run(write())
    return kept
