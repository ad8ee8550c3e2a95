"""A sign of life while all is well, and silence when it is not."""

from __future__ import annotations

import asyncio
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.notify.stock import START

from cultureops.clock import MINUTE_MS, SteppedClock
from cultureops.notify.heartbeat import Heartbeat, HeartbeatSettings


class Switch:
    """A dead man's switch on loopback."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, bytes]] = []
        self.status = 200
        self.answers = threading.Event()
        self.answers.set()
        switch = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._hear(b"")

            def do_POST(self) -> None:
                self._hear(self.rfile.read(int(self.headers["Content-Length"])))

            def _hear(self, body: bytes) -> None:
                switch.answers.wait(5)
                switch.heard.append((self.command, self.path, body))
                self.send_response(switch.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = False  # closing waits for those that still answer
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/ping/5f9b-secret"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def switch() -> Iterator[Switch]:
    found = Switch()
    yield found
    found.answers.set()
    found.server.shutdown()
    found.server.server_close()


class Health:
    wrong: str | None = None

    def __call__(self) -> str | None:
        return self.wrong


async def test_it_beats_while_all_is_well_and_is_withheld_when_not(switch: Switch) -> None:
    health, clock = Health(), SteppedClock(START)
    heart = Heartbeat(HeartbeatSettings(switch.url), clock, health)
    await heart.beat()
    assert switch.heard == [("GET", "/ping/5f9b-secret", b"")] and heart.status().beaten_at == START
    health.wrong = "readings are not kept"
    clock.advance(60_000)
    await heart.beat()
    assert len(switch.heard) == 1
    assert heart.status().withheld == "readings are not kept" and heart.status().beaten_at == START
    health.wrong = None
    await heart.beat()
    assert len(switch.heard) == 2 and heart.status().withheld is None


async def test_it_tells_what_is_wrong_where_asked_to(switch: Switch) -> None:
    health = Health()
    health.wrong = "the ledger is full"
    heart = Heartbeat(HeartbeatSettings(switch.url + "?rid=1", tells_failure=True), SteppedClock(START), health)
    await heart.beat()
    assert switch.heard == [("POST", "/ping/5f9b-secret/fail?rid=1", b"the ledger is full")]
    assert heart.status().beaten_at is None


async def test_health_that_can_not_be_told_is_not_good(switch: Switch) -> None:
    def broken() -> str | None:
        raise RuntimeError("no answer")

    heart = Heartbeat(HeartbeatSettings(switch.url), SteppedClock(START), broken)
    await heart.beat()
    assert not switch.heard and heart.status().withheld == "health can't be told: RuntimeError: no answer"


async def test_a_switch_that_fails_is_said_without_its_secret(switch: Switch) -> None:
    heart = Heartbeat(HeartbeatSettings(switch.url), SteppedClock(START), Health())
    switch.status = 500
    await heart.beat()
    assert heart.status().last_error == "HTTP status 500" and heart.status().beaten_at is None
    switch.server.shutdown()
    switch.server.server_close()
    await heart.beat()
    assert "refused" in str(heart.status().last_error)
    assert "secret" not in repr(heart.status()) + repr(HeartbeatSettings(switch.url))


async def test_a_switch_that_hangs_is_left_at_the_deadline(switch: Switch) -> None:
    switch.answers.clear()
    heart = Heartbeat(HeartbeatSettings(switch.url, deadline_s=0.1), SteppedClock(START), Health())
    async with asyncio.timeout(2):
        for _ in range(5):
            await heart.beat()
    assert heart.status().last_error is not None


async def test_a_file_is_written_while_all_is_well(tmp_path: Path) -> None:
    file, health, clock = tmp_path / "alive", Health(), SteppedClock(START)
    heart = Heartbeat(HeartbeatSettings(None, file=str(file)), clock, health)
    await heart.beat()
    assert file.read_text() == "2026-01-05T08:00:00.000Z\n"
    health.wrong = "odd"
    clock.advance(60_000)
    await heart.beat()
    assert file.read_text() == "2026-01-05T08:00:00.000Z\n"
    gone = Heartbeat(HeartbeatSettings(None, file=str(tmp_path / "no" / "alive")), clock, Health())
    await gone.beat()
    assert "No such file" in str(gone.status().last_error)


async def test_it_beats_by_lab_time_until_cancelled(switch: Switch) -> None:
    clock = SteppedClock(START)
    task = asyncio.create_task(Heartbeat(HeartbeatSettings(switch.url), clock, Health()).run())
    for beats in (1, 2, 3):
        async with asyncio.timeout(5):
            while len(switch.heard) < beats or not clock._sleepers:
                await asyncio.sleep(0.005)
        clock.advance(MINUTE_MS)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert asyncio.all_tasks() == {asyncio.current_task()}
