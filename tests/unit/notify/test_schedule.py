"""Hours of the week and stretches by the wall clock, also where the clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.notify.stock import ZONE

from cultureops.alarms.rule import Priority
from cultureops.clock import HOUR_MS, MINUTE_MS, parse_iso
from cultureops.errors import ConfigError
from cultureops.notify.schedule import mute_from, stretch_from, week_hours_from


def at(wall: str) -> int:
    """An instant of winter in Berlin."""
    return parse_iso(f"{wall}+01:00")


@pytest.mark.parametrize(
    ("hours", "wall", "expected"),
    [
        ("Mon-Fri 07:00-19:00", "2026-01-05T07:00", True),
        ("Mon-Fri 07:00-19:00", "2026-01-05T06:59", False),
        ("Mon-Fri 07:00-19:00", "2026-01-05T19:00", False),
        ("Mon-Fri 07:00-19:00", "2026-01-10T12:00", False),
        ("Mon-Fri 18:00-07:00", "2026-01-10T06:59", True),  # Friday's night ends on Saturday
        ("Mon-Fri 18:00-07:00", "2026-01-10T18:00", False),
        ("Mon-Fri 18:00-07:00", "2026-01-05T06:00", False),  # Sunday's night is not among them
        ("Sun 18:00-07:00", "2026-01-05T06:00", True),
        ("Fri-Mon 00:00-24:00", "2026-01-11T12:00", True),
        ("Fri-Mon 00:00-24:00", "2026-01-08T12:00", False),
        ("Sat,Sun 00:00-24:00", "2026-01-11T23:59", True),
        ("Sat,Sun 00:00-24:00", "2026-01-12T00:00", False),
        ("daily 07:00-07:00", "2026-01-08T03:00", True),
        ("Wed 07:00-07:00", "2026-01-08T06:59", True),
        ("Wed 07:00-07:00", "2026-01-08T07:00", False),
    ],
)
def test_hours_of_the_week(hours: str, wall: str, expected: bool) -> None:
    assert week_hours_from(hours).holds(at(wall), ZONE) is expected


def test_hours_follow_the_wall_clock_when_it_is_changed() -> None:
    morning = week_hours_from("daily 07:00-19:00")
    assert not morning.holds(parse_iso("2026-03-28T05:59:00Z"), ZONE) and morning.holds(
        parse_iso("2026-03-28T06:00:00Z"), ZONE
    )
    assert not morning.holds(parse_iso("2026-03-30T04:59:00Z"), ZONE) and morning.holds(
        parse_iso("2026-03-30T05:00:00Z"), ZONE
    )
    twice = week_hours_from("Sun 02:00-03:00")  # comes twice on 25 October, and not at all on 29 March
    assert sum(twice.holds(parse_iso("2026-10-25T00:00:00Z") + n * MINUTE_MS, ZONE) for n in range(240)) == 120
    assert sum(twice.holds(parse_iso("2026-03-29T00:00:00Z") + n * MINUTE_MS, ZONE) for n in range(240)) == 0


@settings(max_examples=100)
@given(
    st.integers(0, 7 * 24 * 60 - 1),
    st.integers(0, 23),
    st.integers(0, 59),
    st.sampled_from(["2026-01-05", "2026-03-23", "2026-10-19"]),  # the last two hold a change of the clocks
)
def test_a_day_parted_in_two_leaves_no_hole(minute: int, hour: int, past: int, monday: str) -> None:
    begin, other = f"{hour:02}:{past:02}", f"{(hour + 12) % 24:02}:{past:02}"
    day, night = week_hours_from(f"daily {begin}-{other}"), week_hours_from(f"daily {other}-{begin}")
    instant = parse_iso(f"{monday}T00:00:00Z") + minute * MINUTE_MS
    assert day.holds(instant, ZONE) is not night.holds(instant, ZONE)


def test_stretches() -> None:
    shift = stretch_from("2026-12-24T07:00 to 2026-12-25T07:00", ZONE)
    assert (shift.begin, shift.end) == (parse_iso("2026-12-24T06:00:00Z"), parse_iso("2026-12-25T06:00:00Z"))
    assert shift.holds(shift.begin) and not shift.holds(shift.end)
    assert stretch_from("2026-03-28T07:00 to 2026-03-29T07:00", ZONE).end - shift.begin < 0
    short, long = (stretch_from(f"{day}T12:00 to {after}T12:00", ZONE) for day, after in
                   (("2026-03-28", "2026-03-29"), ("2026-10-24", "2026-10-25")))  # fmt: skip
    assert (short.end - short.begin, long.end - long.begin) == (23 * HOUR_MS, 25 * HOUR_MS)


def test_shifts_that_meet_in_the_hour_that_comes_twice_overlap() -> None:
    before = stretch_from("2026-10-24T07:00 to 2026-10-25T02:30", ZONE)
    after = stretch_from("2026-10-25T02:30 to 2026-10-25T07:00", ZONE)
    assert before.end - after.begin == HOUR_MS
    assert datetime.fromtimestamp(after.begin / 1000, UTC).hour == 0


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("2026-03-29T02:30 to 2026-03-29T07:00", "02:30 does not exist in Europe/Berlin"),
        ("2026-12-24 to 2026-12-26", "is no time of the wall clock"),
        ("2026-12-24T07:00Z to 2026-12-26T07:00", "is no time of the wall clock"),
        ("2026-12-26T07:00 to 2026-12-24T07:00", "ends before it begins"),
        ("2026-12-24T07:00", "expected a beginning and an end"),
        ("2026-13-24T07:00 to never", "is no time"),
    ],
)
def test_stretches_that_are_none(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        stretch_from(text, ZONE)


@pytest.mark.parametrize(
    "text", ["", "Mon", "Mon 7:00-19:00", "Mon 07:00-24:30", "Mon 25:00-07:00", "Mo-Fr 07:00-19:00", "Mon- 07:00-19:00",
             "mon 07:00-19:00", "Mon 07:00 - 19:00", "Mon,, 07:00-19:00", "weekends 00:00-24:00"]
)  # fmt: skip
def test_hours_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match="expected days and hours such as"):
        week_hours_from(text)


def test_mutes() -> None:
    mute = mute_from("Mon-Fri 18:00-07:00 low,medium")
    assert mute.priorities == {Priority.LOW, Priority.MEDIUM} and mute.hours == week_hours_from("Mon-Fri 18:00-07:00")
    for text in ("Mon-Fri 18:00-07:00", "low", "", "Mon-Fri 18:00-07:00 low,urgent", "Mon-Fri low"):
        with pytest.raises(ConfigError, match="expected days"):
            mute_from(text)


@given(st.text(max_size=60))
@settings(max_examples=150)
def test_garbage_is_refused_or_read(text: str) -> None:
    for read in (week_hours_from, mute_from, lambda text: stretch_from(text, ZONE)):
        try:
            read(text)
        except ConfigError as error:
            assert "\n" not in str(error)
