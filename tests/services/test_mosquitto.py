"""A real lab with simulators and a real broker: what is retained there is what the board shows."""

import asyncio
import gc
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import Any, NoReturn

import aiomqtt
import pytest
from tests.conftest import require_program
from tests.mqtt_schema import faults_of
from tests.ports import free_port
from tests.system.test_lab import START, seed_batch

from cultureops.app import web_context
from cultureops.clock import MINUTE_MS, SECOND_MS, SeededEntropy, SteppedClock, iso
from cultureops.device.registry import driver_folder
from cultureops.lab import Lab, open_lab
from cultureops.lab_health import health_of
from cultureops.mqtt import PublisherStatus
from cultureops.site import read_site
from cultureops.web.alarm.rows import alarm_rows
from cultureops.web.board.page import chamber_cards
from cultureops.web.stream import alarm_row

PREFIX = "plant/lab-1"
SITE = """
[site]
name = "Lab 1"
[web]
port = 0
[mqtt]
host = "127.0.0.1"
port = {broker}
prefix = "plant/lab-1"
period_s = 0.02
{more}
[[chamber]]
id = "incubator_1"
class = "incubator"
calibrated_until = "2026-12-31T00:00:00Z"
[[chamber]]
id = "incubator_2"
class = "incubator"
[[device]]
id = "incubator_1"
chamber = "incubator_1"
driver = "modbus"
link = "modbus+tcp://127.0.0.1:{incubator}"
simulated = true
options = {{ profile = "cultureops_virtual_incubator" }}
[[device]]
id = "incubator_2"
chamber = "incubator_2"
driver = "modbus"
link = "modbus+tcp://127.0.0.1:1"
options = {{ profile = "cultureops_virtual_incubator" }}
[[alarm]]
class = "incubator"
channel = "co2"
kind = "{kind}"
limit = 3.0
priority = "high"
gmp_critical = true
consequence = "The medium turns acid."
response = "Check the gas."
[[alarm]]
class = "incubator"
kind = "communication"
priority = "low"
consequence = "Nobody sees."
response = "Look."
"""


OpenLab = Callable[..., AbstractAsyncContextManager[Lab]]


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


