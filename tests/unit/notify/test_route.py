"""One message by one route: what is said of a failure, and what is not; blocking calls on threads of their own."""

from __future__ import annotations

import asyncio
import logging
import threading
import time

import pytest
from tests.ports import free_port

from cultureops.errors import ConfigError
from cultureops.notify.delivery import Step, plan
from cultureops.notify.lane import Lane, LaneFull
from cultureops.notify.message import Message
from cultureops.notify.route import AppriseSender, Route, check_url

MESSAGE = Message("subject", "body")


def test_urls_are_checked_and_secrets_noticed() -> None:
    assert not check_url("mailto://localhost:2525/?from=lab@example.org&to=one@example.org")
    assert not check_url("json://127.0.0.1:8080/hook")
    assert not check_url("mqtt://broker.example/plant/notification/op-1")
    assert check_url("mailtos://user:s3cret@mail.example?to=one@example.org")
    for url in ("", "http://", "nonsense://x", "mailto://", "json://", "twilio://a"):
        with pytest.raises(ConfigError, match="no service can be reached by it"):
            check_url(url)


async def test_a_failure_is_told_without_the_secrets_of_its_url(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    url = f"json://us3r:p%40ssw0rd@127.0.0.1:{free_port()}/t0ken-abcdef?+X-Key=k3y-123456"
    outcome = await AppriseSender()(Route("hook", url, deadline_s=5), MESSAGE)
    assert not outcome.is_sent and "refused" in outcome.reason
    shown = outcome.reason + repr(Route("hook", url))
    for secret in ("us3r", "p%40ssw0rd", "p@ssw0rd", "t0ken-abcdef", "k3y-123456"):
        assert secret not in shown
    assert "hook" in shown and "\n" not in shown


async def test_apprise_says_nothing_to_other_logs() -> None:
    heard: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    ear = Ear()
    logging.getLogger().addHandler(ear)
    try:
        url = f"json://user:s3cret@127.0.0.1:{free_port()}/hook"
        check_url(url)
        await AppriseSender()(Route("hook", url), MESSAGE)
    finally:
        logging.getLogger().removeHandler(ear)
    assert not [said for said in heard if "127.0.0.1" in said or "s3cret" in said]


async def test_what_hangs_is_left_at_its_deadline_and_takes_a_place_until_it_ends() -> None:
    lane, end = Lane("test", 2), threading.Event()
    began = time.monotonic()
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await lane.run(lambda: end.wait(10), 0.05)
    with pytest.raises(LaneFull, match="2 earlier attempts still hang"):
        await lane.run(lambda: 1, 5)
    assert time.monotonic() - began < 2 and lane.busy == 2
    end.set()
    async with asyncio.timeout(5):
        while lane.busy:
            await asyncio.sleep(0.005)
    assert await lane.run(lambda: 7, 5) == 7
    with pytest.raises(KeyError):
        await lane.run(lambda: {}["x"], 5)


async def test_a_cancelled_wait_leaves_nothing_behind() -> None:
    lane, end = Lane("test", 2), threading.Event()
    task = asyncio.create_task(lane.run(lambda: end.wait(10), 10))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    end.set()
    async with asyncio.timeout(5):
        while lane.busy:
            await asyncio.sleep(0.005)
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_the_order_of_attempts() -> None:
    mail, hook = Route("mail", "", retries=2, retry_after_s=15), Route("hook", "", retries=0)
    assert plan([mail, hook], is_critical=False) == (
        Step("mail", 1, 0), Step("mail", 2, 15), Step("mail", 3, 15), Step("hook", 1, 0),
    )  # fmt: skip
    assert plan([mail, hook], is_critical=True) == (
        Step("mail", 1, 0), Step("hook", 1, 0), Step("mail", 2, 15), Step("mail", 3, 15),
    )  # fmt: skip
