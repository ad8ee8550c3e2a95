"""A month of 40 chambers with a hundred true deviations: all caught in time, and hardly anybody called for nothing.

The physics are the simulators' own; the rules are those that the documentation recommends.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from tests.alarm_life.kind import MONTH
from tests.alarm_life.month import Course, live
from tests.alarm_life.plan import plan_for
from tests.alarm_life.rules import rules_for
from tests.alarm_life.site import Place, site
from tests.alarm_life.verdict import Verdict, judge

from cultureops.alarms import Kind, Rule

MOST_PER_CHAMBER_WEEK = 1.0
MOST_CPU_S = 360.0
FEW = {
    "heater failed": 1, "CO2 supply empty": 1, "door left open": 1, "T setpoint by mistake": 1, "lid left open": 1,
    "LN2 leak": 1, "compressor failed": 1, "channel silent": 1,
}  # fmt: skip
Record = Callable[[str, object], None]


def small_site() -> tuple[Place, ...]:
    return site(incubators=3, cryostores=1, refrigerators=1, freezers=1)


def lived(
    places: Sequence[Place], rules: Sequence[Rule], days: int, counts: dict[str, int], seed: int
) -> tuple[Verdict, Course]:
    plan = plan_for(places, days, counts, seed)
    course = live(places, rules, plan, days, seed)
    return judge(course, plan, len(places), days), course


@pytest.mark.parametrize("seed", [1, 2])
def test_three_days_of_six_chambers(seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    places = small_site()
    verdict, _ = lived(places, rules_for(places), 3, FEW, seed)
    with capsys.disabled():
        print(f"\n{verdict.table()}")
    assert len(verdict.outcomes) == 8
    assert verdict.missed == []
    assert verdict.nuisances_per_chamber_week < MOST_PER_CHAMBER_WEEK


def test_a_rule_that_is_missing_is_found_out() -> None:
    places = small_site()
    blind = [rule for rule in rules_for(places) if rule.channel is None or not rule.channel.endswith("/co2")]
    verdict, _ = lived(places, blind, 3, FEW, 1)
    missed = [outcome.deviation for outcome in verdict.missed]
    assert "CO2 supply empty" in [deviation.kind.name for deviation in missed]
    assert len(missed) <= 2, "a silent channel may have been the same"


def test_rules_without_delay_and_without_explanation_are_found_out() -> None:
    places = small_site()
    nervous = [
        rule if rule.kind is Kind.NO_DATA else replace(rule, on_delay_s=0.0, suppressors=())
        for rule in rules_for(places)
    ]
    verdict, _ = lived(places, nervous, 3, FEW, 1)
    assert verdict.nuisances_per_chamber_week > 20


@pytest.mark.soak
@pytest.mark.timeout(3000)
def test_a_month_of_forty_chambers(record_property: Record, capsys: pytest.CaptureFixture[str]) -> None:
    places, days = site(), 28
    began = time.process_time()
    verdict, course = lived(places, rules_for(places), days, MONTH, 1)
    took_s = time.process_time() - began
    with capsys.disabled():
        print(
            f"\n{verdict.table()}\n{course.readings} readings, {took_s:.0f} s, {course.engine_s:.0f} of them the engine"
        )
    record_property("readings", course.readings)
    record_property("planted", len(verdict.outcomes))
    record_property("caught_in_time", len(verdict.outcomes) - len(verdict.missed))
    record_property("nuisances_per_chamber_week", round(verdict.nuisances_per_chamber_week, 3))
    record_property("cpu_s", round(took_s))
    assert (len(places), len(verdict.outcomes)) == (40, 100)
    assert verdict.missed == []
    assert verdict.nuisances_per_chamber_week < MOST_PER_CHAMBER_WEEK
    assert took_s < MOST_CPU_S
