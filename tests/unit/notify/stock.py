"""Rules, transitions and a lab's people, for tests of telling them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from cultureops.alarms.alarm import Act, AlarmView, Transition, What
from cultureops.alarms.rule import Kind, Priority, Rule
from cultureops.alarms.state import State
from cultureops.clock import Instant, SeededEntropy, SteppedClock, parse_iso
from cultureops.config import parse
from cultureops.ledger import Event, SqlLedger
from cultureops.notify import Notifier, NotifySettings, notify_from
from cultureops.notify.message import Message
from cultureops.notify.route import Outcome, Route

START = parse_iso("2026-01-05T08:00:00Z")  # a Monday
ZONE = ZoneInfo("Europe/Berlin")
BATCH = "B-2026-001"


def rule(id_: str = "incubator_1/temperature/high", **changes: Any) -> Rule:
    device, channel, _ = id_.split("/", 2)
    made = Rule(
        id=id_,
        chamber=device,
        channel=f"{device}/{channel}",
        device=device,
        kind=Kind.HIGH,
        limit=38.0,
        unit="Cel",
        deadband=0.2,
        on_delay_s=60,
        off_delay_s=60,
        misses=0,
        priority=Priority.HIGH,
        gmp_critical=False,
        consequence="Cells are harmed by heat.",
        response="Move the vessels to another incubator.",
    )
    return replace(made, **changes)


CRITICAL = rule("cryostore_1/temp_a/high", gmp_critical=True, limit=-140.0)
MEDIUM = rule("incubator_1/co2/low", priority=Priority.MEDIUM, kind=Kind.LOW, limit=4.0, unit="%")
LOW = rule("bath_1/temperature/high", priority=Priority.LOW)


def moved(
    rule: Rule, before: State, after: State, at: Instant, *, raised_at: Instant | None = None, by: str = "",
    value: float | None = 39.1,
) -> Transition:  # fmt: skip
    what = {
        State.UNACK: What.REALARMED if before is State.ACK else What.RAISED,
        State.ACK: What.ACKNOWLEDGED,
        State.NORMAL: What.CLEARED,
        State.RTN_UNACK: What.RETURNED,
        State.LATCH_UNACK: What.RETURNED,
        State.LATCH_ACK: What.ACKNOWLEDGED,
        State.SHELVED: What.SHELVED,
        State.OUT_OF_SERVICE: What.TAKEN_OUT,
        State.SUPPRESSED_BY_DESIGN: What.SUPPRESSED,
    }[after]
    act = Act(by, "seen") if by else None
    began = at if raised_at is None else raised_at
    return Transition(rule, before, after, at, value, "39.1 °C", began - 60_000, began, what, after.is_active, act)


def raised(rule: Rule, at: Instant) -> Transition:
    return moved(rule, State.NORMAL, State.UNACK, at)


def acknowledged(rule: Rule, at: Instant, raised_at: Instant, by: str = "op-1") -> Transition:
    return moved(rule, State.UNACK, State.ACK, at, raised_at=raised_at, by=by)


def returned(rule: Rule, at: Instant, raised_at: Instant) -> Transition:
    return moved(rule, State.UNACK, State.RTN_UNACK, at, raised_at=raised_at, value=37.0)


def view(rule: Rule, raised_at: Instant, state: State = State.UNACK, by: str | None = None) -> AlarmView:
    return AlarmView(rule, state, raised_at, 39.1, None, by, raised_at - 60_000, is_active=state.is_active)


SITE = """
[[route]]
name = "mail-1"
url = "mailto://localhost:2525/?from=lab@example.org&to=one@example.org"
retries = 1
retry_after_s = 10
[[route]]
name = "mail-2"
url = "mailto://localhost:2525/?from=lab@example.org&to=two@example.org"
retries = 1
retry_after_s = 10
[[route]]
name = "hook"
url = "json://127.0.0.1:8081/hook"
retries = 1
retry_after_s = 10

[[person]]
id = "op-1"
routes = ["mail-1", "hook"]
[[person]]
id = "op-2"
routes = ["mail-2"]
mute = ["daily 18:00-07:00 low,medium"]
[[person]]
id = "head"
routes = ["hook"]

[[roster]]
person = "op-1"
weekly = ["daily 07:00-19:00"]
[[roster]]
person = "op-2"
weekly = ["daily 19:00-07:00"]

[[escalation]]
gmp_critical = true
[[escalation.level]]
who = ["on_call"]
repeat_every_s = 300
[[escalation.level]]
delay_s = 600
who = ["head"]
repeat_every_s = 600
[[escalation]]
priority = "high"
[[escalation.level]]
who = ["on_call"]
repeat_every_s = 600
[[escalation.level]]
delay_s = 900
who = ["head"]
[[escalation]]
priority = "medium"
[[escalation.level]]
delay_s = 120
who = ["op-2"]
[[escalation]]
priority = "low"
nobody = true
"""


def settings(text: str = SITE) -> NotifySettings:
    return notify_from(parse(text, "site.toml"), "Test lab", ZONE)


class Post:
    """Takes messages in place of the routes; a route in ``broken`` fails."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, Message]] = []
        self.tried: list[str] = []
        self.broken: set[str] = set()

    async def __call__(self, route: Route, message: Message) -> Outcome:
        self.tried.append(route.name)
        await asyncio.sleep(0)
        if route.name in self.broken:
            return Outcome(False, "connection refused")
        self.taken.append((route.name, message))
        return Outcome(True, "")

    def subjects(self, route: str | None = None) -> list[str]:
        return [message.subject for name, message in self.taken if route in (None, name)]


class Desk:
    """A notifier over a real ledger, in stepped time."""

    def __init__(self, folder: Path, text: str = SITE, start: Instant = START, **options: Any) -> None:
        self.clock = SteppedClock(start)
        self.ledger = SqlLedger.open(folder / "ledger.sqlite", self.clock, SeededEntropy(start))
        self.post = Post()
        self.inside: dict[str, tuple[str, ...]] = {}
        options = {"send": self.post, **options}
        self.notifier = Notifier(
            settings(text), self.clock, options.pop("ledger", self.ledger),
            lambda chamber, _start, _end: self.inside.get(chamber, ()), folder, SeededEntropy(1), **options,
        )  # fmt: skip
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Desk:
        self._task = asyncio.create_task(self.notifier.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        await self.ledger.close()

    async def settle(self) -> None:
        for _ in range(50):
            await asyncio.sleep(0)

    def is_idle(self) -> bool:
        notifier = self.notifier  # its status counts all that is open, which thousands of times takes long
        return not notifier._deliveries.waiting and not notifier._escalation.is_behind(self.clock.now())

    async def note(self, *transitions: Transition) -> None:
        self.notifier.note(transitions)
        await self.settle()

    async def step(self, seconds: float, every_s: float = 1.0) -> None:
        for _ in range(round(seconds / every_s)):
            self.notifier.tick(self.clock.advance(round(every_s * 1000)))
            await self.settle()

    async def events(self) -> Sequence[Event]:
        await self.notifier.drain()
        return self.ledger.read("notify")
