"""People told by a real mail server in a process of its own, and by a web hook where the mail server is no good."""

from __future__ import annotations

import asyncio
import http.server
import json
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.ports import free_port
from tests.unit.notify.stock import CRITICAL, rule

from cultureops.alarms.alarm import Transition, What
from cultureops.alarms.rule import Rule
from cultureops.alarms.state import State
from cultureops.clock import SystemClock, SystemEntropy
from cultureops.config import parse
from cultureops.errors import StorageError
from cultureops.ledger import Event, SqlLedger
from cultureops.notify import Notifier, notify_from

HIGH = rule()
BATCH = "B-2026-001"


class Mail:
    """A mail server that can be ended and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._file = folder / "mail.jsonl"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, manner: str = "") -> None:
        command = [sys.executable, "-m", "tests.services.smtp_server", str(self.port), str(self._file), manner]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    @property
    def taken(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._file.read_text().splitlines()] if self._file.exists() else []


class Hook(threading.Thread):
    """A web hook; answers 500 while ``is_broken``."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.taken: list[dict[str, Any]] = []
        self.is_broken = False
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if not hook.is_broken:
                    hook.taken.append(said)
                self.send_response(500 if hook.is_broken else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]

    def run(self) -> None:
        self.server.serve_forever(0.05)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[Mail]:
    found = Mail(tmp_path)
    yield found
    found.kill()


@pytest.fixture
def hook() -> Iterator[Hook]:
    found = Hook()
    found.start()
    yield found
    found.close()


class Lab:
    def __init__(
        self, folder: Path, mail: Mail, hook: Hook, *, deadline_s: float = 5, retry_after_s: float = 0.2
    ) -> None:
        text = f"""
[[route]]
name = "mail"
url = "mailto://127.0.0.1:{mail.port}/?from=lab@example.org&to=op-1@example.org"
deadline_s = {deadline_s}
retries = 1
retry_after_s = {retry_after_s}
[[route]]
name = "hook"
url = "json://127.0.0.1:{hook.port}/alarms"
deadline_s = 5
retries = 0
[[person]]
id = "op-1"
routes = ["mail", "hook"]
[[person]]
id = "op-2"
routes = ["hook"]
[[escalation]]
gmp_critical = true
[[escalation.level]]
who = ["op-1", "op-2"]
repeat_every_s = 300
[[escalation]]
priority = "high"
[[escalation.level]]
who = ["op-1"]
[[escalation.level]]
delay_s = 3600
who = ["op-2"]
[[escalation]]
priority = "medium"
nobody = true
[[escalation]]
priority = "low"
nobody = true
"""
        clock = SystemClock()
        self.clock = clock
        self.ledger = SqlLedger.open(folder / "ledger.sqlite", clock, SystemEntropy())
        self.failing = Failing(self.ledger)
        self.notifier = Notifier(
            notify_from(parse(text, "site.toml"), "Test lab", ZoneInfo("Europe/Berlin")), clock, self.failing,
            lambda _chamber, _start, _end: (BATCH,), folder, SystemEntropy(), is_simulated=lambda _: True,
        )  # fmt: skip
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Lab:
        self._tasks = [asyncio.create_task(self.notifier.run()), asyncio.create_task(self._tick())]
        return self

    async def __aexit__(self, *_: object) -> None:
        began = time.monotonic()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        assert time.monotonic() - began < 1, "what hangs must not hold up the end"
        assert asyncio.all_tasks() == {asyncio.current_task()}
        await self.ledger.close()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(0.05)
            self.notifier.tick(self.clock.now())

    def raise_(self, rule: Rule) -> int:
        at = self.clock.now()
        self.notifier.note(
            [Transition(rule, State.NORMAL, State.UNACK, at, 39.1, "39.1 °C", at - 60_000, at, What.RAISED, True)]
        )
        return at

    async def events(self, count: int) -> Sequence[Event]:
        await until(lambda: len(self.ledger.read("notify")) >= count)
        return self.ledger.read("notify")


class Failing:
    """A ledger that refuses while ``is_full``."""

    def __init__(self, ledger: SqlLedger) -> None:
        self._ledger = ledger
        self.is_full = False

    async def append(self, *args: Any) -> Any:
        if self.is_full:
            raise StorageError("ledger.sqlite: database or disk is full")
        return await self._ledger.append(*args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)


