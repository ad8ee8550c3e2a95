"""The notifier in stepped time: who hears what when, by which route, and what is recorded."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs
from tests.unit.notify.stock import CRITICAL, MEDIUM, SITE, START, Desk, acknowledged, raised, returned, rule, view

from cultureops.alarms.alarm import AlarmView
from cultureops.alarms.rule import Rule, WhenEmpty
from cultureops.alarms.state import State
from cultureops.clock import HOUR_MS, iso
from cultureops.errors import StorageError
from cultureops.ledger import Actor, NewEvent, Source, SqlLedger

HIGH = rule()


async def test_one_alarm_from_raising_to_acknowledgement(tmp_path: Path) -> None:
    async with Desk(tmp_path) as desk:
        desk.inside["incubator_1"] = ("B-2026-001",)
        await desk.note(raised(HIGH, START))
        assert [name for name, _ in desk.post.taken] == ["mail-1"]
        assert desk.post.subjects() == [
            "high incubator_1/temperature 39.1 °C at or above the high limit 38 °C; batch inside: B-2026-001"
        ]
        await desk.step(60)
        await desk.note(acknowledged(HIGH, START + 60_000, START, by="head"))
        assert desk.post.subjects()[1:] == ["incubator_1/temperature/high acknowledged by head: seen"]
        await desk.step(3600, every_s=60)
        assert len(desk.post.taken) == 2
        sent = await desk.events()
        assert [event.type for event in sent] == ["notification_sent"] * 2
        assert sent[0].data["person"] == "op-1" and sent[0].data["level"] == 1 and sent[1].data["level"] is None


async def test_it_escalates_until_somebody_acknowledges(tmp_path: Path) -> None:
    async with Desk(tmp_path) as desk:
        await desk.note(raised(CRITICAL, START))
        await desk.step(1500, every_s=10)
        told = [(round(event.occurred_at - START) // 1000, event.data["person"], event.data["level"])
                for event in await desk.events()]  # fmt: skip
        assert told == [
            (0, "op-1", 1), (300, "op-1", 1), (600, "op-1", 1), (600, "head", 2), (900, "op-1", 1), (1200, "op-1", 1),
            (1200, "head", 2), (1500, "op-1", 1),
        ]  # fmt: skip


async def test_a_failed_route_is_tried_again_then_the_next_is_used(tmp_path: Path) -> None:
    async with Desk(tmp_path) as desk:
        desk.post.broken = {"mail-1"}
        await desk.note(raised(HIGH, START))
        assert desk.post.tried == ["mail-1"]
        await desk.step(10)
        assert desk.post.tried == ["mail-1", "mail-1", "hook"]
        events = await desk.events()
    assert [(event.type, event.data["route"], event.data["attempt"]) for event in events] == [
        ("notification_failed", "mail-1", 1),
        ("notification_failed", "mail-1", 2),
        ("notification_sent", "hook", 3),
    ]
    assert events[0].data["reason"] == "connection refused"
    assert events[2].data["queued_at"] == "2026-01-05T08:00:00.000Z"
    assert events[2].data["at"] == "2026-01-05T08:00:10.000Z"


async def test_a_critical_one_goes_by_every_route_before_any_is_tried_again(tmp_path: Path) -> None:
    async with Desk(tmp_path) as desk:
        desk.post.broken = {"mail-1"}
        await desk.note(raised(CRITICAL, START))
        assert desk.post.tried == ["mail-1", "hook"]  # without waiting


async def test_when_nobody_is_reached_the_next_level_is_called_at_once(tmp_path: Path) -> None:
    async with Desk(tmp_path) as desk:
        desk.post.broken = {"mail-1", "hook"}
        await desk.note(raised(HIGH, START))
        await desk.step(20)
        assert desk.notifier.status().undelivered_s == 20 and desk.notifier.status().given_up >= 1
        events = await desk.events()
        given_up = [event for event in events if event.type == "notification_given_up"]
        assert given_up[0].data["person"] == "op-1" and "4 attempts failed" in str(given_up[0].data["reason"])
        assert [event.data["person"] for event in events][-1] == "head"
        desk.post.broken.clear()
        await desk.step(60)
        assert desk.post.taken and desk.notifier.status().undelivered_s == 0


async def test_what_reaches_nobody_is_a_problem_after_its_limit(tmp_path: Path) -> None:
    async with Desk(tmp_path, SITE + "[notify]\nundelivered_limit_s = 120\n") as desk:
        desk.post.broken = {"mail-1", "mail-2", "hook"}
        await desk.note(raised(CRITICAL, START))
        await desk.step(120)
        assert desk.notifier.status().problem is None
        await desk.step(600, every_s=10)
        assert desk.notifier.status().problem == "nobody could be told of cryostore_1/temp_a/high for 12 min"
        desk.post.broken = {"mail-1", "mail-2"}
        await desk.step(900, every_s=10)
        assert desk.notifier.status().problem is None
        desk.post.broken = {"mail-1", "mail-2", "hook"}  # told once, and by now not reminded any more
        await desk.step(900, every_s=10)
        assert "nobody could be told of cryostore_1" in str(desk.notifier.status().problem)
        await desk.note(acknowledged(CRITICAL, desk.clock.now(), START))
        assert desk.notifier.status().problem is None


async def test_one_dead_telephone_beside_a_live_one_is_no_problem(tmp_path: Path) -> None:
    async with Desk(tmp_path, SITE.replace('who = ["on_call"]\nrepeat_every_s = 600', 'who = ["everybody"]')) as desk:
        desk.post.broken = {"mail-2"}
        await desk.note(raised(HIGH, START))
        await desk.step(3600, every_s=10)
        status = desk.notifier.status()
        assert status.given_up >= 3 and status.undelivered_s == 0 and status.problem is None


async def test_what_returned_before_anybody_was_reached_is_no_problem_for_ever(tmp_path: Path) -> None:
    async with Desk(tmp_path) as desk:
        desk.post.broken = {"mail-1", "mail-2", "hook"}
        await desk.note(raised(HIGH, START))
        await desk.step(60)
        await desk.note(returned(HIGH, START + 60_000, START))
        await desk.step(900, every_s=10)
        assert desk.notifier.status().problem is None


async def test_messages_say_the_value_that_is_there_now(tmp_path: Path) -> None:
    now = [39.1]

    def view_of(rule_id: str) -> AlarmView | None:
        return replace(view(HIGH, START), value=now[0]) if rule_id == HIGH.id else None

    async with Desk(tmp_path, view_of=view_of) as desk:
        await desk.note(raised(HIGH, START))
        now[0] = 44.25
        await desk.step(600, every_s=10)
        assert desk.post.subjects() == [
            "high incubator_1/temperature 39.1 °C at or above the high limit 38 °C; no batch inside",
            "high STILL UNACKNOWLEDGED: incubator_1/temperature now 44.25 °C, 39.1 °C when raised; high limit 38 °C; "
            "no batch inside",
        ]


async def test_a_clock_set_back_makes_nobody_wait(tmp_path: Path) -> None:
    """It is set back by an hour between two attempts; what it does within a second of a tick can't be told apart."""
    async with Desk(tmp_path) as desk:
        desk.inside["incubator_1"] = ("B-2026-001",)
        desk.post.broken = {"mail-1", "hook"}
        await desk.note(raised(HIGH, START))
        desk.clock._now -= HOUR_MS
        await desk.step(11)
        assert desk.post.tried[:2] == ["mail-1", "mail-1"]  # ten seconds later, as without the leap
        await desk.step(120)
        assert 130 <= desk.notifier.status().undelivered_s <= 131
        desk.post.broken.clear()
        await desk.step(120)
        (told, *_) = desk.post.taken
        assert "by a clock that was ahead of the present one" in told[1].body
        assert desk.notifier.status().undelivered_s == 0


