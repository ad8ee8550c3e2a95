"""A ledger with a played batch, one corrected count, a refusal, a late entry, lots, equipment and an account."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest
from tests.unit.batch.bench import Bench, before
from tests.unit.batch.conftest import BATCH_ID, OP, WITNESS, Step

from cultureops.batch import commands as do
from cultureops.batch.batch import stream_of
from cultureops.clock import HOUR_MS, MINUTE_MS, SeededEntropy, SteppedClock
from cultureops.ledger import Actor, NewEvent, Source, SqlLedger
from cultureops.ledger.event import Event

HOSTILE = "=cmd|' /C calc'!A0"
ADMIN, QA, EQ = Actor("admin-1", "AD"), Actor("qa-1", "QA"), Actor("engineer-1", "EQ")


def corrected_bench() -> Bench:
    """Return a batch before its harvest in which one count was corrected."""
    bench = before("harvest")
    counted = next(event for event in reversed(bench.events) if event.type == "counted")
    bench.ask(
        Step(
            do.Correct(event_id=counted.event_id, field="viability_pct", value=95.0),
            OP,
            WITNESS,
            reason="typing error: 59",
        )
    )
    return bench


@cache
def _bench() -> Bench:
    return corrected_bench()


async def _fill(file: Path) -> None:
    bench = _bench()
    clock = SteppedClock(bench.events[0].recorded_at - HOUR_MS)
    ledger = SqlLedger.open(file, clock, SeededEntropy(1))
    account = {"username": "operator-1", "printed_name": "Operator One", "roles": ["OP"]}
    await ledger.append("account:operator-1", [NewEvent("account_created", account, ADMIN, Source.HUMAN)], None)
    granted = NewEvent("role_granted", {"role": "RV"}, ADMIN, Source.HUMAN, reason="trained on 5 January")
    await ledger.append("account:operator-1", [granted], None)
    await ledger.append("equipment:incubator_1", _equipment(), None)
    await ledger.append("lot:MED-1", _lots(), None)
    for event in bench.events:
        clock.advance(max(0, event.recorded_at - clock.now()))
        await ledger.append(stream_of(BATCH_ID), [_again(event)], None)
    late = NewEvent(
        "noted", {"text": f"seen by {HOSTILE}"}, OP, Source.HUMAN, clock.now() - 2 * HOUR_MS, "written on paper"
    )
    refusal = {"command": "Release", "error": "TransitionRefused", "message": "not for role OP"}
    await ledger.append(stream_of(BATCH_ID), [late], None)
    clock.advance(MINUTE_MS)
    await ledger.append(stream_of(BATCH_ID), [NewEvent("command_refused", refusal, OP, Source.HUMAN)], None)
    await ledger.close()


def _equipment() -> Iterable[NewEvent]:
    due = {"certificate": "C-1", "calibrated_at": "2025-01-01T00:00:00.000Z", "due": "2026-01-01T00:00:00.000Z"}
    return [
        NewEvent("commissioned", {"document": "IQ-1"}, EQ, Source.HUMAN),
        NewEvent("calibrated", due, EQ, Source.HUMAN),
        NewEvent("taken_out_of_service", {}, EQ, Source.HUMAN, reason="door seal"),
        NewEvent("calibrated", due | {"certificate": "C-2", "due": "2027-01-01T00:00:00.000Z"}, EQ, Source.HUMAN),
    ]


def _lots() -> Iterable[NewEvent]:
    return [
        NewEvent("lot_received", {"material": "medium", "supplier": HOSTILE}, EQ, Source.HUMAN),
        NewEvent("lot_released", {"certificate": "CoA-1"}, QA, Source.HUMAN),
        NewEvent("lot_recalled", {}, QA, Source.HUMAN, reason="the maker's letter"),
    ]


def _again(event: Event) -> NewEvent:
    return NewEvent(event.type, event.data, event.actor, event.source, event.occurred_at, event.reason)


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ledger's file, closed; copy it before it is changed."""
    file = tmp_path_factory.mktemp("audit") / "ledger.sqlite"
    asyncio.run(_fill(file))
    return file


@pytest.fixture
def data_dir(filled: Path, tmp_path: Path) -> Path:
    shutil.copy(filled, tmp_path / "ledger.sqlite")
    return tmp_path


@pytest.fixture(scope="module")
def ledger(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlLedger]:
    """The ledger, opened; tests only read it."""
    file = tmp_path_factory.mktemp("read") / "ledger.sqlite"
    shutil.copy(filled, file)
    opened = SqlLedger.open(file, SteppedClock(_bench().now + 4 * HOUR_MS), SeededEntropy(2))
    yield opened
    asyncio.run(opened.close())