async def until(condition: Callable[[], bool], within_s: float = 10.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
async def lab(tmp_path: Path, mail: Mail, hook: Hook) -> AsyncIterator[Lab]:
    async with Lab(tmp_path, mail, hook) as found:
        yield found


async def test_mail_is_there_within_a_second(lab: Lab, mail: Mail, record_property: Callable[..., None]) -> None:
    mail.start()
    lags = []
    for number in range(5):
        at = lab.raise_(rule(f"incubator_{number}/temperature/high"))
        await until(lambda count=number + 1: len(mail.taken) == count)
        lags.append(mail.taken[-1]["at"] - at / 1000)
    record_property("seconds_to_mail_server", [round(lag, 3) for lag in lags])
    assert max(lags) < 1.0
    said = mail.taken[0]
    assert said["to"] == ["op-1@example.org"] and said["type"] == "text/plain"
    assert said["subject"].startswith("SIMULATED high incubator_0") and len(said["subject"]) <= 160
    for part in (BATCH, "Move the vessels", "harmed by heat", "Time to respond: 30 min", "level 1 of 2", "CET"):
        assert part in said["body"].replace("CEST", "CET"), part
    assert [event.type for event in await lab.events(5)] == ["notification_sent"] * 5


async def test_a_mail_server_that_stalls_delays_nobody_else(tmp_path: Path, mail: Mail, hook: Hook) -> None:
    mail.start("stall")
    async with Lab(tmp_path, mail, hook, deadline_s=1.0) as lab:
        began = time.monotonic()
        lab.raise_(CRITICAL)
        longest = 0.0
        await until(lambda: len(hook.taken) == 1)  # the other person's
        assert time.monotonic() - began < 0.5
        while len(hook.taken) < 2:
            before = time.monotonic()
            await asyncio.sleep(0.005)
            longest = max(longest, time.monotonic() - before)
            assert before - began < 5
        assert 1.0 <= time.monotonic() - began < 2.5  # the deadline, then the next route
        assert longest < 0.5, "the loop stood still"
        events = await lab.events(3)
    assert [(event.type, event.data["person"], event.data["route"]) for event in events[:3]] == [
        ("notification_sent", "op-2", "hook"),
        ("notification_failed", "op-1", "mail"),
        ("notification_sent", "op-1", "hook"),
    ]
    assert "no answer within 1 s" in str(events[1].data["reason"])


async def test_a_mail_server_that_refuses(lab: Lab, mail: Mail, hook: Hook) -> None:
    mail.start("refuse")
    lab.raise_(HIGH)
    events = await lab.events(3)
    assert [(event.type, event.data["route"], event.data["attempt"]) for event in events] == [
        ("notification_failed", "mail", 1), ("notification_failed", "mail", 2), ("notification_sent", "hook", 3),
    ]  # fmt: skip
    assert "550" in str(events[0].data["reason"])
    assert len(hook.taken) == 1 and hook.taken[0]["title"].startswith("SIMULATED high incubator_1")


async def test_down_then_up(tmp_path: Path, mail: Mail, hook: Hook) -> None:
    async with Lab(tmp_path, mail, hook, retry_after_s=2) as lab:
        lab.raise_(HIGH)
        failed = await lab.events(1)
        assert failed[0].type == "notification_failed" and "refused" in str(failed[0].data["reason"])
        mail.start()
        events = await lab.events(2)
    assert [(event.type, event.data["route"]) for event in events][1:] == [("notification_sent", "mail")]
    assert len(mail.taken) == 1 and not hook.taken


async def test_nobody_hears_and_the_next_level_is_called_at_once(lab: Lab, hook: Hook) -> None:
    hook.is_broken = True
    lab.raise_(HIGH)
    events = await lab.events(6)
    assert [event.type for event in events][2:4] == ["notification_failed", "notification_given_up"]
    assert (events[4].type, events[4].data["person"], events[4].data["level"]) == ("notification_failed", "op-2", 2)
    status = lab.notifier.status()
    assert status.given_up == 2 and status.undelivered_s > 0
    assert "500" in str([route.last_error for route in status.routes if route.name == "hook"])


async def test_what_the_ledger_can_not_take_is_recorded_late(lab: Lab, mail: Mail) -> None:
    mail.start()
    lab.failing.is_full = True
    at = lab.raise_(HIGH)
    await until(lambda: len(mail.taken) == 1)
    await until(lambda: lab.notifier.status().ledger_error is not None)
    assert lab.notifier.status().unrecorded == 1
    await asyncio.sleep(0.3)
    lab.failing.is_full = False
    (event,) = await lab.events(1)
    assert event.occurred_at - at < 1_000 and event.recorded_at - event.occurred_at >= 300
    await until(lambda: lab.notifier.status().unrecorded == 0 and lab.notifier.status().ledger_error is None)
