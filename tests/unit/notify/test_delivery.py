"""Deliveries: nothing is lost whatever fails, the most urgent goes first, and a route keeps its pace."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.notify.stock import CRITICAL, START, rule

from cultureops.alarms.rule import Priority, Rule
from cultureops.clock import SECOND_MS, SteppedClock
from cultureops.notify.delivery import Deliveries
from cultureops.notify.incident import Call, Incident, Key, News
from cultureops.notify.message import Message
from cultureops.notify.records import FAILED, GIVEN_UP, SENT, Attempt
from cultureops.notify.route import Outcome, Route

MAIL, HOOK = Route("mail", "", retries=2, retry_after_s=15), Route("hook", "", retries=1, retry_after_s=5)


def call(one: Rule, order: int = 0) -> Call:
    incident = Incident(one, START, START, START, 39.0, order)
    return incident.call(News.STANDS, Key("high", 0, "op-1"), START, one.priority, gmp_critical=one.gmp_critical)


class Depot:
    def __init__(self, routes: Sequence[Route], results: Sequence[bool | None] = ()) -> None:
        self.clock = SteppedClock(START)
        self.results = list(results)
        self.sent: list[str] = []
        self.outcomes: list[tuple[str, str, Attempt]] = []
        self.deliveries = Deliveries(routes, self._send, self.clock, lambda calls: calls, self._compose, self._note)

    async def _send(self, route: Route, message: Message) -> Outcome:
        await asyncio.sleep(0)
        result = self.results.pop(0) if self.results else True
        if result is None:
            raise RuntimeError("a plug-in of no use")
        if result:
            self.sent.append(message.subject)
        return Outcome(result, "" if result else "refused")

    @staticmethod
    def _compose(calls: tuple[Call, ...], _route: Route) -> Message:
        return Message(calls[0].rule.id, "")

    def _note(self, kind: str, calls: tuple[Call, ...], attempt: Attempt) -> None:
        self.outcomes.append((kind, calls[0].rule.id, attempt))

    async def run(self, seconds: int, step_s: int = 5) -> None:
        task = asyncio.create_task(self.deliveries.run())
        for _ in range(seconds // step_s):
            for _ in range(15):
                await asyncio.sleep(0)
            self.deliveries.tick(self.clock.advance(step_s * SECOND_MS))
        for _ in range(15):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@settings(max_examples=20)
@given(st.lists(st.sampled_from([True, False, False, None]), max_size=40), st.integers(1, 8))
def test_each_message_is_sent_once_or_given_up(results: list[bool | None], count: int) -> None:
    depot = Depot([MAIL, HOOK], results)
    rules = [rule(f"incubator_{number}/temperature/high", gmp_critical=number % 2 == 0) for number in range(count)]
    for one in rules:
        depot.deliveries.put((call(one),), ("mail", "hook"), START)
    asyncio.run(depot.run(120))
    assert depot.deliveries.waiting == 0
    for one in rules:
        kinds = [kind for kind, rule_id, _ in depot.outcomes if rule_id == one.id]
        assert kinds[-1] in (SENT, GIVEN_UP) and set(kinds[:-1]) <= {FAILED} and len(kinds) <= 6
        assert depot.sent.count(one.id) == (kinds[-1] == SENT)


async def test_the_most_urgent_goes_first() -> None:
    depot = Depot([MAIL])
    low = rule("bath_1/temperature/high", priority=Priority.LOW)
    for order, one in enumerate((low, rule("incubator_2/t/high"), rule("incubator_1/t/high"), CRITICAL)):
        depot.deliveries.put((call(one, order),), ("mail",), START)
    await depot.run(5)
    assert depot.sent == [CRITICAL.id, "incubator_2/t/high", "incubator_1/t/high", low.id]


async def test_a_route_with_a_pause_keeps_it() -> None:
    depot = Depot([Route("sms", "", pause_s=0.05)])
    for number in range(3):
        depot.deliveries.put((call(rule(f"incubator_{number}/t/high")),), ("sms",), START)
    task, began = asyncio.create_task(depot.deliveries.run()), time.monotonic()
    async with asyncio.timeout(5):
        while len(depot.sent) < 3:
            await asyncio.sleep(0.005)
    assert time.monotonic() - began >= 0.1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_fails_inside_cultureops_is_an_attempt_that_failed() -> None:
    depot = Depot([HOOK], [None, True])
    depot.deliveries.put((call(CRITICAL),), ("hook",), START)
    await depot.run(30)
    assert [(kind, attempt.number) for kind, _, attempt in depot.outcomes] == [(FAILED, 1), (SENT, 2)]
    assert depot.outcomes[0][2].reason == "RuntimeError inside cultureops; see its log"
    assert depot.outcomes[1][2].at - START == 5_000
