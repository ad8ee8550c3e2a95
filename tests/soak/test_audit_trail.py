"""A page of the audit trail of a million events, whatever is chosen, and an export of one batch of them."""

import io
import time
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from cultureops.audit import Chosen, Only, Trail
from cultureops.audit.export import write_export
from cultureops.clock import SeededEntropy, SteppedClock, parse_iso
from cultureops.ledger import Actor, NewEvent, Source, SqlLedger

EVENTS = 1_000_000
BATCHES = 500
START = parse_iso("2026-01-05T08:00:00Z")
CHOSEN = {
    "everything, newest": Chosen(),
    "one batch": Chosen(batch="B-7"),
    "one batch and person": Chosen(batch="B-7", person="operator-3"),
    "one person": Chosen(person="operator-3"),
    "a type": Chosen(kind="corrected"),
    "a type that never was": Chosen(kind="no_such_type"),
    "a word that stands once": Chosen(text="NEEDLE"),
    "late entries": Chosen(only=frozenset({Only.LATE_ENTRIES})),
    "signatures": Chosen(only=frozenset({Only.SIGNATURES})),
    "a stretch of time": Chosen(since=START + 1_000_000, until=START + 1_100_000),
    "a prefix": Chosen(stream="lot:"),
}


async def _filled(file: Path) -> SqlLedger:
    clock = SteppedClock(START)
    ledger = SqlLedger.open(file, clock, SeededEntropy(1))
    for part in range(EVENTS // 10_000):
        groups = []
        for batch in range(BATCHES):
            new = [_event(part, batch, n) for n in range(20)]
            groups.append((f"batch:B-{batch}", new, None))
        await ledger.append_many(groups)
        clock.advance(60_000)
    return ledger


def _event(part: int, batch: int, n: int) -> NewEvent:
    person = Actor(f"operator-{batch % 20}", "OP")
    text = "needle" if (part, batch, n) == (3, 77, 7) else f"medium looked clear, {part} {n}"
    kind = "corrected" if (part, batch, n) == (40, 7, 3) else "noted"
    occurred_at = START if batch == 9 and part > 5 else None
    return NewEvent(kind, {"text": text}, person, Source.HUMAN, occurred_at, "entered on the day")


@pytest.mark.soak
@pytest.mark.requirement("R3")
async def test_a_page_of_a_million_events_comes_at_once(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    ledger = await _filled(tmp_path / "ledger.sqlite")
    try:
        slowest_s = 0.0  # of the processor: a shared machine waits as long as it likes
        for name, chosen in CHOSEN.items():
            began, cpu = time.perf_counter(), time.process_time()
            page = Trail(ledger).page(chosen, 100)
            took_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
            slowest_s = max(slowest_s, cpu_s)
            record_property(f"{name} [CPU s]", round(cpu_s, 3))
            print(f"{name:<28} {took_s:8.3f} s, of CPU {cpu_s:6.3f} s, {len(page.rows):4d} rows")
        deep = Trail(ledger).page(Chosen(), 100, EVENTS // 2)
        assert deep.rows[0].position == EVENTS // 2 - 1
        began, out = time.perf_counter(), io.StringIO()
        written = write_export(Trail(ledger), CHOSEN["one batch"], ledger.head(), ZoneInfo("UTC"), out, "csv")
        print(f"export of {written.rows} rows        {time.perf_counter() - began:8.3f} s")
        assert written.rows == EVENTS // BATCHES
        assert slowest_s < 5.0
    finally:
        await ledger.close()