async def test_while_an_hour_comes_again_a_batch_put_inside_in_its_first_turn_is_endangered(tmp_path: Path) -> None:
    async with Desk(tmp_path) as desk:
        desk.notifier._exposed = lambda _chamber, _start, end: ("B-2026-001",) if end >= START else ()
        desk.notifier.tick(START)
        desk.clock._now -= HOUR_MS
        await desk.note(raised(replace(CRITICAL, when_empty=WhenEmpty.DOWNGRADE), desk.clock.now()))
        assert desk.post.subjects()[0].endswith("batch inside: B-2026-001")


async def test_high_alarms_that_all_of_a_level_mute_are_told_and_the_status_says_when(tmp_path: Path) -> None:
    muted = SITE.replace("18:00-07:00 low,medium", "18:00-07:00 low,medium,high")
    async with Desk(tmp_path) as desk:
        assert desk.notifier.status().mute_gap_at is None
    (tmp_path / "b").mkdir()
    async with Desk(tmp_path / "b", muted) as desk:
        assert desk.notifier.status().mute_gap_at == "2026-01-05T18:00:00.000Z"  # op-2 alone is on call from 19:00
        desk.clock.advance(13 * HOUR_MS)
        await desk.note(raised(HIGH, desk.clock.now()), raised(MEDIUM, desk.clock.now()))
        ((route, message),) = desk.post.taken
        assert route == "mail-2" and "EVERYBODY WHO IS TO BE TOLD HAS MUTED HIGH ALARMS NOW" in message.body
        (sent,) = await desk.events()
        assert sent.data["mute_overridden"] is True and sent.data["roster_gap"] is False