async def until(condition: Callable[[], bool], within_s: float = 25.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


class Broker:
    """A mosquitto that keeps nothing on disk; killed and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.configure(f"listener {self.port} 127.0.0.1", "allow_anonymous true")

    def configure(self, *lines: str) -> None:
        always = ("persistence false", "max_queued_messages 0", "user root")
        (self._folder / "mosquitto.conf").write_text("\n".join((*lines, *always)) + "\n")

    def start(self) -> None:
        command = (require_program("mosquitto"), "-c", str(self._folder / "mosquitto.conf"))
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not answers(self.port):
            assert self._process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def retained(self, prefix: str = PREFIX) -> dict[str, Any]:
        """Everything that a client is told who comes now."""
        async with aiomqtt.Client("127.0.0.1", self.port, timeout=5) as client:
            return await told(client, prefix)


async def told(client: aiomqtt.Client, prefix: str) -> dict[str, Any]:
    """All that is retained; what is sent to ``end`` comes after it."""
    found: dict[str, Any] = {}
    await client.subscribe((f"{prefix}/#", 1), timeout=5)
    await client.subscribe(("end", 1), timeout=5)
    await client.publish("end", b"", qos=1)
    async with asyncio.timeout(5):
        async for message in client.messages:
            if message.topic.value == "end":
                return found
            assert message.retain and isinstance(message.payload, bytes)
            said = found[message.topic.value] = json.loads(message.payload)
            assert not faults_of(prefix, message.topic.value, said)
    raise AssertionError("the connection ended")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    found = Broker(tmp_path)
    found.start()
    yield found
    found.kill()


@contextmanager
def simulated_incubator(port: int) -> Iterator[None]:
    """A simulated incubator that answers at a port."""
    profile = driver_folder("modbus") / "profiles" / "cultureops_virtual_incubator.toml"
    command = (sys.executable, "-m", "cultureops_simulators", "serve", "virtual_incubator", "--tcp")
    process = subprocess.Popen((*command, f"127.0.0.1:{port}", "--option", f"profile={profile}"), stdin=subprocess.PIPE,
                               stdout=subprocess.DEVNULL)  # fmt: skip
    try:
        deadline = time.monotonic() + 20
        while not answers(port):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        yield
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def incubator() -> Iterator[int]:
    """The port of a simulated incubator."""
    port = free_port()
    with simulated_incubator(port):
        yield port


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(START)


@pytest.fixture
def opened(tmp_path: Path, broker: Broker, incubator: int, clock: SteppedClock) -> OpenLab:
    def open_it(more: str = "timeout_s = 0.5", kind: str = "high") -> AbstractAsyncContextManager[Lab]:
        text = SITE.format(broker=broker.port, incubator=incubator, more=more, kind=kind)
        (tmp_path / "site.toml").write_text(text)
        return open_lab(read_site(tmp_path / "site.toml"), tmp_path / "data", clock, SeededEntropy(clock.now()))

    (tmp_path / "data").mkdir()
    return open_it


def status(lab: Lab) -> PublisherStatus:
    assert lab.publisher is not None
    return lab.publisher.status()


async def published(lab: Lab) -> None:
    """Return once the broker has everything; lab time goes on only where the publisher waits to try again."""
    assert isinstance(lab.clock, SteppedClock)
    async with asyncio.timeout(40):
        while not status(lab).connected or status(lab).waiting:
            if status(lab).last_error is not None:
                lab.clock.advance(SECOND_MS)
            await asyncio.sleep(0.01)


async def poll(lab: Lab, clock: SteppedClock, minutes: int = 1) -> None:
    for _ in range(minutes):
        readings = await lab.acquisition.poll_once(clock.advance(MINUTE_MS))
        await lab.recorder.accept(readings)
        lab.recorder.tick(clock.now())
        await lab.settle()


async def board(lab: Lab) -> dict[str, Any]:
    """What the board shows, by topic."""
    context, now = web_context(lab, None), lab.clock.now()
    shown: dict[str, Any] = {}
    for card in chamber_cards(context, now):
        for item in (*card.measures, *card.states):
            shown[f"{PREFIX}/channel/{item.row.id}"] = {
                "channel": item.row.id,
                "value": None if item.reading is None else item.reading.value,
                "unit": item.row.channel.unit,
                "quality": item.quality.name,
                "reason": item.reason,
                "source_time": None if item.reading is None else iso(item.reading.source_time),
                "received_time": None if item.reading is None else iso(item.reading.received_time),
                "simulated": item.row.simulated,
            }
    for row in await alarm_rows(context, now):
        said = alarm_row(row.view, lab.batches.exposed, now) | {"batch_ids": [batch.batch_id for batch in row.batches]}
        for key in ("text", "waits", "unheard_since"):  # of the present value, which has a topic; of gateways, on pages
            said.pop(key, None)
        shown[f"{PREFIX}/alarm/{row.view.rule.id}"] = said
    return shown


async def check_against_board(broker: Broker, lab: Lab) -> dict[str, Any]:
    """Every topic that there should be and no other; each says what the board says."""
    await published(lab)
    retained, shown = await broker.retained(), await board(lab)
    topics = lab.site.mqtt.topics if lab.site.mqtt is not None else pytest.fail("no broker in the site file")
    everything = {topics.status, *map(topics.channel, lab.store.channels())}
    assert retained.keys() == everything | {topics.alarm(rule.id) for rule in lab.engine.rules}
    for topic, said in shown.items():
        assert {key: retained[topic][key] for key in said} == said
    for topic, said in retained.items():
        if topic not in shown and "/alarm/" in topic:
            assert (said["state"], said["is_active"], said["batch_ids"]) == ("NORMAL", False, [])
        elif topic not in shown and topic != topics.status:
            reading = lab.store.latest().get(said["channel"])
            assert (said["value"], said["quality"]) == (
                (None, "BAD") if reading is None else (reading.value, reading.quality.name)
            )
    assert retained[topics.status]["state"] == "online"
    return retained


async def test_the_broker_holds_what_the_board_shows(broker: Broker, opened: OpenLab, clock: SteppedClock) -> None:
    async with opened() as lab:
        before = await check_against_board(broker, lab)
        assert before[f"{PREFIX}/channel/incubator_1/co2"]["reason"] == "nothing read yet"
        await poll(lab, clock, 4)
        await check_against_board(broker, lab)
        await seed_batch(lab, clock)
        await lab.acknowledge("incubator_2/communication", "operator-1", "it is switched off")
        await poll(lab, clock)
        found = await check_against_board(broker, lab)
        co2 = found[f"{PREFIX}/channel/incubator_1/co2"]
        assert co2["quality"] == "GOOD" and co2["unit"] == "%" and co2["simulated"] and 4 < co2["value"] < 6
        assert found[f"{PREFIX}/channel/incubator_2/co2"]["quality"] == "BAD"
        high, lost = found[f"{PREFIX}/alarm/incubator_1/co2/high"], found[f"{PREFIX}/alarm/incubator_2/communication"]
        assert (high["state"], high["batch_ids"], high["priority"]) == ("UNACK", ["B-1"], "high")
        assert "at or above the high limit 3 %" in high["cause"]
        assert (lost["state"], lost["acknowledged_by"]) == ("ACK", "operator-1")
        assert found[f"{PREFIX}/batch/B-1/passage"]["value"] == 0
        said = health_of(lab)["mqtt"]
        assert isinstance(said, dict) and said["connected"] and said["last_error"] is None
    gone = (await broker.retained())[f"{PREFIX}/status"]
    assert (gone["state"], gone["reason"], gone["time"]) == ("offline", "stopped", iso(clock.now()))


async def test_a_killed_and_emptied_broker_is_told_everything_again(
    broker: Broker, opened: OpenLab, clock: SteppedClock
) -> None:
    async with opened() as lab:
        await poll(lab, clock, 2)
        await check_against_board(broker, lab)
        broker.kill()
        await until(lambda: status(lab).last_error is not None)
        await seed_batch(lab, clock)
        await poll(lab, clock, 10)
        away = status(lab)
        assert away.last_error is not None and str(broker.port) in away.last_error
        assert away.waiting <= len(lab.store.channels()) + len(lab.engine.rules)
        assert away.coalesced >= 8 * len(lab.channels)
        broker.start()
        assert await broker.retained() == {}
        await reconnected(lab, clock)
        await check_against_board(broker, lab)
        assert status(lab).last_error is None


@pytest.mark.soak
@pytest.mark.timeout(300)
async def test_whatever_becomes_of_the_broker_it_holds_what_the_board_shows_in_the_end(
    broker: Broker, opened: OpenLab, clock: SteppedClock, record_property: Callable[[str, object], None]
) -> None:
    dice, kills = random.Random(3), 0
    async with opened() as lab:
        for _ in range(60):
            await poll(lab, clock, dice.randint(1, 5))
            await asyncio.sleep(dice.uniform(0, 0.05))
            if dice.random() < 0.5:
                broker.kill()
                kills += 1
                await poll(lab, clock, dice.randint(0, 3))
                broker.start()
            else:
                broker.signal(signal.SIGSTOP)
                await poll(lab, clock, dice.randint(0, 3))
                await asyncio.sleep(dice.uniform(0, 0.6))
                broker.signal(signal.SIGCONT)
        await reconnected(lab, clock)
        await check_against_board(broker, lab)
    record_property("kills", kills)
    record_property("messages", status(lab).sent)


async def reconnected(lab: Lab, clock: SteppedClock) -> None:
    async with asyncio.timeout(20):
        while not status(lab).connected:
            clock.advance(MINUTE_MS)
            await asyncio.sleep(0.01)


async def test_a_restarted_lab_knows_the_cause_and_takes_away_what_left_the_site_file(
    broker: Broker, opened: OpenLab, clock: SteppedClock
) -> None:
    async with opened() as lab:
        await poll(lab, clock)
        lab.store.declare({"incubator_9/co2": lab.store.channels()["incubator_1/co2"]})
        await published(lab)
        before = await broker.retained()
        left_behind = json.dumps({"channel": "incubator_9/co2", "value": 5.0})
    async with aiomqtt.Client("127.0.0.1", broker.port) as other:
        await other.publish(f"{PREFIX}/channel/incubator_9/co2", left_behind, qos=1, retain=True)
    async with opened() as lab:
        await published(lab)
        after = await broker.retained()
        topic = f"{PREFIX}/alarm/incubator_1/co2/high"
        assert after[topic] == before[topic] and after[topic]["cause"].endswith("for 0 s")
        assert f"{PREFIX}/channel/incubator_9/co2" not in after
    async with opened(kind="low") as lab:
        await published(lab)
        after = await broker.retained()
        assert topic not in after and after[f"{PREFIX}/alarm/incubator_1/co2/low"]["state"] == "NORMAL"


async def test_a_wrong_password_is_said_and_costs_the_lab_nothing(
    broker: Broker, opened: OpenLab, clock: SteppedClock, tmp_path: Path
) -> None:
    broker.kill()
    passwords, own = tmp_path / "passwords", tmp_path / "own_password"
    subprocess.run((require_program("mosquitto_passwd"), "-b", "-c", passwords, "lab", "right"), check=True)
    broker.configure(f"listener {broker.port} 127.0.0.1", "allow_anonymous false", f"password_file {passwords}")
    broker.start()
    log_in = f'username = "lab"\npassword_file = "{own}"'
    own.write_text("wrong\n")
    async with opened(log_in) as lab:
        await until(lambda: status(lab).last_error is not None)
        await poll(lab, clock)
        said = health_of(lab)["mqtt"]
        assert isinstance(said, dict) and not said["connected"] and "Not authorized" in said["last_error"]
        assert "wrong" not in json.dumps(health_of(lab))
        assert lab.store.count() == len(lab.channels)
    own.write_text("right\n")
    async with opened(log_in) as lab:
        await published(lab)


def certificate(folder: Path, name: str) -> Path:
    key, found = folder / f"{name}.key", folder / f"{name}.pem"
    asked = ("-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
    command = (require_program("openssl"), "req", "-x509", *kind, *asked, "-keyout", key, "-out", found)
    subprocess.run(command, check=True, capture_output=True)
    return found


# The library leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning")
async def test_tls_trusts_the_named_certificates_only(broker: Broker, opened: OpenLab, tmp_path: Path) -> None:
    broker.kill()
    own, other = certificate(tmp_path, "own"), certificate(tmp_path, "other")
    broker.configure(f"listener {broker.port} 127.0.0.1", "allow_anonymous true", f"certfile {own}",
                     f"keyfile {own.with_suffix('.key')}")  # fmt: skip
    broker.start()
    async with opened(f'tls = true\nca_file = "{other}"') as lab:
        await until(lambda: status(lab).last_error is not None)
        assert "certificate verify failed" in str(status(lab).last_error)
    async with opened(f'tls = true\nca_file = "{own}"') as lab:
        await published(lab)
    gc.collect()


async def test_a_broker_that_hangs_is_noticed_and_keeps_nobody_waiting(
    broker: Broker, opened: OpenLab, clock: SteppedClock
) -> None:
    async with opened() as lab:
        await published(lab)
        broker.signal(signal.SIGSTOP)
        await poll(lab, clock)
        await until(lambda: status(lab).last_error is not None, 5)
        assert "timed out" in str(status(lab).last_error)
    broker.signal(signal.SIGCONT)
    await offline(broker)
    async with opened() as lab:
        await published(lab)
        broker.signal(signal.SIGSTOP)
        await poll(lab, clock)
        began = time.monotonic()
    assert time.monotonic() - began < 9
    broker.signal(signal.SIGCONT)
    await offline(broker)


async def test_a_failure_nobody_foresaw_is_said_and_got_over(
    broker: Broker, opened: OpenLab, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> NoReturn:
        raise KeyError("what nobody foresaw")

    async with opened() as lab:
        await published(lab)
        with monkeypatch.context() as patch:
            patch.setattr(lab.store, "latest", broken)
            await poll(lab, clock)
            await until(lambda: status(lab).last_error is not None)
            assert "what nobody foresaw" in str(status(lab).last_error)
            said = (await broker.retained())[f"{PREFIX}/status"]
            assert (said["state"], said["reason"], said["time"]) == ("offline", "lost", iso(clock.now()))
        await reconnected(lab, clock)
        await check_against_board(broker, lab)


async def offline(broker: Broker) -> None:
    """Return once somebody who comes now is told that nobody publishes."""
    async with asyncio.timeout(5):
        while (await broker.retained())[f"{PREFIX}/status"]["state"] != "offline":
            await asyncio.sleep(0.02)


async def test_a_port_that_says_nothing_leaves_nothing_behind(
    opened: OpenLab, broker: Broker, clock: SteppedClock
) -> None:
    broker.kill()
    calls: list[asyncio.StreamWriter] = []

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.append(writer)
        await reader.read()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", broker.port):
        async with opened("keepalive_s = 3600\ntimeout_s = 0.1") as lab:
            before = open_files()
            async with asyncio.timeout(15):
                while len(calls) < 4:
                    clock.advance(MINUTE_MS)
                    await asyncio.sleep(0.01)
            assert not status(lab).connected and "timed out" in str(status(lab).last_error)
            assert open_files() <= before + 3  # both ends of the call under way, and one that is closing
        await until(lambda: all(writer.is_closing() for writer in calls))
    names = [task.get_coro().__qualname__ for task in asyncio.all_tasks()]  # type: ignore[union-attr]
    assert not [name for name in names if "Client" in name or "Publisher" in name], names


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture
async def watcher(broker: Broker) -> AsyncIterator[Callable[[str], Awaitable[dict[str, Any]]]]:
    """Somebody else at the broker, who waits for the next status that says so."""
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        await client.subscribe(f"{PREFIX}/status", qos=1)

        async def says(state: str) -> dict[str, Any]:
            async with asyncio.timeout(20):
                async for message in client.messages:
                    assert isinstance(message.payload, bytes)
                    said: dict[str, Any] = json.loads(message.payload)
                    if said["state"] == state:
                        return said
            raise AssertionError("the connection ended")

        yield says


@pytest.mark.parametrize(("number", "reason"), [(signal.SIGKILL, "lost"), (signal.SIGTERM, "stopped")])
async def test_others_are_told_when_the_lab_ends(
    broker: Broker,
    incubator: int,
    tmp_path: Path,
    watcher: Callable[[str], Awaitable[dict[str, Any]]],
    number: signal.Signals,
    reason: str,
) -> None:
    (tmp_path / "site.toml").write_text(SITE.format(broker=broker.port, incubator=incubator, more="", kind="high"))
    command = (
        sys.executable,
        "-m",
        "cultureops",
        "run",
        str(tmp_path / "site.toml"),
        "--data-dir",
        str(tmp_path / "data"),
    )
    lab = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        since = (await watcher("online"))["online_since"]
        lab.send_signal(number)
        gone = await watcher("offline")
        assert await asyncio.to_thread(lab.wait, 10) == (0 if number is signal.SIGTERM else -number)
    finally:
        lab.kill()
        lab.wait()
    assert (gone["reason"], gone["online_since"], gone["site"]) == (reason, since, "Lab 1")
    assert (gone["time"] is None) == (reason == "lost")
    assert (await broker.retained())[f"{PREFIX}/status"] == gone


async def test_mosquitto_sub_reads_a_message(broker: Broker, opened: OpenLab, clock: SteppedClock) -> None:
    program = require_program("mosquitto_sub")
    async with opened() as lab:
        await poll(lab, clock)
        await published(lab)
        topic = f"{PREFIX}/channel/incubator_1/temperature"
        command = (program, "-p", str(broker.port), "-t", topic, "-C", "1", "-W", "5", "-F", "%r %q %p")
        out = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)
        retained, qos, payload = out.stdout.decode().split(" ", 2)
        assert (retained, qos) == ("1", "0")  # it asks for quality of service 0
        assert json.loads(payload)["source_time"] == iso(clock.now())
