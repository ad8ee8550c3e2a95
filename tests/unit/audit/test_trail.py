"""The audit trail says who, what, old and new, when and why of everything, and finds it again."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from tests.unit.audit.conftest import HOSTILE, corrected_bench
from tests.unit.batch.bench import before
from tests.unit.batch.conftest import BATCH_ID, OP, Step

import cultureops.audit
from cultureops.audit import Chosen, Only, Trail
from cultureops.batch import commands as do
from cultureops.clock import HOUR_MS, parse_iso
from cultureops.errors import BatchError, ConfigError
from cultureops.ledger import Event, SqlLedger


class Plain:
    """A ledger that can't look for events by itself."""

    def __init__(self, ledger: SqlLedger) -> None:
        self.read, self.read_all, self.streams = ledger.read, ledger.read_all, ledger.streams
        self.version, self.head = ledger.version, ledger.head


def all_events(ledger: SqlLedger) -> list[Event]:
    return list(ledger.read_all())


@pytest.mark.requirement("R1")
def test_a_changed_count_shows_all_six_items_and_its_original_and_no_edit_goes_without_a_reason(
    ledger: SqlLedger,
) -> None:
    (row,) = Trail(ledger).page(Chosen(batch=BATCH_ID, only=frozenset({Only.CORRECTIONS})), 10).rows
    assert (row.actor_id, row.printed_name, row.role) == ("operator-1", "Operator One", "OP")
    assert row.what == "Corrected" and row.subject == f"batch {BATCH_ID}"
    (change,) = row.changes
    assert (change.field, change.old, change.new) == ("counted.viability_pct", "96.4", "95")
    assert row.recorded_at > 0 and row.reason == "typing error: 59" and row.source == "human"
    original = next(event for event in reversed(ledger.read(f"batch:{BATCH_ID}")) if event.type == "counted")
    assert original.data["viability_pct"] == 96.4, "prior data is not obscured"
    bench = before("harvest")
    with pytest.raises(BatchError, match="reason"):
        bench.ask(Step(do.Correct(event_id=bench.events[-1].event_id, field="viability_pct", value=95.0), OP))


@pytest.mark.requirement("R2")
def test_there_is_nothing_by_which_the_audit_trail_could_be_switched_off() -> None:
    source = inspect.getsource(cultureops.audit.trail) + inspect.getsource(cultureops.audit.chosen)
    assert not any(word in source for word in ("enabled", "disabled", "suspend", "config"))


def test_what_was_replaced_in_a_register_is_what_was_said_before(ledger: SqlLedger) -> None:
    rows = Trail(ledger).page(Chosen(), 1_000, oldest_first=True).rows
    changes = [(row.kind, str(change)) for row in rows if not row.stream.startswith("batch:") for change in row.changes]
    assert changes == [
        ("account_created", "state: (none) -> active"),
        ("role_granted", "roles: OP -> OP, RV"),
        ("commissioned", "state: (none) -> in service"),
        ("taken_out_of_service", "state: in service -> out of service"),
        ("calibrated", "certificate: C-1 -> C-2"),
        ("calibrated", "due: 2026-01-01T00:00:00.000Z -> 2027-01-01T00:00:00.000Z"),
        ("lot_received", "state: (none) -> quarantined"),
        ("lot_released", "state: quarantined -> released"),
        ("lot_recalled", "state: released -> recalled"),
    ]