async def test_a_route_that_is_down_is_not_waited_for(tmp_path: Path) -> None:
    async with Desk(tmp_path) as desk:
        desk.post.broken = {"mail-1"}
        for number in range(3):
            await desk.note(raised(rule(f"incubator_{number}/temperature/high"), START))
        assert desk.notifier.status().routes[0].failures == 3 and desk.notifier.status().failing_routes == 1
        await desk.note(raised(rule("incubator_9/temperature/high"), START))
        assert desk.post.tried[-2:] == ["mail-1", "hook"]  # tried once, then the next at once


async def test_a_restart_goes_on_where_it_was(tmp_path: Path) -> None:
    other = rule("incubator_2/temperature/high")
    async with Desk(tmp_path) as desk:
        await desk.ledger.append("alarm:x", [alarm_event(HIGH, START), alarm_event(other, START)], None)
        await desk.note(raised(HIGH, START))
        await desk.events()
    async with Desk(tmp_path, start=START + 60_000) as desk:
        for event in desk.ledger.read_all():
            desk.notifier.recall(event)
        desk.notifier.resume([view(HIGH, START), view(other, START), view(MEDIUM, START, State.ACK)])
        await desk.step(30)
        assert [message.subject.split()[1] for _, message in desk.post.taken] == ["incubator_2/temperature"]
        await desk.step(600)
        subjects = desk.post.subjects()[1:]
        assert len(subjects) == 2 and all("UNACKNOWLEDGED" in subject for subject in subjects)


def alarm_event(one: Rule, at: int) -> NewEvent:
    data = {"rule_id": one.id, "at": iso(at), "raised_at": iso(at), "from_state": "NORMAL", "to_state": "UNACK"}
    return NewEvent("alarm_raised", data, Actor("cultureops", "system"), Source.SYSTEM, at)


class Refusing:
    """A ledger that refuses while it is full, around the real one."""

    def __init__(self) -> None:
        self.ledger: SqlLedger | None = None
        self.is_full = True

    async def append(self, *args: Any) -> Any:
        if self.is_full or self.ledger is None:
            raise StorageError("ledger.sqlite: disk is full")
        return await self.ledger.append(*args)


async def test_what_the_ledger_refuses_is_recorded_late_and_holds_nobody_up(tmp_path: Path) -> None:
    refusing = Refusing()
    async with Desk(tmp_path, ledger=refusing) as desk:
        refusing.ledger = desk.ledger
        for number in range(5):
            await desk.note(raised(rule(f"incubator_{number}/temperature/high"), START))
        await desk.step(30)
        status = desk.notifier.status()
        assert len(desk.post.taken) == 5 and status.unrecorded == 5 and "disk is full" in str(status.ledger_error)
        refusing.is_full = False
        await desk.step(2)
        for _ in range(200):
            if desk.notifier.status().ledger_error is None:
                break
            await asyncio.sleep(0.01)
        events = desk.ledger.read("notify")
        assert [event.data["rule_ids"] for event in events] == [[f"incubator_{n}/temperature/high"] for n in range(5)]
        assert all(event.occurred_at == START and event.recorded_at >= START + 30_000 for event in events)
        assert desk.notifier.status().unrecorded == 0


