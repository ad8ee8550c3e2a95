"""What contradicts ALCOA++ is counted, each thing under its letter, and a clean record counts nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.audit.conftest import corrected_bench
from tests.unit.batch.bench import before

from cultureops.audit.alcoa import Alcoa, Letter, Violation
from cultureops.clock import HOUR_MS, MINUTE_MS
from cultureops.kernel_clock import ClockQuality
from cultureops.ledger import Actor, Event, Source

PERSON = Actor("operator-1", "OP")


def an_event(kind: str, stream: str = "batch:B-1", **fields: Any) -> Event:
    first = before("harvest").events[0]
    return replace(first, **{"type": kind, "stream": stream, "data": {}, "actor": PERSON} | fields)


def counted(*events: Event, simulated: frozenset[str] = frozenset()) -> dict[Violation, int]:
    alcoa = Alcoa(simulated)
    alcoa.take(events)
    return {one.kind: one.count for one in alcoa.violations() if one.count}


SIGNED_IN = {"session_id": "s-1", "source": "10.0.0.1"}
ACCOUNT = an_event("account_created", "account:operator-1", data={"printed_name": "Operator One"})
CASES: dict[Violation, tuple[Event, ...]] = {
    Violation.NO_ACCOUNT: (ACCOUNT, an_event("noted", actor=Actor("somebody", "OP"))),
    Violation.SHARED_ID: (
        an_event("signed_in", "account:operator-1", data=SIGNED_IN),
        an_event("signed_in", "account:operator-1", data={"session_id": "s-2", "source": "10.0.0.2"}),
    ),
    Violation.UNSIGNED: (an_event("released"),),
    Violation.UNREADABLE_SIGNATURE: (an_event("noted", data={"signatures": [{"id": "x"}]}),),
    Violation.LATE: (an_event("noted", occurred_at=ACCOUNT.recorded_at - HOUR_MS),),
    Violation.CLOCK: (an_event("noted", clock_quality=ClockQuality.UNSYNCED),),
    Violation.BY_HAND: (an_event("count_accepted"),),
    Violation.SIMULATED: (an_event("counted", source=Source.DEVICE, data={"device": "counter_1"}),),
    Violation.UNEXPLAINED: (an_event("corrected", reason=" "),),
    Violation.REFUSED_FILE: (an_event("result_file_rejected"),),
    Violation.GAP: (an_event("device_lost", "device:x", source=Source.SYSTEM, data={"device": "x"}),),
    Violation.BACKWARDS: (an_event("noted"), an_event("noted", recorded_at=ACCOUNT.recorded_at - 1, occurred_at=0)),
    Violation.BACKUP: (an_event("backup_failed", "backup", source=Source.SYSTEM),),
}


@pytest.mark.requirement("R26")
@pytest.mark.parametrize("kind", list(CASES))
def test_each_violation_is_counted_under_its_letter(kind: Violation) -> None:
    found = counted(*CASES[kind], simulated=frozenset({"counter_1"}))
    assert found.get(kind) == 1
    assert found.keys() <= {kind, Violation.LATE}


@pytest.mark.requirement("R26")
def test_every_letter_has_its_counts_and_a_played_batch_corrects_nothing_without_a_reason() -> None:
    alcoa = Alcoa()
    alcoa.take(corrected_bench().events)
    rows = alcoa.violations()
    assert {row.letter for row in rows} == set(Letter) and [row.kind for row in rows] == list(Violation)
    assert {row.kind: row.count for row in rows if row.count} == {}
    assert alcoa.events == len(corrected_bench().events)


def test_sessions_of_one_source_or_after_another_ended_are_not_shared() -> None:
    ended = an_event("session_ended", "account:operator-1", data={"session_id": "s-1"})
    other = an_event("signed_in", "account:operator-1", data={"session_id": "s-2", "source": "10.0.0.2"})
    first = an_event("signed_in", "account:operator-1", data=SIGNED_IN)
    again = an_event("signed_in", "account:operator-1", data=SIGNED_IN | {"session_id": "s-3"})
    assert counted(first, ended, other) == {} == counted(first, again)


def test_silence_is_added_up_until_the_device_answers() -> None:
    lost = an_event("device_lost", "device:x", source=Source.SYSTEM, data={"device": "x"})
    back = replace(lost, type="device_identified", occurred_at=lost.occurred_at + 7 * MINUTE_MS)
    alcoa = Alcoa()
    alcoa.take([lost, back, back])
    assert alcoa.gap_minutes == 7.0


def test_what_could_not_be_read_is_counted_too() -> None:
    alcoa = Alcoa()
    alcoa.note_unread(30, range(30))
    (unread,) = (row for row in alcoa.violations() if row.kind is Violation.UNREAD)
    assert unread.count == 30 and len(unread.positions) == 20
