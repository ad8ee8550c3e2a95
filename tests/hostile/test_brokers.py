"""A lab whose broker means harm: nothing is believed, nothing grows, nobody waits."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.hostile.watch import Watch, watched
from tests.services.test_mosquitto import SITE, clock, incubator, poll

from cultureops.clock import SeededEntropy, SteppedClock
from cultureops.device.reading import Quality, Reason
from cultureops.lab import open_lab
from cultureops.notify.message import Message
from cultureops.notify.route import AppriseSender, Route
from cultureops.site import read_site

__all__ = ["clock", "incubator"]

MORE = """timeout_s = 0.5
keepalive_s = 1
[mqtt.sparkplug]
group = "A"
rebirth_gap_s = 0.1
[[chamber]]
id = "reactor"
class = "bioreactor"
[[device]]
id = "reactor"
chamber = "reactor"
driver = "pioreactor"
link = "mqtt://127.0.0.1:{broker}"
options = {{ unit = "unit_1", experiment = "trial" }}
"""
CPU_MS, GROWN_MB = 100, 64
WORST = ("too_long", "flood_qos_2")


@dataclass
class Broker:
    """A running hostile broker; ``end`` returns what it did to whom."""

    port: int
    _process: subprocess.Popen[str]

    def end(self) -> dict[str, Any]:
        out, _ = self._process.communicate("", timeout=10)
        found: dict[str, Any] = json.loads(out)
        return found

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def hostile() -> Iterator[Callable[..., Broker]]:
    started: list[Broker] = []

    def start(seed: int, lasts_s: float, *first: str) -> Broker:
        command = (sys.executable, str(Path(__file__).with_name("broker.py")), str(seed), str(lasts_s), *first)
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        started.append(Broker(int(process.stdout.readline()), process))
        return started[-1]

    yield start
    for broker in started:
        broker.kill()


async def endure(
    broker: Broker, incubator: int, clock: SteppedClock, folder: Path, polls: int, *until: str
) -> tuple[Watch, str]:
    """Run a lab for a while; check each poll, and return how its loop and memory fared, and what it said went wrong.

    It ends early when it has said all of ``until``, if any.
    """
    said_wrong: set[str] = set()
    more = MORE.format(broker=broker.port)
    (folder / "site.toml").write_text(SITE.format(broker=broker.port, incubator=incubator, more=more, kind="high"))
    (folder / "data").mkdir()
    site = read_site(folder / "site.toml")
    async with open_lab(site, folder / "data", clock, SeededEntropy(clock.now())) as lab:
        async with watched() as seen:
            for _ in range(polls):
                async with asyncio.timeout(5):
                    await poll(lab, clock)
                latest = lab.store.latest()
                co2 = latest["incubator_1/co2"]
                assert co2.quality is Quality.GOOD and co2.received_time == clock.now()
                for name in ("temperature", "agitation"):
                    said = latest[f"reactor/{name}"]
                    assert said.quality is Quality.BAD and said.reason is not Reason.NONE, said
                    assert said.reason is not Reason.DRIVER_ERROR, said
                await asyncio.sleep(0.02)
                assert lab.publisher is not None
                said_wrong |= {str(lab.publisher.status().last_error), lab.acquisition.pollers["reactor"].detail}
                if until and all(any(words in said for said in said_wrong) for words in until):
                    break
        assert lab.publisher is not None and len(lab.ledger_failure or "") == 0
        view = lab.engine.view("incubator_1/co2/high")
        assert view is not None and view.is_active, "alarms go on"
        assert lab.vitals.fault_count == 0, lab.vitals.fault
    return seen, " ".join(said_wrong)


def check(found: dict[str, Any], least: int) -> None:
    for kind in ("json", "sparkplug", "device"):
        met = found["met"].get(kind, {})
        assert len(met) >= least, f"{kind} met {sorted(met)} only"


async def test_a_lab_outlives_its_broker(
    hostile: Callable[..., Broker], incubator: int, clock: SteppedClock, tmp_path: Path
) -> None:
    broker = hostile(5, 0.15, *WORST)
    too_long = "the broker sent a packet of 268435455 bytes; at most"
    unfinished = "quality of service 2 and did not finish them"
    seen, said_wrong = await endure(broker, incubator, clock, tmp_path, 20, too_long, unfinished)
    check(broker.end(), 1)
    assert too_long in said_wrong and unfinished in said_wrong
    assert seen.cpu_ms < CPU_MS and seen.grown_mb < GROWN_MB, seen


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(3))
async def test_a_lab_outlives_every_treatment(
    hostile: Callable[..., Broker],
    incubator: int,
    clock: SteppedClock,
    tmp_path: Path,
    seed: int,
    record_property: Callable[[str, object], None],
) -> None:
    broker = hostile(seed, 0.5)
    seen, said_wrong = await endure(broker, incubator, clock, tmp_path, 90)
    found = broker.end()
    check(found, len(found["treatments"]))
    assert "the broker sent a packet of 268435455 bytes; at most" in said_wrong
    record_property("connections", sum(sum(met.values()) for met in found["met"].values()))
    for name in ("cpu_ms", "wall_ms", "grown_mb"):
        record_property(f"worst_{name}", round(getattr(seen, name), 1))
    assert seen.cpu_ms < CPU_MS and seen.grown_mb < GROWN_MB, seen


async def notify(broker: Broker, calls: int) -> Watch:
    sender = AppriseSender()
    url = f"mqtt://127.0.0.1:{broker.port}/plant/op-1?qos=1&client_id=notifier&session=yes"
    await sender(Route("first", url, deadline_s=2), Message("subject", "body"))
    async with watched() as seen:
        for number in range(calls):
            async with asyncio.timeout(5):
                outcome = await sender(Route(f"mqtt-{number}", url, deadline_s=0.3), Message("subject", "body"))
            assert outcome.is_sent or outcome.reason
    return seen


async def test_people_are_told_through_a_hostile_broker_or_it_is_said_that_they_were_not(
    hostile: Callable[..., Broker],
) -> None:
    broker = hostile(2, 0.15, *WORST)
    seen = await notify(broker, 3)
    assert len(broker.end()["met"]["notifier"]) >= 3
    assert seen.cpu_ms < CPU_MS and seen.grown_mb < GROWN_MB, seen


@pytest.mark.soak
@pytest.mark.timeout(300)
async def test_every_treatment_of_the_notifier(
    hostile: Callable[..., Broker], record_property: Callable[[str, object], None]
) -> None:
    broker = hostile(1, 0.5)
    seen = await notify(broker, 60)
    found = broker.end()
    assert len(found["met"]["notifier"]) == len(found["treatments"])
    for name in ("cpu_ms", "wall_ms", "grown_mb"):
        record_property(f"worst_{name}", round(getattr(seen, name), 1))
    assert seen.cpu_ms < CPU_MS and seen.grown_mb < GROWN_MB, seen
