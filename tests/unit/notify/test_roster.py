"""Who is on call, and what becomes of a roster with holes."""

from __future__ import annotations

from tests.unit.notify.stock import ZONE

from cultureops.alarms.rule import Priority
from cultureops.clock import HOUR_MS, parse_iso
from cultureops.notify.roster import Duty, OnCall, Person, Roster
from cultureops.notify.schedule import mute_from, stretch_from, week_hours_from

MONDAY = parse_iso("2026-01-05T00:00:00+01:00")
PEOPLE = (Person("anna-01", ("mail",)), Person("ben-02", ("mail",)), Person("head", ("mail",)))


def duty(person: str, *weekly: str, shifts: tuple[str, ...] = ()) -> Duty:
    return Duty(person, tuple(map(week_hours_from, weekly)), tuple(stretch_from(one, ZONE) for one in shifts))


WHOLE = (duty("anna-01", "daily 07:00-19:00"), duty("ben-02", "daily 19:00-07:00"))


def test_the_weekly_pattern() -> None:
    roster = Roster(PEOPLE, WHOLE, ZONE)
    assert roster.on_call(MONDAY + 8 * HOUR_MS) == OnCall(("anna-01",))
    assert roster.on_call(MONDAY + 20 * HOUR_MS) == OnCall(("ben-02",))
    assert roster.next_gap(MONDAY) is None


def test_it_has_no_hole_over_a_change_of_the_clocks() -> None:
    roster = Roster(PEOPLE, WHOLE, ZONE)
    for week in ("2026-03-26T00:00:00Z", "2026-10-22T00:00:00Z"):
        assert roster.next_gap(parse_iso(week)) is None


def test_a_shift_takes_the_place_of_the_week() -> None:
    roster = Roster(PEOPLE, (*WHOLE, duty("head", shifts=("2026-01-05T12:00 to 2026-01-05T14:00",))), ZONE)
    assert roster.on_call(MONDAY + 11 * HOUR_MS).people == ("anna-01",)
    assert roster.on_call(MONDAY + 12 * HOUR_MS) == OnCall(("head",))
    assert roster.on_call(MONDAY + 14 * HOUR_MS).people == ("anna-01",)


def test_a_hole_is_filled_by_everybody_on_the_roster_and_said() -> None:
    roster = Roster(PEOPLE, (duty("anna-01", "Mon-Fri 07:00-19:00"), duty("ben-02", "Mon-Fri 19:00-07:00")), ZONE)
    saturday = MONDAY + 5 * 24 * HOUR_MS
    assert roster.on_call(saturday + 12 * HOUR_MS) == OnCall(("anna-01", "ben-02"), is_gap=True)
    assert roster.next_gap(MONDAY + 8 * HOUR_MS) == saturday + 7 * HOUR_MS


def test_who_is_off_duty_is_not_told_unless_nobody_else_is_left() -> None:
    away = tuple(stretch_from(one, ZONE) for one in ("2026-01-05T00:00 to 2026-01-06T00:00",))
    anna = Person("anna-01", ("mail",), off_duty=away)
    noon = MONDAY + 12 * HOUR_MS
    roster = Roster((anna, *PEOPLE[1:]), WHOLE, ZONE)
    assert roster.on_call(noon) == OnCall(("ben-02",), is_gap=True)
    assert roster.resolve(("anna-01",), noon) == OnCall(("ben-02",), is_gap=True)
    assert roster.resolve(("everybody",), noon) == OnCall(("ben-02", "head"))
    assert roster.resolve(("anna-01", "head"), noon) == OnCall(("head",))
    alone = Roster((anna,), WHOLE[:1], ZONE)
    assert alone.on_call(noon) == OnCall(("anna-01",), is_gap=True)  # rather a holiday disturbed than nobody told


def test_names_are_resolved_once_each() -> None:
    roster = Roster(PEOPLE, WHOLE, ZONE)
    assert roster.resolve(("head", "on_call", "anna-01", "everybody"), MONDAY + 8 * HOUR_MS).people == (
        "head", "anna-01", "ben-02",
    )  # fmt: skip


def test_a_mute_never_holds_for_what_is_critical() -> None:
    anna = Person("anna-01", ("mail",), (mute_from("daily 18:00-07:00 low,medium,high"),))
    roster, night = Roster((anna,), (), ZONE), MONDAY + 23 * HOUR_MS
    assert roster.is_muted("anna-01", night, Priority.HIGH, gmp_critical=False)
    assert not roster.is_muted("anna-01", night, Priority.HIGH, gmp_critical=True)
    assert not roster.is_muted("anna-01", MONDAY + 12 * HOUR_MS, Priority.LOW, gmp_critical=False)
