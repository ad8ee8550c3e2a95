"""What systemd hears over its socket, which is a real one here."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cultureops.histogram import Histogram
from cultureops.self_check.loop_lag import loop_lag
from cultureops.service_notice import ServiceNotice


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(5)
        yield listener


def notice(manager: socket.socket, **environment: str) -> ServiceNotice:
    return ServiceNotice.of_environment({"NOTIFY_SOCKET": manager.getsockname()} | environment, pid=42)


def heard(manager: socket.socket) -> list[str]:
    manager.setblocking(False)
    found = []
    with contextlib.suppress(BlockingIOError):
        while True:
            found.append(manager.recv(1000).decode())
    return found


def test_it_is_told_of_the_start_and_of_the_end(manager: socket.socket) -> None:
    service = notice(manager)
    service.ready("pages: https://lab.example:8443/")
    service.stopping()
    assert heard(manager) == ["READY=1\nSTATUS=pages: https://lab.example:8443/", "STOPPING=1"]


@pytest.mark.parametrize(
    ("environment", "within_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "42"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "7"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_whether_it_wants_to_hear_again(
    manager: socket.socket, environment: dict[str, str], within_s: float | None
) -> None:
    assert notice(manager, **environment).watchdog_s == within_s


async def test_the_watchdog_is_fed_while_the_lab_ticks_and_not_when_it_stands_still(manager: socket.socket) -> None:
    service, still = notice(manager, WATCHDOG_USEC="60000"), False
    fed = asyncio.create_task(service.keep(lambda: still))
    async with asyncio.timeout(5):
        said: list[str] = []
        while len(said) < 3:
            await asyncio.sleep(0.005)
            said += heard(manager)
        still = True
        await asyncio.sleep(0.025)
        heard(manager)
        await asyncio.sleep(0.06)
    assert set(said) == {"WATCHDOG=1"} and heard(manager) == []
    assert not fed.done(), "the service manager ends it, not we"
    fed.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fed


async def test_a_loop_that_hangs_feeds_nobody(manager: socket.socket) -> None:
    import time

    fed = asyncio.create_task(notice(manager, WATCHDOG_USEC="30000").keep(lambda: False))
    await asyncio.sleep(0.02)
    assert heard(manager)
    time.sleep(0.06)  # what a blocking call does to the loop
    assert heard(manager) == []
    fed.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fed


async def test_without_a_manager_or_with_one_that_is_gone_nothing_happens(tmp_path: Path) -> None:
    for environment in ({}, {"NOTIFY_SOCKET": str(tmp_path / "nobody")}, {"NOTIFY_SOCKET": "@cultureops-nobody"}):
        service = ServiceNotice.of_environment(environment)
        service.ready("x")
        service.alive()
        service.stopping()
        await service.keep(lambda: False)


def test_an_abstract_socket_is_heard_too() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("")  # Linux gives it an abstract name
        name = listener.getsockname()
        ServiceNotice("@" + name[1:].decode()).alive()
        assert heard(listener) == ["WATCHDOG=1"]


async def test_what_blocks_the_loop_shows_as_its_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    from cultureops.self_check import loop_lag as module

    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.01)
    lags = Histogram((0.001, 0.05))
    watching = asyncio.create_task(loop_lag(lags))
    await asyncio.sleep(0.03)
    time.sleep(0.1)
    await asyncio.sleep(0.03)
    watching.cancel()
    counts = dict(lags.cumulated())
    assert counts[float("inf")] - counts[0.05] >= 1 and lags.sum_s >= 0.05


def test_delays_are_counted_up_to_each_step() -> None:
    counted = Histogram((0.1, 1.0))
    for delay_s in (-3.0, 0.0, 0.1, 0.11, 1.0, 7.0):
        counted.take(delay_s)
    assert list(counted.cumulated()) == [(0.1, 3), (1.0, 5), (float("inf"), 6)]
    assert counted.sum_s == pytest.approx(8.21)
