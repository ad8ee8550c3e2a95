"""Alarm KPIs: known answers worked out by hand for every figure, edges, and a brute-force reference."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cultureops.alarms.kpi import AlarmKpi, Durations, KpiTerms, StaleDay, alarm_kpi
from cultureops.alarms.kpi_rows import Judgement, KpiRow, kpi_rows, worst_actors
from cultureops.alarms.load import Flood, bins_over, floods, in_bursts, most_within
from cultureops.alarms.rule import Priority
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Instant, iso
from cultureops.errors import ConfigError, StorageError

T0 = 1_767_571_200_000  # 2026-01-05T00:00:00Z
WINDOW = 10 * MINUTE_MS
MONTH = 30 * DAY_MS


@dataclass(frozen=True)
class Recorded:
    """An event as a ledger gives it back."""

    type: str
    data: dict[str, Any]


def event(what: str, states: str, at: Instant, rule_id: str = "a", **more: Any) -> Recorded:
    """``states``: from and to, e.g. "NORMAL UNACK"; ``at``: ms after T0."""
    before, after = states.split()
    data = {"rule_id": rule_id, "from_state": before, "to_state": after, "at": iso(T0 + at), "priority": "low"}
    return Recorded(f"alarm_{what}", data | {"actor_id": "", "reason": "", "surprise": [1]} | more)


def raised(at: Instant, rule_id: str = "a", **more: Any) -> Recorded:
    return event("raised", "NORMAL UNACK", at, rule_id, **more)


def returned(at: Instant, rule_id: str = "a") -> Recorded:
    return event("returned", "UNACK RTN_UNACK", at, rule_id)


def acknowledged(at: Instant, rule_id: str = "a", states: str = "UNACK ACK", what: str = "acknowledged") -> Recorded:
    return event(what, states, at, rule_id, actor_id="operator-1", reason="seen")


def shelved(at: Instant, rule_id: str = "a", states: str = "UNACK SHELVED", **more: Any) -> Recorded:
    return event("shelved", states, at, rule_id, **({"actor_id": "operator-1", "reason": "filter change"} | more))


def kpi_of(*events: Recorded, days: float = 30, start: Instant = 0, record: Instant = 0, **more: Any) -> AlarmKpi:
    return alarm_kpi(events, T0 + start, T0 + round(days * DAY_MS), T0 + record, **more)


def row_of(kpi: AlarmKpi, key: str) -> KpiRow:
    (row,) = [row for row in kpi_rows(kpi) if row.key == key]
    return row


def judged(kpi: AlarmKpi, key: str) -> tuple[float | None, str]:
    row = row_of(kpi, key)
    return row.value, row.judgement


def spaced(count: int, step_ms: int, start: Instant = 0, rule_id: str = "a") -> list[Recorded]:
    return [raised(start + n * step_ms, rule_id) for n in range(count)]


@pytest.mark.parametrize(
    ("count", "judgement"),
    [(0, "acceptable"), (4320, "acceptable"), (4321, "manageable"), (8640, "manageable"), (8641, "too many")],
)
def test_six_an_hour_are_acceptable_and_twelve_the_most(count: int, judgement: str) -> None:
    kpi = kpi_of(*spaced(count, 299_000))
    assert judged(kpi, "per_hour") == (pytest.approx(count / 720), judgement)
    assert judged(kpi, "per_10_min") == (pytest.approx(count / 4320), judgement)


def test_two_operators_share_the_alarms() -> None:
    kpi = kpi_of(*spaced(20, SECOND_MS), operators=2)
    assert judged(kpi, "per_hour")[0] == pytest.approx(10 / 720)
    assert judged(kpi, "most_in_10_min") == (10, "acceptable")
    assert (kpi.windows_over, kpi.floods) == (0, ())
    kpi = kpi_of(*spaced(21, SECOND_MS), operators=2)
    assert (kpi.windows_over, kpi.most_in_window) == (1, 10.5)
    # The flood begins with the 21st, at 20 s, and ends when fewer than 10 are left: the 12th leaves at 11 s + 10 min.
    assert kpi.floods == (Flood(T0 + 20_000, T0 + 11_000 + WINDOW, 1),)


def test_realarms_count_apart() -> None:
    kpi = kpi_of(
        raised(0), acknowledged(1000), event("realarmed", "ACK UNACK", 2000), event("realarmed", "ACK UNACK", 1)
    )
    assert (kpi.activations, kpi.realarms) == (1, 2)
    assert judged(kpi, "realarms") == (pytest.approx(2 / 720), "")


def test_a_month_less_a_millisecond_is_insufficient_for_rates_alone() -> None:
    events = spaced(3, SECOND_MS)
    enough, short = kpi_of(*events), alarm_kpi(events, T0, T0 + MONTH - 1, T0)
    late = kpi_of(*spaced(3, SECOND_MS, DAY_MS), record=1)
    rates = {
        "per_hour", "per_10_min", "realarms", "windows_over_10", "hours_over_30", "most_in_10_min", "in_flood",
        "top_10", "priority_low", "priority_medium", "priority_high",
    }  # fmt: skip
    assert not [row for row in kpi_rows(enough) if row.judgement is Judgement.INSUFFICIENT]
    for kpi in (short, late):
        assert {row.key for row in kpi_rows(kpi) if row.judgement is Judgement.INSUFFICIENT} == rates
        assert judged(kpi, "chattering") == (1, "too many")
    assert judged(short, "per_hour")[0] == pytest.approx(3 / 720)


def test_the_period_begins_with_the_record_at_the_earliest() -> None:
    kpi = kpi_of(raised(DAY_MS + HOUR_MS), days=2, record=DAY_MS)
    assert (kpi.start, kpi.per_hour) == (T0 + DAY_MS, pytest.approx(1 / 24))


def test_bins_are_half_open_and_begin_with_the_period() -> None:
    # Eleven in the second bin, the first of them at its very start; ten and one on both sides of a border do not count.
    times = [WINDOW + n for n in range(11)] + [3 * WINDOW - 1 - n for n in range(10)] + [3 * WINDOW]
    kpi = kpi_of(*(raised(at) for at in sorted(times)))
    assert (kpi.windows_over, kpi.windows, kpi.hours) == (1, 4320, 720)
    assert judged(kpi, "windows_over_10") == (pytest.approx(100 / 4320), "acceptable")
    assert judged(kpi, "hours_over_30")[0] == 0
    assert kpi_of(*spaced(31, MINUTE_MS)).hours_over == 1
    assert kpi_of(*spaced(30, MINUTE_MS)).hours_over == 0
    assert bins_over([5], 0, 25, 10, 0) == (1, 3)  # a shorter last bin is one


def test_too_many_full_bins() -> None:
    busy = [at for n in range(8) for at in spaced(31, SECOND_MS, n * HOUR_MS)]
    assert judged(kpi_of(*busy), "hours_over_30") == (pytest.approx(800 / 720), "too many")


def test_most_in_ten_minutes_slides_over_the_borders_of_bins() -> None:
    kpi = kpi_of(*spaced(11, MINUTE_MS, 5 * MINUTE_MS))  # the first and the eleventh are 10 min apart
    assert judged(kpi, "most_in_10_min") == (11, "too many")
    assert kpi_of(*spaced(11, MINUTE_MS + 1)).most_in_window == 10
    assert most_within([0, 50, 100, 101], 101, 100) == 3


def test_a_flood_begins_with_the_eleventh_and_ends_below_five() -> None:
    # One a second from 0 to 10 s. The eleventh comes at 10 s; fewer than 5 are left when that of 6 s is 10 min old.
    kpi = kpi_of(*spaced(11, SECOND_MS))
    assert kpi.floods == (Flood(T0 + 10_000, T0 + 6_000 + WINDOW, 1),)
    assert kpi.flood_pct == pytest.approx(100 * 596_000 / MONTH)
    assert judged(kpi, "in_flood")[1] == "acceptable"
    assert kpi_of(*spaced(10, SECOND_MS)).floods == ()


def test_a_flood_goes_on_while_the_window_holds_five() -> None:
    first = [n * SECOND_MS for n in range(11)]
    at_the_edge, after_it = 6_000 + WINDOW, 6_001 + WINDOW
    assert floods([*first, at_the_edge], MONTH, WINDOW, 10, 5)[0].until == 7_000 + WINDOW
    assert floods([*first, after_it], MONTH, WINDOW, 10, 5) == [Flood(10_000, 6_000 + WINDOW, 1)]


def test_a_flood_over_the_periods_borders_counts_inside_it() -> None:
    events = spaced(11, SECOND_MS)
    inside = alarm_kpi(events, T0 + 60_000, T0 + 120_000, T0)
    assert (inside.floods, inside.flood_pct) == ((Flood(T0 + 60_000, T0 + 120_000, 1),), 100)
    assert (inside.activations, inside.most_in_window) == (0, 0)


def test_top_ten_share_and_names() -> None:
    events = [raised(n * HOUR_MS + place, f"r{place:02}") for place in range(12) for n in range(12 - place)]
    kpi = kpi_of(*sorted(events, key=lambda row: row.data["at"]))
    assert (kpi.activations, kpi.top[0], kpi.top[-1]) == (78, ("r00", 12), ("r09", 3))
    assert judged(kpi, "top_10") == (pytest.approx(100 * 75 / 78), "too many")
    assert judged(kpi_of(), "top_10") == (None, "")


def test_chattering_is_three_within_sixty_seconds_sharp() -> None:
    sharp = kpi_of(raised(0), raised(30_000), raised(60_000), raised(0, "b"), raised(30_000, "b"), raised(60_001, "b"))
    assert sharp.chattering == {"a": 3}
    assert kpi_of(raised(0), raised(1, "b"), raised(2, "c")).chattering == {}
    assert kpi_of(*spaced(3, SECOND_MS), terms=KpiTerms(chatter_least=4)).chattering == {}
    # Two of the burst before the period: the third, inside, still counts.
    assert alarm_kpi(spaced(3, SECOND_MS), T0 + 1500, T0 + MONTH, T0).chattering == {"a": 1}


@pytest.mark.parametrize(
    ("after_ms", "respond_s", "is_fleeting"),
    [(449_999, None, True), (450_000, None, False), (99_999, 400, True), (100_000, 400, False), (99_999, -1, True)],
)
def test_fleeting_is_gone_before_a_quarter_of_the_time_to_respond(
    after_ms: int, respond_s: float | None, is_fleeting: bool
) -> None:
    kpi = kpi_of(raised(0, respond_within_s=respond_s), returned(after_ms))
    assert dict(kpi.fleeting) == ({"a": 1} if is_fleeting else {})


def test_what_somebody_acted_on_is_not_fleeting_and_a_rules_own_time_goes_first() -> None:
    cleared = event("cleared", "ACK NORMAL", 2000)
    assert not kpi_of(raised(0), acknowledged(1000), cleared).fleeting
    assert not kpi_of(raised(0), shelved(1000)).fleeting
    assert kpi_of(raised(0), returned(1000), acknowledged(1001, states="RTN_UNACK NORMAL", what="cleared")).fleeting
    assert not kpi_of(raised(0, respond_within_s=1800), returned(60_000), respond_within_s={"a": 240.0}).fleeting


def test_stale_counts_the_days_on_which_it_stood_for_more_than_a_day() -> None:
    noon = 12 * HOUR_MS
    # Raised on 5 January at noon, gone unseen, seen on 8 January at 01:00: stale from the 6th at noon.
    events = (raised(noon), returned(noon + 1), acknowledged(3 * DAY_MS + HOUR_MS, "a", "RTN_UNACK NORMAL", "cleared"))
    assert kpi_of(*events).stale_days == tuple(StaleDay(date(2026, 1, day), ("a",)) for day in (6, 7, 8))
    # In Auckland (+13 h) it is the 7th at 01:00 already, and the 8th at 14:00 in the end.
    days = kpi_of(*events, zone=ZoneInfo("Pacific/Auckland")).stale_days
    assert [row.day.day for row in days] == [7, 8]
    assert not kpi_of(raised(0), acknowledged(DAY_MS, "a", "UNACK NORMAL", "cleared")).stale_days  # 24 h sharp
    until_midnight = kpi_of(raised(-1), acknowledged(DAY_MS, "a", "UNACK NORMAL", "cleared"), record=-DAY_MS)
    assert [row.day.day for row in until_midnight.stale_days] == [5]
    assert [row.day.day for row in kpi_of(raised(0), days=3).stale_days] == [6, 7]  # it still stands at the end


def test_shelving_or_a_realarm_ends_or_keeps_a_stand() -> None:
    assert not kpi_of(
        raised(0), shelved(20 * HOUR_MS), event("raised", "SHELVED UNACK", 21 * HOUR_MS), days=1.5
    ).stale_days
    kept = (raised(0), acknowledged(HOUR_MS), event("realarmed", "ACK UNACK", 20 * HOUR_MS))
    assert [row.day.day for row in kpi_of(*kept, days=1.5).stale_days] == [6]


def test_five_stale_alarms_on_a_day_are_too_many() -> None:
    assert judged(kpi_of(*(raised(0, f"r{n}") for n in range(4))), "stale") == (4, "acceptable")
    assert judged(kpi_of(*(raised(0, f"r{n}") for n in range(5))), "stale") == (5, "too many")


def test_priorities_are_shares_of_the_activations() -> None:
    mix = [*["low"] * 16, *["medium"] * 3, *["high"] * 1]
    kpi = kpi_of(*(raised(n * HOUR_MS, priority=priority) for n, priority in enumerate(mix)))
    assert [judged(kpi, f"priority_{name}") for name in Priority] == [(80, ""), (15, "acceptable"), (5, "acceptable")]
    kpi = kpi_of(*(raised(n * HOUR_MS, priority=p) for n, p in enumerate(["high", "medium", "medium", *["low"] * 7])))
    assert [judged(kpi, f"priority_{name}")[1] for name in ("medium", "high")] == ["manageable", "manageable"]
    assert judged(kpi_of(raised(0, priority="high")), "priority_high") == (100, "too many")


def test_time_to_acknowledge_mean_and_nearest_rank() -> None:
    events = []
    for n in range(1, 21):  # 1..20 s: the 95th percentile of 20 is the 19th
        events += [raised(n * HOUR_MS, f"r{n}"), acknowledged(n * HOUR_MS + n * SECOND_MS, f"r{n}")]
    kpi = kpi_of(*events)
    assert kpi.to_acknowledge == Durations(20, 10.5, 19.0)
    assert kpi_of(raised(0)).to_acknowledge == Durations(0, None, None)
    assert row_of(kpi_of(raised(0)), "acknowledge_mean").shown == "-"


def test_an_acknowledgement_is_for_every_activation_that_waited_and_none_that_was_shelved() -> None:
    again = event("raised", "RTN_UNACK UNACK", 20_000)
    assert kpi_of(raised(0), returned(10_000), again, acknowledged(30_000)).to_acknowledge == Durations(2, 20, 30)
    back = event("raised", "SHELVED UNACK", 20_000)
    assert kpi_of(raised(0), shelved(10_000), back, acknowledged(30_000)).to_acknowledge == Durations(1, 10, 10)
    assert kpi_of(raised(0), acknowledged(-5)).to_acknowledge.count == 0  # a clock set back


def test_unacknowledged_are_those_that_wait_at_the_end() -> None:
    events = (
        raised(0, "unack"), raised(1, "rtn"), returned(2, "rtn"), raised(3, "ack"), acknowledged(4, "ack"),
        raised(5, "shelved"), shelved(6, "shelved"), raised(7, "latched"),
        event("returned", "UNACK LATCH_UNACK", 8, "latched"), raised(31 * DAY_MS, "later"),
    )  # fmt: skip
    assert kpi_of(*events).unacknowledged == ("latched", "rtn", "unack")


def test_condition_to_annunciation_leaves_out_what_came_from_a_suppression() -> None:
    kpi = kpi_of(
        raised(120_000, since=iso(T0)), event("raised", "SHELVED UNACK", HOUR_MS, since=iso(T0)), raised(DAY_MS, "b")
    )
    assert kpi.to_annunciate == Durations(1, 120, 120)


def test_a_suppression_is_long_after_eight_hours_renewals_included() -> None:
    sharp = (shelved(0), event("released", "SHELVED NORMAL", 8 * HOUR_MS))
    assert not kpi_of(*sharp).long_suppressed
    over = (shelved(0), event("released", "SHELVED NORMAL", 8 * HOUR_MS + 1))
    assert judged(kpi_of(*over), "long_suppressed") == (1, "review")
    renewed = [shelved(n * HOUR_MS, states="SHELVED SHELVED") for n in range(9)]
    assert len(kpi_of(*renewed, days=0.34).long_suppressed) == 1
    out = event("taken_out", "SHELVED OUT_OF_SERVICE", 5 * HOUR_MS, actor_id="e", reason="repair")
    assert len(kpi_of(shelved(0), out, days=0.34).long_suppressed) == 1
    by_design = event("suppressed", "NORMAL SUPPRESSED_BY_DESIGN", 0)
    assert not kpi_of(by_design).long_suppressed
    assert not kpi_of(*over, start=9 * HOUR_MS).long_suppressed


def test_a_suppression_without_person_or_reason_is_unauthorised() -> None:
    assert not kpi_of(shelved(0)).unauthorised
    for lacking in ({"reason": " "}, {"actor_id": ""}, {"reason": None}, {"actor_id": 7}):
        assert judged(kpi_of(shelved(0, **lacking)), "unauthorised") == (1, "too many")
    out = event("taken_out", "NORMAL OUT_OF_SERVICE", 0)
    assert judged(kpi_of(out), "unauthorised") == (1, "too many")
    assert not kpi_of(shelved(0, reason=""), start=1).unauthorised


def test_worst_actors_come_with_what_to_do() -> None:
    actors = worst_actors(kpi_of(*spaced(3, SECOND_MS), raised(HOUR_MS, "b"), shelved(2 * HOUR_MS, "b", reason="")))
    assert [(actor.rule_id, actor.activations) for actor in actors] == [("a", 3), ("b", 1)]
    assert actors[0].faults == ("chattering", "stale")
    assert "deadband" in actors[0].advice and "sensor" in actors[0].advice
    assert actors[1].faults == ("suppressed for more than a shift", "suppressed without person or reason")


def test_other_events_are_passed_over_and_the_future_too() -> None:
    other = (Recorded("alarm_command", {}), Recorded("alarm_command_refused", {"at": 1}), Recorded("counted", {}))
    condition = event("condition", "SHELVED SHELVED", 0)
    assert kpi_of(*other, condition, raised(MONTH)).activations == 0
    assert kpi_of(raised(MONTH - 1)).activations == 1


@pytest.mark.parametrize(
    "damage",
    [{"rule_id": ""}, {"rule_id": 3}, {"at": None}, {"at": "noon"}, {"from_state": "x"}, {"to_state": None},
     {"priority": "urgent"}, {"priority": []}, {"since": 5}],
)  # fmt: skip
def test_an_alarm_event_that_lacks_what_it_must_hold_is_refused(damage: dict[str, Any]) -> None:
    with pytest.raises(StorageError, match=f"{next(iter(damage))}.* should be"):
        kpi_of(Recorded("alarm_raised", raised(0).data | damage))


@pytest.mark.parametrize(
    ("start", "end", "record", "operators"), [(0, 0, 0, 1), (1, 0, 0, 1), (0, 1, 1, 1), (0, 1, 0, 0)]
)
def test_a_period_that_is_none_is_refused(start: int, end: int, record: int, operators: int) -> None:
    with pytest.raises(ConfigError):
        alarm_kpi((), T0 + start, T0 + end, T0 + record, operators=operators)


TIMES = st.lists(st.integers(0, 120), max_size=40).map(lambda times: sorted(2 * at for at in times))
"""Even, so that a walk through every instant also meets those between two of them."""


def held(times: Sequence[int], now: int, width: int) -> int:
    return sum(now - width <= at <= now for at in times)


@settings(max_examples=80, deadline=None)
@given(TIMES, st.integers(1, 20).map(lambda half: 2 * half), st.integers(1, 6), st.data())
def test_windows_and_floods_are_those_of_a_walk_through_every_instant(
    times: list[int], width: int, most: int, data: st.DataObject
) -> None:
    below = data.draw(st.integers(1, most))
    start = data.draw(st.integers(0, 240))
    assert most_within(times, start, width) == max((held(times, at, width) for at in times if at >= start), default=0)
    full = sum(sum(low <= at < low + width for at in times) > most for low in range(0, 241, width))
    assert bins_over(times, 0, 241, width, most) == (full, len(range(0, 241, width)))
    flooded: list[int] = []
    is_flood = False
    for now in range(0, 290):
        count = held(times, now, width)
        is_flood = count > most if not is_flood else count >= below
        flooded += [now] * is_flood
    found = floods(times, 10_000, width, most, below)
    # A window leaves one behind right after its width: the last moment of a flood belongs to it here.
    assert [now for flood in found for now in range(flood.since, flood.until + 1)] == flooded


@settings(max_examples=80, deadline=None)
@given(TIMES, st.integers(0, 60), st.integers(2, 5))
def test_bursts_are_what_belongs_to_a_crowded_window(times: list[int], width: int, least: int) -> None:
    crowded = [low for low in range(-60, 241) if sum(low <= at <= low + width for at in times) >= least]
    assert in_bursts(times, width, least) == [at for at in times if any(low <= at <= low + width for low in crowded)]


def test_a_hundred_thousand_events_take_no_time_to_speak_of() -> None:
    events = [*spaced(50_000, 40_000), *(returned(50_000 * 40_000, "a") for _ in range(50_000))]
    began = time.process_time()
    assert kpi_of(*events).activations == 50_000
    assert time.process_time() - began < 4.0  # measured: 0.6 s; the target is 2 s
