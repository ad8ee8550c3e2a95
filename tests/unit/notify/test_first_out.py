"""Which alarm of a group came first."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.notify.stock import START, rule

from cultureops.notify.first_out import FirstOut

SUPPLY, CO2, TEMPERATURE = (rule(f"incubator_1/{name}/low") for name in ("supply", "co2", "temperature"))


def test_what_follows_within_the_window_belongs_to_the_first() -> None:
    order = FirstOut(60)
    order.note(SUPPLY, START, START)
    order.note(CO2, START + 59_000, START)
    order.note(TEMPERATURE, START + 61_000, START)
    assert order.first_of(CO2, START + 59_000) is None  # a later group has begun meanwhile
    order = FirstOut(60)
    order.note(SUPPLY, START, START)
    order.note(CO2, START + 60_000, START)
    assert order.first_of(CO2, START + 60_000) == SUPPLY.id == order.first_of(SUPPLY, START)
    assert order.first_of(CO2, START) is None


def test_ties_go_by_source_time_then_by_sequence() -> None:
    order = FirstOut()
    order.note(CO2, START, START - 10)
    order.note(SUPPLY, START, START - 20)
    order.note(TEMPERATURE, START, START - 20)
    assert order.first_of(CO2, START) == SUPPLY.id


def test_one_that_is_told_late_takes_the_place_of_the_first() -> None:
    order = FirstOut()
    order.note(CO2, START + 5_000, START)
    order.note(SUPPLY, START, START)
    assert order.first_of(CO2, START + 5_000) == SUPPLY.id


def test_declared_groups_go_over_chambers() -> None:
    order = FirstOut()
    here, there = rule("incubator_1/mains/low", group="mains"), rule("incubator_2/mains/low", group="mains")
    order.note(here, START, START)
    order.note(there, START + 1, START)
    order.note(CO2, START + 2, START)
    assert order.first_of(there, START + 1) == here.id and order.first_of(CO2, START + 2) == CO2.id


@settings(max_examples=60)
@given(st.permutations([(START + 1000 * n, START - 7 * n % 5, n) for n in range(8)]))
def test_the_order_of_arrival_does_not_matter(rows: list[tuple[int, int, int]]) -> None:
    order = FirstOut()
    rules = {number: rule(f"incubator_1/c{number}/high") for _, _, number in rows}
    for at, since, number in rows:
        order.note(rules[number], at, since)
    assert {order.first_of(rules[number], at) for at, _, number in rows} == {rules[0].id}
