"""The history of alarms over a long ledger, and a real audit pack made and fetched on a page."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.web.conftest import people  # noqa: F401
from tests.web.house import open_house

from cultureops.clock import MINUTE_MS, SeededEntropy, SteppedClock, iso, parse_iso
from cultureops.ledger.event import Actor, NewEvent, Source
from cultureops.ledger.store import SqlLedger
from cultureops.pack.reading import verify_pack
from cultureops.web.alarm import history as histories
from cultureops.web.alarm.history import AlarmChoice, alarm_history

pytestmark = pytest.mark.soak
START = parse_iso("2026-01-05T08:00:00Z")
EVENTS = 100_000
RULES = 50
PART = 2_000
MOST_S = 0.3
DEADLINE_S = 120
BERLIN = ZoneInfo("Europe/Berlin")


def raised(number: int) -> NewEvent:
    at, rule = START + number * MINUTE_MS, number % RULES
    data: dict[str, Any] = {
        "rule_id": f"incubator_{rule}/co2/low",
        "chamber": f"incubator_{rule}",
        "kind": "low" if number % 2 else "high",
        "priority": ("high", "medium", "low")[number % 3],
        "batch_ids": [f"B-{number % 7}"],
        "text": f"incubator_{rule}: carbon dioxide {number / 1000:.2f} % at or below the low limit 4 %",
        "at": iso(at),
        "from_state": "NORMAL",
        "to_state": "UNACK",
    }
    return NewEvent("alarm_raised", data, Actor("cultureops", "system"), Source.SYSTEM, at)


@pytest.mark.timeout(300)
async def test_any_page_of_a_hundred_thousand_events_takes_less_than_300_ms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SteppedClock(START)
    ledger = SqlLedger.open(tmp_path / "ledger.sqlite", clock, SeededEntropy(1))
    try:
        for first in range(0, EVENTS, PART):
            groups: list[tuple[str, Sequence[NewEvent], int | None]] = [
                (f"alarm:incubator_{rule}/co2/low", [raised(n) for n in range(first + rule, first + PART, RULES)], None)
                for rule in range(RULES)
            ]
            clock.advance(PART * MINUTE_MS)
            await ledger.append_many(groups)
        assert ledger.head().position == EVENTS
        monkeypatch.setattr(histories, "MOST_LOOKED_AT", 30_000)
        cut = alarm_history(ledger, AlarmChoice(chamber="nowhere"), 50)
        assert cut.is_cut and cut.cursor == EVENTS - 30_000 + 1
        last = alarm_history(ledger, AlarmChoice(chamber="incubator_0"), 50, 20_000)
        assert not last.is_cut and len(last.rows) == 50
        monkeypatch.undo()
        asked: Sequence[dict[str, str]] = (
            {},
            {"chamber": "incubator_7", "priority": "high"},
            {"rule": "incubator_3/co2/low"},
            {"batch": "B-3", "what": "raised", "kind": "low"},
            {"chamber": "nowhere"},
            {"what": "shelved"},
            {"since": "2026-01-05T09:00", "until": "2026-01-05T10:00"},
            {"until": "2026-01-05T10:00"},
        )
        for choice in (AlarmChoice.of(one, BERLIN) for one in asked):
            for cursor in (None, EVENTS // 2, 100):
                begun = time.process_time()  # of this process alone, however busy the machine is
                page = await asyncio.to_thread(alarm_history, ledger, choice, 50, cursor)
                took_s = time.process_time() - begun
                print(f"{took_s * 1000:6.0f} ms {len(page.rows):3d} rows {choice} {cursor}")
                assert took_s < MOST_S, (choice, cursor)
    finally:
        await ledger.close()


async def test_a_pack_is_made_on_the_page_fetched_and_verifies(people: Path, tmp_path: Path) -> None:  # noqa: F811
    async with open_house(people, tmp_path / "lab") as house:
        browser = await house.of("quality-1")
        await browser.look("/batches/B-1/papers")
        begun = time.perf_counter()
        assert (await browser.post("/batches/B-1/packs")).status_code == 303
        assert (await browser.post("/batches/B-1/packs")).status_code == 409, "one at a time"
        async with asyncio.timeout(DEADLINE_S):
            while "pack-progress" in (page := (await browser.get("/batches/B-1/papers")).text):
                await asyncio.sleep(0.2)
        print(f"pack made in {time.perf_counter() - begun:.1f} s")
        assert "was not made" not in page, page[page.index('id="making"') :][:500]
        link = page.partition('<a href="/batches/B-1/packs/')[2].partition('"')[0]
        fetched = await browser.get(f"/batches/B-1/packs/{link}")
        assert fetched.status_code == 200 and fetched.headers["content-type"] == "application/zip"
        file = tmp_path / "pack.zip"
        file.write_bytes(fetched.content)
        assert verify_pack(file, None, None).exit_code == 0
        forms = await browser.get("/batches/B-1/forms.pdf")
        assert forms.content.startswith(b"%PDF") and (await browser.get("/batches/B-1/labels/x")).status_code == 404
        assert (await browser.get("/batches/B-1/packs/..%2f..%2fledger.sqlite")).status_code == 404