@pytest.mark.parametrize(
    ("chosen", "kinds"),
    [
        (Chosen(only=frozenset({Only.LATE_ENTRIES})), {"noted"}),
        (Chosen(only=frozenset({Only.REFUSALS})), {"command_refused"}),
        (Chosen(only=frozenset({Only.REFUSALS, Only.CORRECTIONS})), {"command_refused", "corrected"}),
        (Chosen(stream="lot:"), {"lot_received", "lot_released", "lot_recalled"}),
        (Chosen(stream="lot:", role="QA"), {"lot_released", "lot_recalled"}),
        (Chosen(kind="calibrated"), {"calibrated"}),
        (Chosen(text="THE MAKER'S"), {"lot_recalled"}),
        (Chosen(text=HOSTILE), {"lot_received", "noted"}),
        (Chosen(person="nobody"), set()),
        (Chosen(person="admin-1"), {"account_created", "role_granted"}),
        (Chosen(stream="lot%"), set()),
    ],
)
def test_a_choice_finds_what_it_says_with_and_without_the_help_of_the_store(
    ledger: SqlLedger, chosen: Chosen, kinds: set[str]
) -> None:
    rows = Trail(ledger).page(chosen, 1_000).rows
    assert {row.kind for row in rows} == kinds
    plain: Any = Plain(ledger)
    assert Trail(plain).page(chosen, 1_000).rows == rows
    assert [row.position for row in rows] == [e.position for e in all_events(ledger)[::-1] if chosen.matches(e)]
    assert Chosen.of(chosen.data()) == chosen


@pytest.mark.parametrize("oldest_first", [False, True])
@pytest.mark.parametrize("size", [7, 1_000])
@pytest.mark.parametrize("chosen", [Chosen(), Chosen(person="operator-1", only=frozenset({Only.CORRECTIONS}))])
def test_pages_put_together_are_the_whole_once_and_in_order(
    ledger: SqlLedger, oldest_first: bool, size: int, chosen: Chosen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cultureops.audit.walking.WINDOW", 10)
    plain: Any = Plain(ledger)
    for one in (ledger, plain):
        trail, cursor, seen = Trail(one), None, []
        while True:
            page = trail.page(chosen, size, cursor, oldest_first=oldest_first)
            assert len(page.rows) <= size
            seen += [row.position for row in page.rows]
            if (cursor := page.cursor) is None:
                break
        wanted = [event.position for event in all_events(ledger) if chosen.matches(event)]
        assert seen == (wanted if oldest_first else wanted[::-1])


def test_times_of_recording_bound_a_choice(ledger: SqlLedger) -> None:
    events = all_events(ledger)
    middle = events[len(events) // 2].recorded_at
    early, late = (Trail(ledger).page(chosen, 1_000).rows for chosen in (Chosen(until=middle), Chosen(since=middle)))
    assert len(early) + len(late) == len(events) and max(row.recorded_at for row in early) < middle
    with pytest.raises(ConfigError, match="the end must lie after the start"):
        Chosen(since=middle, until=middle - HOUR_MS)


@pytest.mark.parametrize(
    "asked",
    [
        {"batch": "../x"},
        {"batch": "a" * 41},
        {"text": "x" * 201},
        {"text": "\ud800"},
        {"person": "a\x00b"},
        {"only": ["all"]},
        {"only": [[]]},
        {"only": 7},
        {"since": "yesterday"},
        {"since": "2026-01-05T08:00:00"},
        {"colour": "red"},
        {"text": 7},
    ],
)
def test_garbage_to_choose_by_is_refused_in_one_line(asked: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as refused:
        Chosen.of(asked)
    assert "\n" not in str(refused.value)


def test_an_event_that_nobody_can_read_still_has_its_row() -> None:
    from dataclasses import replace

    from cultureops.audit import audit_row

    event = corrected_bench().events[3]
    odd = replace(event, type="unheard_of", data={"signatures": 7, "deep": {"a": [1, None, {"b": True}]}})
    row = audit_row(odd)
    assert row.what == "Unheard of" and row.details == "deep: a 1, None, b yes" and "not a list" in row.unsound
    assert audit_row(replace(event, data={})).details == ""


def test_times_of_a_choice_are_read_with_their_offset() -> None:
    assert Chosen.of({"since": "2026-01-05T09:00:00+01:00"}).since == parse_iso("2026-01-05T08:00:00Z")
