"""How late something is, said so that people believe it; the day ends when it ends at the site."""

from zoneinfo import ZoneInfo

import pytest

from cultureops.batch.batch import Batch
from cultureops.batch.due import Due
from cultureops.batch.parts import RecipeRef
from cultureops.batch.state import State
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, parse_iso
from cultureops.web.board.due_list import Urgency, end_of_day, judged

BERLIN = ZoneInfo("Europe/Berlin")
NOW = parse_iso("2026-01-05T08:00:00Z")
MIDNIGHT = parse_iso("2026-01-05T23:00:00Z")
BATCH = Batch("B-1", "COI-7F3K2", RecipeRef("recipe", 1, "0" * 64), State.CREATED, 1, NOW - DAY_MS, NOW - DAY_MS)


@pytest.mark.parametrize(
    ("at", "latest", "urgency", "words"),
    [
        (NOW - 3 * HOUR_MS, NOW - 1, Urgency.LATE, "less than a minute late"),
        (NOW - 3 * HOUR_MS, NOW - 65 * MINUTE_MS, Urgency.LATE, "1 h 5 min late"),
        (NOW - 3 * HOUR_MS, NOW, Urgency.NOW, "for 3 h, less than a minute left"),
        (NOW - 2 * DAY_MS, NOW + 30 * MINUTE_MS, Urgency.NOW, "for 2 d, 30 min left"),
        (NOW, None, Urgency.NOW, "for less than a minute"),
        (MIDNIGHT - 1, None, Urgency.TODAY, "in 14 h 59 min"),
        (MIDNIGHT, None, Urgency.LATER, "in 15 h"),
    ],
)
def test_what_is_due_stands_as_it_stands(at: int, latest: int | None, urgency: Urgency, words: str) -> None:
    item = judged(BATCH, Due(at, "do it", "OP", latest), NOW, MIDNIGHT)
    assert (item.urgency, item.words) == (urgency, words)


def test_late_comes_first_then_what_is_soonest() -> None:
    dues = [
        Due(NOW + DAY_MS, "later", "OP"),
        Due(NOW - DAY_MS, "long there", "OP"),
        Due(NOW - 2 * DAY_MS, "late", "OP", NOW - HOUR_MS),
        Due(NOW + HOUR_MS, "today", "OP"),
        Due(NOW - HOUR_MS, "later late", "OP", NOW - MINUTE_MS),
    ]
    items = sorted((judged(BATCH, due, NOW, MIDNIGHT) for due in dues), key=lambda item: item.order)
    assert [item.due.text for item in items] == ["late", "later late", "long there", "today", "later"]


@pytest.mark.parametrize(
    ("now", "ends"),
    [
        ("2026-01-05T22:59:59Z", "2026-01-05T23:00:00Z"),
        ("2026-01-05T23:00:00Z", "2026-01-06T23:00:00Z"),
        ("2026-03-28T23:30:00Z", "2026-03-29T22:00:00Z"),
        ("2026-10-24T22:30:00Z", "2026-10-25T23:00:00Z"),
    ],
    ids=["evening", "midnight", "shortest day", "longest day"],
)
def test_the_day_ends_at_the_sites_midnight(now: str, ends: str) -> None:
    assert end_of_day(parse_iso(now), BERLIN) == parse_iso(ends)
