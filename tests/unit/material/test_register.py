"""What the register answers is as of a time, and which batches a lot touched."""

from pathlib import Path
from typing import Any

import pytest
from tests.signing import keep_lot as execute

from cultureops.clock import DAY_MS, Instant, SeededEntropy, SteppedClock, parse_iso
from cultureops.conduct import REFUSALS, Command
from cultureops.errors import BatchError, TransitionRefused
from cultureops.field import Details
from cultureops.ledger import Actor, Event, NewEvent, Source, SqlLedger
from cultureops.material import LotRegister, uses_of
from cultureops.material.events import LotQuarantined, LotRecalled, LotReceived, LotReleased
from cultureops.material.use import lots_named

START = parse_iso("2026-01-05T08:00:00Z")
QA, OP, QC = Actor("qa-1", "QA"), Actor("operator-1", "OP"), Actor("qc-1", "QC")


def day_of(day: float) -> Instant:
    return START + round(day * DAY_MS)


async def test_answers_are_as_of_a_time(tmp_path: Path) -> None:
    clock, register = SteppedClock(START), LotRegister()
    ledger = SqlLedger.open(tmp_path / "ledger.sqlite", clock, SeededEntropy(1))
    ledger.on_append.append(lambda events: [register.apply(event) for event in events] and None)

    async def on_day(day: int, actor: Actor, details: Details, at_day: int | None = None) -> None:
        clock.advance(day_of(day) - clock.now())
        at = None if at_day is None else day_of(at_day)
        await execute(ledger, Command("M-17", details, at, "why"), clock.now(), actor)

    def status(day: float) -> str | None:
        lot = register.fact("M-17", day_of(day))
        return None if lot is None else str(lot.status)

    receipt = LotReceived(material="DMEM", supplier="maker", quantity=500.0, unit="mL", expires_at=day_of(50))
    with pytest.raises(TransitionRefused, match="is not on record"):
        await on_day(0, QA, LotRecalled())
    await on_day(3, OP, receipt, at_day=1)  # a late entry, judged at its own time
    assert [status(day) for day in (0.9, 1, 3, 49.9, 50)] == [None, *["quarantined"] * 4]
    await on_day(4, QC, LotReleased(certificate="C-1"))
    await on_day(8, OP, LotQuarantined(), at_day=6)
    await on_day(9, QA, LotReleased())
    assert [status(day) for day in (3.9, 4, 5.9, 6, 8.9, 9, 50)] == [
        "quarantined", "released", "released", "quarantined", "quarantined", "released", "expired",
    ]  # fmt: skip
    await on_day(60, QA, LotRecalled(), at_day=55)
    assert [status(day) for day in (49, 54, 55, 99)] == ["released", "expired", "recalled", "recalled"]
    lot = register.fact("M-17", day_of(54))
    assert lot is not None and (lot.since, lot.reason, lot.certificate) == (day_of(50), "", "C-1")
    assert register.ids() == ("M-17",) and register.fact("M-18", day_of(60)) is None
    assert [event.type for event in ledger.read(REFUSALS)] == ["command_refused"]

    again = LotRegister()
    for event in ledger.read_all():
        again.apply(event)
    assert all(again.fact("M-17", day_of(day)) == register.fact("M-17", day_of(day)) for day in range(70))
    await ledger.close()


def event(data: dict[str, Any], stream: str = "batch:B-1", event_type: str = "seeded", number: int = 1) -> Event:
    return Event(
        number, stream, number, f"e{number}", event_type, data, OP, Source.HUMAN, START + number, START + number, "", 1,
        "local", "", b"", "",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ({"medium_lot": "M-17"}, [("medium_lot", "M-17")]),
        ({"lot": "M-17", "vessels": "M-17"}, [("lot", "M-17")]),
        ({"reagent_lots": ["A", "B"]}, [("reagent_lots", "A"), ("reagent_lots", "B")]),
        ({"lots": {"medium": "A", "sera": ["B", {"x": "C"}]}}, [("lots", "A"), ("lots", "B"), ("lots", "C")]),
        ({"data": {"medium_lot": "A"}, "parts": [{"lot": "B"}]}, [("medium_lot", "A"), ("lot", "B")]),
        ({"pilot": "A", "slot": "B", "plots": ["C"], "lottery": "D", "allotted": "E", "lot_size": "F"}, []),
        ({"medium_lot": None, "lot": 7, "diluent_lots": [None, 1.5, True]}, []),
        ({}, []),
    ],
)
def test_the_rule_by_which_a_field_names_a_lot(data: dict[str, Any], named: list[tuple[str, str]]) -> None:
    assert list(lots_named(data)) == named


def test_batches_that_a_lot_touched() -> None:
    events = [
        event({"medium_lot": "M-17"}, "batch:B-2", number=1),
        event({"lot": " m-17 "}, "batch:B-1", "medium_changed", 2),
        event({"medium_lot": "M-18"}, "batch:B-3", number=3),
        event({"medium_lot": "M-170"}, "batch:B-3", number=4),
        event({"lot": "M-17"}, "lot:M-17", number=5),
        event({"field": "medium_lot", "value": "M-17", "data": {"medium_lot": "M-17"}}, "batch:B-4", "corrected", 6),
        event({"field": "medium_lot", "value": "M-99", "data": {"medium_lot": "M-99"}}, "batch:B-2", "corrected", 7),
    ]
    assert [(use.batch_id, use.event_type, use.field) for use in uses_of("M-17", events)] == [
        ("B-1", "medium_changed", "lot"),
        ("B-2", "seeded", "medium_lot"),  # corrected since, and named all the same
        ("B-4", "corrected", "medium_lot"),
    ]
    assert uses_of("M-1", events) == ()


def test_an_event_of_a_newer_program_is_not_passed_over() -> None:
    register = LotRegister()
    register.apply(event({}, "refusals", "lot_melted"))
    with pytest.raises(BatchError, match="use a newer one"):
        register.apply(event({}, "lot:M-17", "lot_melted"))


def test_what_is_said_before_the_receipt_releases_nothing() -> None:
    register = LotRegister()
    register.apply(event({"certificate": "C"}, "lot:M-17", "lot_released"))
    assert register.fact("M-17", START + DAY_MS) is None


@pytest.mark.parametrize("lot_id", ["", " M", "M\n", "x" * 101, "\ud800"])
async def test_what_can_be_no_id(tmp_path: Path, lot_id: str) -> None:
    ledger = SqlLedger.open(tmp_path / "ledger.sqlite", SteppedClock(START), SeededEntropy(1))
    with pytest.raises(BatchError, match="is no id"):
        await execute(ledger, Command(lot_id, LotReleased()), START, QA)
    assert ledger.head().position == 0
    await ledger.close()


async def test_a_lot_that_a_newer_program_has_written_of_is_left_alone(tmp_path: Path) -> None:
    clock = SteppedClock(START)
    ledger = SqlLedger.open(tmp_path / "ledger.sqlite", clock, SeededEntropy(1))
    foreign = NewEvent("lot_melted", {}, QA, Source.HUMAN)
    await ledger.append("lot:M-17", [foreign], None)
    with pytest.raises(BatchError, match="not known to this version"):
        await execute(ledger, Command("M-17", LotReleased()), START, QA)
    await ledger.close()