async def test_a_hole_in_the_roster_is_said_and_recorded(tmp_path: Path) -> None:
    holed = SITE.replace("daily 19:00-07:00", "Mon 19:00-07:00")
    async with Desk(tmp_path, holed) as desk:
        assert desk.notifier.status().roster_gap_at == "2026-01-06T18:00:00.000Z"
        desk.clock.advance(36 * 3_600_000)
        await desk.note(raised(HIGH, desk.clock.now()))
        assert sorted(name for name, _ in desk.post.taken) == ["mail-1", "mail-2"]
        assert all("NOBODY IS ON CALL NOW" in message.body for _, message in desk.post.taken)
        assert all(event.data["roster_gap"] for event in await desk.events())


async def test_links_are_in_messages_and_open(tmp_path: Path) -> None:
    async with Desk(tmp_path, SITE + '[notify]\npublic_url = "https://lab.example"\n') as desk:
        await desk.note(raised(HIGH, START))
        (_, message) = desk.post.taken[0]
        token = message.body.split("https://lab.example/alarms/link/")[1].split()[0]
        assert desk.notifier.links is not None
        ticket = desk.notifier.links.read_token(token, START)
        assert (ticket.rule_id, ticket.raised_at, ticket.person) == (HIGH.id, START, "op-1")


async def test_a_brief_route_has_the_subject_and_the_link(tmp_path: Path) -> None:
    text = SITE.replace('name = "mail-1"', 'name = "mail-1"\nbrief = true')
    async with Desk(tmp_path, text + '[notify]\npublic_url = "https://lab.example"\n') as desk:
        await desk.note(raised(HIGH, START))
        subject, link = desk.post.taken[0][1].body.split("\n")
        assert subject == desk.post.subjects()[0] and link.startswith("https://lab.example/alarms/link/")


async def test_a_site_without_routes_says_that_it_tells_nobody(tmp_path: Path) -> None:
    async with Desk(tmp_path, "") as desk:
        await desk.note(raised(CRITICAL, START))
        await desk.step(60)
        assert desk.notifier.status().tells_nobody and not desk.post.tried
        assert desk.notifier.status().problem is None
        assert not (tmp_path / "alarm_link.key").exists()


async def test_a_fault_of_ours_neither_raises_nor_keeps_a_message_back(tmp_path: Path) -> None:
    def broken(_rule: Rule) -> bool:
        raise KeyError("incubator_1")

    async with Desk(tmp_path, is_simulated=broken) as desk:
        await desk.note(raised(HIGH, START))
        assert desk.post.subjects() == ["ALARM incubator_1/temperature/high"]
    with capture_logs() as logs:
        (tmp_path / "b").mkdir()
        async with Desk(tmp_path / "b") as desk:
            await desk.note(raised(replace(HIGH, priority="odd"), START), raised(CRITICAL, START))
            await desk.step(5)
            assert "odd" in str(desk.notifier.status().fault)
            problem = str(desk.notifier.status().problem)
            assert problem.startswith("telling people met a fault: ") and "odd" in problem and problem.isprintable()
            assert [subject[:12] for subject in desk.post.subjects()] == ["GMP-CRITICAL"]
    assert logs[0]["log_level"] == "error"


async def test_what_was_over_before_it_could_be_told_is_told_once_and_calls_nobody_further(tmp_path: Path) -> None:
    async with Desk(tmp_path) as desk:
        await desk.step(3600, every_s=600)
        desk.notifier.note_past([(raised(HIGH, START), returned(HIGH, START + 600_000, START))])
        await desk.step(7200, every_s=60)
        (said,) = desk.post.taken
        assert said[0] == "mail-1" and "it is over, and nobody has acknowledged it" in said[1].subject + said[1].body
        assert "told only now" in said[1].body and desk.notifier.status().unacknowledged == 0
