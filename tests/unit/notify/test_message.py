"""What people read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.notify.stock import BATCH, CRITICAL, START, ZONE, rule

from cultureops.alarms.rule import Priority, Rule
from cultureops.clock import MINUTE_MS
from cultureops.notify.incident import Call, Incident, Key, News
from cultureops.notify.message import LONGEST_SUBJECT, Writer

HIGH = rule()


def writer(**changes: Any) -> Writer:
    made = Writer(
        "Test lab", ZONE, lambda _chamber, _start, _end: (BATCH,), lambda _: False, lambda _rule, _at: None,
        lambda _call, _now: "https://lab.example/alarms/link/TOKEN", lambda _: 3,
    )  # fmt: skip
    return replace(made, **changes)


def call(one: Rule = HIGH, news: News = News.STANDS, level: int = 0, policy: str = "high", **changes: Any) -> Call:
    incident = Incident(one, START, START, START - 5 * MINUTE_MS, 39.1, 0)
    made = incident.call(news, Key(policy, level, "op-1"), START, one.priority, gmp_critical=one.gmp_critical)
    return replace(made, **changes)


def test_one_alarm_in_full() -> None:
    message = writer().write([call(CRITICAL, level=1)], START + MINUTE_MS)
    assert message.is_critical and message.subject == (
        "GMP-CRITICAL cryostore_1: cryostore_1/temp_a 39.1 °C at or above the high limit -140 °C; "
        f"batch inside: {BATCH}"
    )
    assert (
        message.body
        == f"""\
cryostore_1: cryostore_1/temp_a 39.1 °C at or above the high limit -140 °C; batch inside: {BATCH}
Since: 2026-01-05 08:55 CET, 6 min ago; alarm raised 2026-01-05 09:00 CET
Where: cryostore_1, cryostore_1/temp_a (Test lab)
Endangered: batch inside: {BATCH}
Consequence: Cells are harmed by heat.
What to do: Move the vessels to another incubator.
Time to respond: 30 min
Priority: high, GMP-critical; level 2 of 3, nobody has acknowledged so far
Acknowledge once by https://lab.example/alarms/link/TOKEN
or on the page of alarms or by `cultureops alarms acknowledge cryostore_1/temp_a/high`, with your reason."""
    )


def test_simulated_sources_are_said_first() -> None:
    simulated = writer(is_simulated=lambda one: one.chamber == "incubator_1")
    message = simulated.write([call()], START)
    assert message.subject.startswith("SIMULATED high ") and message.body.startswith("SIMULATED: no real chamber")
    both = simulated.write([call(), call(CRITICAL)], START)
    assert both.body.startswith("SIMULATED in part.")


def test_news_that_follow() -> None:
    assert (
        writer().write([call(news=News.REMINDER)], START).subject.startswith("high STILL UNACKNOWLEDGED: incubator_1")
    )
    assert writer().write([call(news=News.AGAIN, policy="")], START).subject.startswith("high AGAIN: incubator_1")
    returned = writer().write([call(news=News.RETURNED, policy="")], START)
    assert returned.subject.startswith("returned: incubator_1") and "nobody has acknowledged it" in returned.body
    ended = writer().write([call(news=News.ENDED, policy="", ending="acknowledged by qa-1: door was open")], START)
    assert ended.subject == "incubator_1/temperature/high acknowledged by qa-1: door was open"
    assert "link" not in ended.body


def test_a_critical_one_that_returned_says_so() -> None:
    assert "returned to normal meanwhile" in writer().write([call(CRITICAL, is_returned=True)], START).body


def test_first_out_and_a_roster_with_a_hole() -> None:
    body = writer(first_of=lambda _rule, _at: "incubator_1/supply/low").write([call(is_gap=True)], START).body
    assert "First of its group was incubator_1/supply/low: look there first." in body
    assert "NOBODY IS ON CALL NOW" in body


def test_an_alarm_of_a_process_names_its_batch() -> None:
    wash = rule(
        "process/wash/high", chamber="", device="B-2026-007", channel=None, batch="B-2026-007", cause="Washing."
    )
    message = writer().write([call(wash)], START)
    assert "Endangered: batch B-2026-007\n" in message.body and "Where: B-2026-007 (Test lab)" in message.body
    several = writer().write([call(wash), call(wash)], START)
    assert several.subject.startswith("high B-2026-007: 2 alarms")


def test_without_links() -> None:
    body = writer(link=lambda _call, _now: "").write([call()], START).body
    assert (
        "Acknowledge on the page of alarms or by `cultureops alarms acknowledge incubator_1/temperature/high`" in body
    )


def test_several_are_listed_with_what_to_do_and_a_link_each() -> None:
    low = rule("incubator_1/co2/low", priority=Priority.MEDIUM)
    message = writer().write([call(low), call()], START)
    assert message.subject == "high incubator_1: 2 alarms; incubator_1/temperature/high first"
    assert "look there first" not in message.body
    first = writer(first_of=lambda _rule, _at: low.id).write([call(low), call()], START)
    assert "First of them was incubator_1/co2/low: look there first." in first.body
    assert message.body.count("What to do: Move") == 2 == message.body.count("/alarms/link/TOKEN")


@settings(max_examples=100)
@given(st.text(max_size=300), st.sampled_from(list(News)), st.integers(1, 60))
def test_whatever_stands_in_a_rule_a_subject_is_one_short_line(text: str, news: News, count: int) -> None:
    odd = rule(chamber=text, consequence=text, response=text, cause=text)
    message = writer().write([call(odd, news=news, ending=text)] * count, START)
    assert len(message.subject) <= LONGEST_SUBJECT and message.subject.isprintable()
    assert all(char.isprintable() or char == "\n" for char in message.body)
