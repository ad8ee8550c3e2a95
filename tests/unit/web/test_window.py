"""What an address may ask for as a window, and where its buttons lead."""

from zoneinfo import ZoneInfo

import pytest

from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, parse_iso
from cultureops.errors import ConfigError
from cultureops.web.chamber.trend import WIDTHS_MS, stretch_ms
from cultureops.web.chamber.window import LONGEST_MS, Window, window_of

NOW = parse_iso("2026-03-05T08:00:00Z")
BERLIN = ZoneInfo("Europe/Berlin")


def test_a_window_is_a_span_up_to_now_or_two_times_however_they_are_written() -> None:
    assert window_of("", "", "6h", NOW, BERLIN) == Window(NOW - 6 * HOUR_MS, NOW, "6h")
    for start in ("2026-03-05T08:00", "2026-03-05T07:00:00Z", "2026-03-05T07:00:00.000Z", str(NOW - HOUR_MS)):
        assert window_of(start, "", "24h", NOW, BERLIN) == Window(NOW - HOUR_MS, NOW), start
    shown = window_of("2026-03-05T07:00:00Z", "2026-03-05T07:30:00Z", "24h", NOW, BERLIN)
    assert shown.query == "from=2026-03-05T07%3A00%3A00.000Z&to=2026-03-05T07%3A30%3A00.000Z"


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("nan", ""), ("", "2026-03-05T07:00:00Z"), (str(NOW), str(NOW)), (str(NOW), str(NOW - 1)), ("1e9", ""),
        ("9999-01-01T00:00:00Z", "9999-01-02T00:00:00Z"), ("0", str(NOW)), ("9" * 40, ""), ("-5", ""), ("\x00", "x"),
        ("٣", ""), (str(NOW - LONGEST_MS - 1), str(NOW)),
    ],
)  # fmt: skip
def test_what_is_no_window_is_refused_in_words(start: str, end: str) -> None:
    with pytest.raises(ConfigError):
        window_of(start, end, "24h", NOW, BERLIN)
    with pytest.raises(ConfigError, match="none of 10m"):
        window_of("", "", start or end, NOW, BERLIN)


def test_steps_and_zooms_never_lead_beyond_now_nor_to_no_window() -> None:
    window = Window(NOW - 2 * HOUR_MS, NOW - HOUR_MS)
    assert window.moved(-0.5, NOW) == Window(NOW - 150 * MINUTE_MS, NOW - 90 * MINUTE_MS)
    assert window.moved(5, NOW) == Window(NOW - HOUR_MS, NOW)
    assert window.zoomed(4, NOW) == Window(NOW - 4 * HOUR_MS, NOW)
    assert window.zoomed(1e-9, NOW).length_ms == 1_000
    assert window.zoomed(1e9, NOW).length_ms == LONGEST_MS


def test_stretches_have_few_widths_two_polls_at_least_and_are_minutes_from_half_a_day_on() -> None:
    assert stretch_ms(10 * MINUTE_MS, 1_000, 1_000) == 2_000
    assert stretch_ms(6 * HOUR_MS, 1_000, 1_000) == 30_000
    assert stretch_ms(13 * HOUR_MS, 3_000, 1_000) == MINUTE_MS
    assert stretch_ms(HOUR_MS, 1_000, 300_000) == 10 * MINUTE_MS
    assert stretch_ms(60 * DAY_MS, 1_000, 1_000) in WIDTHS_MS
    assert stretch_ms(400 * DAY_MS, 1, 1_000) == 400 * DAY_MS
