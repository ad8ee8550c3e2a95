"""Older data is read as it would be written today, its bytes stay; newer data is refused with what to install."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.unit.ledger.conftest import MakeEvent, OpenLedger

import cultureops
from cultureops.access.roles import Role
from cultureops.access.signature import Meaning, Signature, check_signatures, shown, signed
from cultureops.errors import Unreadable
from cultureops.ledger import Actor, NewEvent, Source, verify
from cultureops.ledger.event import recorded_data
from cultureops.ledger.generation import STARTED, STREAM, Generation, program_started
from cultureops.ledger.unread import Unread
from cultureops.ledger.upcast import NEWEST, UPCASTS, upcast

OLDER = Path(__file__).parent / "older"
"""Ledgers as older programs wrote them, byte for byte; each beside what must be read of it."""


@pytest.fixture
def new_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this program's third form of ``counted`` the viability is a fraction, and has a method."""
    monkeypatch.setitem(UPCASTS, ("counted", 1), lambda data: {"viability": data["viability_pct"] / 100})
    monkeypatch.setitem(UPCASTS, ("counted", 2), lambda data: {**data, "method": None})
    monkeypatch.setitem(NEWEST, "counted", 3)


@pytest.mark.usefixtures("new_form")
@pytest.mark.requirement("R16")
async def test_older_data_is_read_in_todays_form_and_its_bytes_stay(
    open_ledger: OpenLedger, make_event: MakeEvent, path: Path
) -> None:
    ledger = open_ledger()
    events = (make_event(), make_event(data={"viability": 0.5}, schema_version=2), make_event("other"))
    await ledger.append("a", events, None)
    before = [bytes(row[0]) for row in closing_rows(path)]
    read = ledger.read("a")
    assert [dict(event.data) for event in read] == [
        {"viability": 0.965, "method": None}, {"viability": 0.5, "method": None}, {"viability_pct": 96.5},
    ]  # fmt: skip
    assert [event.schema_version for event in read] == [3, 3, 1]
    assert recorded_data(read[0]) == {"viability_pct": 96.5}
    assert [bytes(row[0]) for row in closing_rows(path)] == before
    assert verify(path) == ledger.head()


def closing_rows(path: Path) -> list[tuple[bytes]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT canonical FROM events ORDER BY position").fetchall()


@pytest.mark.usefixtures("new_form")
async def test_a_signature_holds_for_what_was_written_in_whatever_form_it_is_read(
    open_ledger: OpenLedger, make_event: MakeEvent
) -> None:
    ledger = open_ledger()
    seen = shown("a", (), "count", "0" * 64)
    by = Signature(
        "s-1", "operator-1", "Operator One", Role.OPERATOR, Meaning.AUTHORED, 1_770_000_000_000, "UTC", "password", seen
    )
    await ledger.append("a", [signed(make_event(), "a", [by])], None)
    (event,) = ledger.read("a")
    assert event.data["viability"] == 0.965
    assert [one.username for one in check_signatures(event, (event,))] == ["operator-1"]


async def test_a_form_that_is_not_known_is_refused_with_what_to_install(
    open_ledger: OpenLedger, make_event: MakeEvent
) -> None:
    ledger = open_ledger()
    (event,) = await ledger.append("a", [make_event(schema_version=2)], None)
    for read in (lambda: ledger.read("a"), lambda: list(ledger.read_all())):
        with pytest.raises(Unreadable, match=r"'counted' is in version 2; this is cultureops .* nothing was changed"):
            read()
    unread = Unread()
    assert not unread.take(event, [lambda _: pytest.fail("must not see what it would misread")])
    assert unread.positions == [1]


@pytest.mark.parametrize(
    ("wrote", "is_refused"),
    [("0.1.0", False), ("0.1.9", False), ("0.0.9", False), ("0.2.0", True), ("1.0.0", True), ("10.1", True)],
)
async def test_an_older_program_refuses_a_ledger_that_a_newer_one_ran_a_lab_on(
    open_ledger: OpenLedger, wrote: str, is_refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = open_ledger()
    with monkeypatch.context() as newer:
        newer.setattr(cultureops, "__version__", wrote)
        await ledger.append(STREAM, [program_started("lab")], None)
    await ledger.close()
    if not is_refused:
        open_ledger()
        return
    with pytest.raises(Unreadable, match=f"install cultureops {wrote} or newer and start again"):
        open_ledger()


def test_a_start_says_what_runs() -> None:
    new = program_started("lab")
    assert new.type == STARTED
    assert set(new.data) == {"program", "python", "sqlite", "platform", "site"}
    assert Generation("0.0.1").written_by == ""


def test_what_has_no_upcast_is_left_as_it_is() -> None:
    data = {"a": 1}
    assert upcast("counted", 1, data) == (1, data)


@pytest.mark.requirement("R16")
@pytest.mark.parametrize("name", sorted(file.stem for file in OLDER.glob("*.sqlite")))
async def test_ledgers_of_older_programs_are_still_read(name: str, path: Path, open_ledger: OpenLedger) -> None:
    """Written by the program of that day, never made anew: what they hold must be read for as long as it is kept."""
    shutil.copy(OLDER / f"{name}.sqlite", path)
    expected = json.loads((OLDER / f"{name}.json").read_text())
    assert str(verify(path)) == expected["head"]
    ledger = open_ledger()
    read = [[event.stream, event.version, event.type, dict(event.data)] for event in ledger.read_all()]
    assert read == expected["events"]
    await ledger.append("a", [NewEvent("counted", {}, Actor("tech-1", "OP"), Source.HUMAN)], None)
    assert verify(path).position == len(read) + 1
