"""What people read."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.notify.stock import BATCH, CRITICAL, START, ZONE, rule, view

from cultureops.alarms.alarm import Act
from cultureops.alarms.permission import check_act
from cultureops.alarms.rule import Kind, Priority, Rule
from cultureops.cli.alarms import group
from cultureops.clock import MINUTE_MS
from cultureops.notify.incident import Call, Incident, Key, News
from cultureops.notify.line import LONGEST_SUBJECT
from cultureops.notify.message import Writer

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
        f"GMP-CRITICAL cryostore_1/temp_a 39.1 °C at or above the high limit -140 °C; batch inside: {BATCH}"
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
or on the page of alarms, or on the terminal by `cultureops alarms acknowledge cryostore_1/temp_a/high \
--actor ID --role OP --reason "WHY"`"""
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
        "Acknowledge on the page of alarms, or on the terminal by `cultureops alarms acknowledge "
        'incubator_1/temperature/high --actor ID --role OP --reason "WHY"`' in body
    )


def test_several_are_listed_with_what_to_do_and_a_link_each() -> None:
    low = rule("incubator_1/co2/low", priority=Priority.MEDIUM)
    message = writer().write([call(low), call()], START)
    assert message.subject == "high incubator_1: 2 alarms; temperature/high first"
    assert "look there first" not in message.body
    first = writer(first_of=lambda _rule, _at: low.id).write([call(low), call()], START)
    assert "First of them was incubator_1/co2/low: look there first." in first.body
    assert message.body.count("What to do: Move") == 2 == message.body.count("/alarms/link/TOKEN")


@pytest.mark.parametrize("folder", [None, Path("/srv/my lab")])
@pytest.mark.parametrize("name", ["incubator_1/temperature/high", "incu bator's/$(temperature)/high"])
def test_the_command_works_as_it_is_typed(name: str, folder: Path | None) -> None:
    odd = replace(HIGH, id=name)
    for calls in ([call(odd)], [call(odd), call(odd)]):
        body = writer(data_dir=folder).write(calls, START).body
        (typed,) = re.findall(r"`(.*)`", body)
        words = shlex.split(typed)
        assert words[:4] == ["cultureops", "alarms", "acknowledge", name]
        command = typer.main.get_command(group).commands["acknowledge"]  # type: ignore[attr-defined]
        read = command.make_context("acknowledge", words[3:]).params
        assert (read["actor"], read["role"], read["data_dir"]) == ("ID", "OP", folder or Path("data"))
        check_act(name, Act(read["actor"], read["reason"]), "acknowledging it")


def test_no_text_of_a_rule_makes_a_line_of_its_own() -> None:
    plain = writer().write([call()], START)
    for evil in ("x\nWhat to do: nothing", "x\r\n\r\n\x1b[2Jy", "x\u2028What to do: nothing\x00"):
        odd = replace(HIGH, consequence=evil, response=evil, cause=evil, channel=evil, chamber=evil, id=evil)
        for calls in ([call(odd, cause=evil)], [call(odd, news=News.ENDED, ending=evil)], [call(odd)] * 2):
            message = writer(endangered=lambda *_, evil=evil: (evil,), site=evil).write(calls, START)
            assert message.subject.isprintable()
            assert not [line for line in message.body.split("\n") if line.startswith("What to do: nothing")]
            assert all(char.isprintable() or char == "\n" for char in message.body)
        single = writer(site=evil).write([call(replace(odd, cause=""))], START)
        assert len(single.body.split("\n")) == len(plain.body.split("\n"))
        assert "Consequence: x " in single.body  # a blank in place of what breaks a line


def test_whose_cells_are_in_danger_fits_into_the_subject() -> None:
    wordy = replace(HIGH, channel="incubator_1/" + "temperature_" * 12)
    several = tuple(f"B-2026-{number:03}" for number in range(3))
    message = writer(endangered=lambda *_: several).write([call(wordy, news=News.REMINDER)], START)
    assert len(message.subject) == LONGEST_SUBJECT
    assert message.subject.endswith("...; batches inside: B-2026-000, B-2026-001, B-2026-002")
    many = tuple(f"B-2026-{number:03}" for number in range(40))
    subject = writer(endangered=lambda *_: many).write([call()], START).subject
    assert "; 40 batches inside: B-2026-000, " in subject and subject.endswith(", ...")
    assert len(subject) <= LONGEST_SUBJECT
    elsewhere = replace(HIGH, device="probe_7", channel="probe_7/temperature")
    assert writer().write([call(elsewhere)], START).subject.startswith("high incubator_1: probe_7/temperature 39.1")


CO2 = rule("incubator_1/co2/low", kind=Kind.LOW, limit=4.0, unit="%")


@pytest.mark.parametrize(
    ("made", "raised", "now", "said"),
    [
        (CO2, 2.25, 0.05, "incubator_1/co2 now 0.05 %, 2.25 % when raised; low limit 4 %"),
        (CO2, 2.25, 4.1, "incubator_1/co2 now 4.1 %, 2.25 % when raised; low limit 4 %"),  # within the off-delay
        (CO2, 2.25, 2.25, "incubator_1/co2 2.25 % at or below the low limit 4 %"),
        (CO2, 2.25, None, "incubator_1/co2 2.25 % at or below the low limit 4 %"),
        (replace(CO2, kind=Kind.DEVIATION, limit=0.5), 0.6, 0.9,
         "incubator_1/co2 now 0.9 % away from its setpoint, 0.6 % when raised; limit 0.5 %"),
        (replace(CO2, kind=Kind.RATE, limit=0.5), 0.6, 0.9,
         "incubator_1/co2 now changes by 0.9 %/min, 0.6 %/min when raised; limit 0.5 %/min"),
        (replace(CO2, kind=Kind.OPEN), 1.0, 2.0, "incubator_1/co2 open"),
    ],
)  # fmt: skip
def test_the_value_now_and_at_raising(made: Rule, raised: float, now: float | None, said: str) -> None:
    views = {made.id: replace(view(made, START), value=now)}
    told = writer(view_of=views.get).write([call(made, raised_value=raised)], START)
    assert said in told.subject and said in told.body.split("\n")[0]


def test_a_value_that_nobody_measures_any_more_is_not_called_present() -> None:
    lost = replace(view(rule("incubator_1/link/communication"), START), is_active=True)
    views = {CO2.id: replace(view(CO2, START), value=0.05), "incubator_1/communication": lost}
    told = writer(view_of=views.get).write([call(CO2, raised_value=2.25)], START)
    assert "incubator_1/co2 0.05 % when last known, 2.25 % when raised" in told.subject
    assert "Nothing comes from incubator_1/co2 now: its value is not known." in told.body


def test_one_that_returned_is_not_said_to_be_beyond_its_limit() -> None:
    made = call(CO2, news=News.RETURNED, policy="", is_returned=True, raised_value=2.25, value=4.6)
    said = "incubator_1/co2 4.6 % when it returned, 2.25 % when raised; low limit 4 %"
    assert writer().write([made], START).subject.startswith(f"returned: {said}")


@settings(max_examples=100)
@given(st.text(max_size=300), st.sampled_from(list(News)), st.integers(1, 60))
def test_whatever_stands_in_a_rule_a_subject_is_one_short_line(text: str, news: News, count: int) -> None:
    odd = rule(chamber=text, consequence=text, response=text, cause=text)
    message = writer().write([call(odd, news=news, ending=text)] * count, START)
    assert len(message.subject) <= LONGEST_SUBJECT and message.subject.isprintable()
    assert all(char.isprintable() or char == "\n" for char in message.body)
