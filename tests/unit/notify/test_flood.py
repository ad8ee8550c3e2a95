"""Floods: when they are on, what is held together, and that nothing is lost."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.notify.stock import CRITICAL, START, Desk, raised, rule

from cultureops.alarms.rule import Kind, Priority
from cultureops.clock import MINUTE_MS, SECOND_MS
from cultureops.notify.flood import Flood, subject_of
from cultureops.notify.incident import Call, Incident, Key, News


def test_it_begins_with_the_eleventh_and_ends_below_five_in_ten_minutes() -> None:
    flood = Flood()
    for second in range(11):
        assert not flood.is_on
        flood.note(START + second * SECOND_MS)
    assert flood.is_on
    flood.tick(START + 10 * MINUTE_MS + 6 * SECOND_MS - 1)
    assert flood.is_on  # the last five
    flood.tick(START + 10 * MINUTE_MS + 6 * SECOND_MS)
    assert not flood.is_on


@settings(max_examples=100)
@given(st.lists(st.integers(0, 120), max_size=80))
def test_against_counting_anew_each_time(gaps_s: list[int]) -> None:
    flood, times, now, is_on = Flood(), [], START, False
    for gap_s in gaps_s:
        for _ in range(gap_s):  # every second counts: an end between two alarms is an end
            now += SECOND_MS
            flood.tick(now)
            count = sum(at > now - 10 * MINUTE_MS for at in times)
            is_on = count >= 5 if is_on else count > 10
            assert flood.is_on is is_on
        times.append(now)
        flood.note(now)
        count = sum(at > now - 10 * MINUTE_MS for at in times)
        is_on = count >= 5 if is_on else count > 10
        assert flood.is_on is is_on


def call(made: object, *, news: News = News.STANDS) -> Call:
    one = rule() if made is None else made
    return Incident(one, START, START, START, 39.0, 0).call(  # type: ignore[arg-type]
        news, Key("high", 0, "op-1"), START, Priority.HIGH, gmp_critical=False
    )


def test_what_is_told_together() -> None:
    assert subject_of(call(rule("incubator_1/temperature/high"))) == "incubator_1"
    assert subject_of(call(rule("incubator_1/mains/low", group="mains"))) == "mains"
    lost = rule("incubator_1/link/communication", kind=Kind.COMMUNICATION, limit=None, channel=None)
    assert subject_of(call(lost)) == "communication"


async def test_in_a_flood_alarms_of_a_chamber_are_one_message_a_minute(tmp_path: Path) -> None:
    async with Desk(tmp_path) as desk:
        for number in range(10):
            await desk.note(raised(rule(f"incubator_{number}/temperature/high"), START))
        assert len(desk.post.taken) == 10 and not desk.notifier.status().in_flood
        for number in range(30):
            await desk.note(raised(rule(f"incubator_0/c{number}/high"), START))
        assert desk.notifier.status().in_flood and desk.notifier.status().held == 30
        await desk.note(raised(CRITICAL, START))
        assert desk.post.subjects()[-1].startswith("GMP-CRITICAL cryostore_1")  # at once and alone
        await desk.note(*[raised(rule(f"incubator_0/x{n}/high", gmp_critical=True), START) for n in range(2)])
        assert all(subject.startswith("GMP-CRITICAL incubator_0/x") for subject in desk.post.subjects()[-2:])
        await desk.step(60)
        assert len(desk.post.taken) == 14
        last = desk.post.taken[-1][1]
        assert last.subject.startswith("high incubator_0: 30 alarms; c0/high first")
        assert all(f"incubator_0/c{number} " in last.body for number in range(30))
        await desk.note(raised(rule("incubator_0/door/high"), START + 60_000))
        assert len(desk.post.taken) == 14 and desk.notifier.status().held == 1
        await desk.step(60)
        assert len(desk.post.taken) == 15 and desk.notifier.status().held == 0


async def test_a_clock_set_back_in_a_flood_holds_nothing_for_an_hour(tmp_path: Path) -> None:
    async with Desk(tmp_path) as desk:
        for number in range(12):
            await desk.note(raised(rule(f"incubator_0/c{number}/high"), START))
        await desk.step(60)
        before = len(desk.post.taken)
        desk.clock._now -= 60 * MINUTE_MS
        late = rule("incubator_0/late/high")
        await desk.note(raised(late, desk.clock.now()))
        await desk.step(60)
        assert len(desk.post.taken) > before and desk.notifier.status().held == 0
        await desk.step(9 * 60, every_s=10)
        assert not desk.notifier.status().in_flood  # ten minutes after, not seventy


async def test_a_digest_that_is_longer_than_a_page_counts_the_rest(tmp_path: Path) -> None:
    async with Desk(tmp_path) as desk:
        await desk.note(*[raised(rule(f"incubator_0/c{number}/high"), START) for number in range(60)])
        (sent,) = await desk.events()
        assert len(sent.data["rule_ids"]) == 60  # type: ignore[arg-type]
        assert "and 20 more: 20 of incubator_0 high" in desk.post.taken[0][1].body


@pytest.mark.parametrize("seed", [7])
async def test_ten_thousand_alarms_in_a_second_and_none_is_lost(
    tmp_path: Path, seed: int, record_property: Callable[[str, object], None]
) -> None:
    """Of 10,000 alarms of 40 chambers 500 are GMP-critical, spread among them at random."""
    dice = random.Random(seed)
    rules = [
        rule(f"incubator_{number % 40}/c{number}/high", gmp_critical=number % 20 == 0,
             priority=Priority.HIGH if number % 3 else Priority.MEDIUM)
        for number in range(10_000)
    ]  # fmt: skip
    dice.shuffle(rules)
    async with Desk(tmp_path) as desk:
        transitions = [raised(one, START + index // 10) for index, one in enumerate(rules)]
        desk.clock.advance(1000)
        gc.freeze()  # what other tests have left behind is not walked over meanwhile
        began, began_cpu = time.perf_counter(), time.thread_time()
        desk.notifier.note(transitions)
        queued_s = time.thread_time() - began_cpu
        gc.unfreeze()
        while not desk.is_idle():
            await desk.settle()
        sent_s = time.perf_counter() - began
        at_once = list(desk.post.taken)
        await desk.step(260, every_s=65)
        while not desk.is_idle():
            await desk.settle()
        events = await desk.events()
    critical = {one.id for one in rules if one.gmp_critical}
    first = [message.subject for _, message in at_once[: len(critical)]]
    assert len(critical) == 500 and all(subject.startswith("GMP-CRITICAL") for subject in first)
    assert not any(subject.startswith("GMP-CRITICAL") for subject in [m.subject for _, m in at_once[500:]])
    told = {rule_id for event in events for rule_id in event.data["rule_ids"]}  # type: ignore[union-attr]
    assert told == {one.id for one in rules}
    record_property("cpu_seconds_to_take", round(queued_s, 3))
    record_property("seconds_to_send", round(sent_s, 3))
    record_property("messages", len(at_once))
    assert queued_s < 1.0  # the loop is free again; what is left is looked at in turns
