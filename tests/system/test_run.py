"""A running lab is killed at random moments: nothing durable is missing, and the ledger verifies."""

import asyncio
import contextlib
import itertools
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from tests.at_the_pages import AtThePages, lay_out_people
from tests.ports import free_port

from cultureops.device.registry import driver_folder
from cultureops.ledger.verify import verify
from cultureops.telemetry.exchange import check

SITE = """
[site]
name = "kill"
[web]
port = {web_port}
[[chamber]]
id = "incubator_1"
class = "incubator"
[[device]]
id = "incubator_1"
chamber = "incubator_1"
driver = "modbus"
link = "modbus+tcp://127.0.0.1:{device_port}"
period_s = 0.02
simulated = true
options = {{ profile = "cultureops_virtual_incubator" }}
[[alarm]]
chamber = "incubator_1"
channel = "temperature"
kind = "high"
limit = 37.0
priority = "low"
consequence = "none: this alarm is set where the value lies, so that it chatters"
response = "none"
"""


@pytest.fixture
def incubator_port() -> Iterator[int]:
    port = free_port()
    profile = driver_folder("modbus") / "profiles" / "cultureops_virtual_incubator.toml"
    command = [sys.executable, "-m", "cultureops_simulators", "serve", "virtual_incubator"]
    simulator = subprocess.Popen(
        [*command, "--tcp", f"127.0.0.1:{port}", "--option", f"profile={profile}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    try:
        until(lambda: connects(port), "the simulated incubator listens")
        yield port
    finally:
        simulator.kill()
        simulator.communicate()


def connects(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def until(done: Any, what: str, within_s: float = 40.0) -> Any:
    last = time.monotonic() + within_s
    while time.monotonic() < last:
        if found := done():
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {within_s:g} s: {what}")


def health(port: int) -> dict[str, Any] | None:
    return at(port).read("/api/health")  # type: ignore[no-any-return]


@cache
def at(port: int) -> AtThePages:
    return AtThePages(port)


def start(site: Path, data_dir: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "cultureops", "run", str(site), "--data-dir", str(data_dir)]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


def kill_and_check(site: Path, data_dir: Path, web_port: int, moment: random.Random) -> tuple[int, int]:
    """Run, kill -9 at a random moment, and look for what had been called durable just before."""
    lab = start(site, data_dir)
    try:
        first = until(lambda: health(web_port), "the lab answers")
        until(lambda: (health(web_port) or first)["durable_frame"]["seq"] > first["durable_frame"]["seq"], "it stores")
        last = time.monotonic() + moment.uniform(0.0, 0.6)
        said = first
        while time.monotonic() < last:
            said = health(web_port) or said
        lab.send_signal(signal.SIGKILL)
    finally:
        lab.kill()
        lab.wait(10)
    durable, ledger = said["durable_frame"], said["ledger"]
    assert check(data_dir / "telemetry").frames >= durable["seq"]
    with contextlib.closing(sqlite3.connect(f"file:{data_dir / 'telemetry/journal.sqlite'}?mode=ro", uri=True)) as db:
        kept = db.execute("SELECT payload FROM frames WHERE seq = ?", (durable["seq"],)).fetchone()
        (dropped,) = db.execute("SELECT seq FROM dropped").fetchone()
    if kept is None:
        assert dropped >= durable["seq"]  # its readings are sealed
    else:
        assert sha256(kept[0]).hexdigest() == durable["sha256"]
    assert verify(data_dir / "ledger.sqlite").position >= ledger["position"]
    if ledger["position"]:
        with contextlib.closing(sqlite3.connect(f"file:{data_dir / 'ledger.sqlite'}?mode=ro", uri=True)) as db:
            (chain,) = db.execute("SELECT hash FROM events WHERE position = ?", (ledger["position"],)).fetchone()
        assert chain.hex() == ledger["hash"]
    return durable["seq"], ledger["position"]


def kills(rounds: int, tmp_path: Path, incubator_port: int) -> None:
    web_port, moment = free_port(), random.Random(20261121)
    site = tmp_path / "site.toml"
    site.write_text(SITE.format(web_port=web_port, device_port=incubator_port))
    lay_out_people(tmp_path / "data")
    seen = [kill_and_check(site, tmp_path / "data", web_port, moment) for _ in range(rounds)]
    print(f"{rounds} kills; durable frames and ledger positions last seen: {seen}")
    assert all(later > earlier for (earlier, _), (later, _) in itertools.pairwise(seen))
    assert seen[-1][1] > seen[0][1] or rounds < 3


def test_nothing_durable_is_lost_by_three_kills(tmp_path: Path, incubator_port: int) -> None:
    kills(3, tmp_path, incubator_port)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_nothing_durable_is_lost_by_twenty_kills(
    tmp_path: Path, incubator_port: int, record_property: Callable[[str, object], None]
) -> None:
    kills(20, tmp_path, incubator_port)
    record_property("kills", 20)


def test_mbpoll_agrees_with_the_stored_values(tmp_path: Path, incubator_port: int, mbpoll: str) -> None:
    """Setpoints stand still, so that two readers at different moments must see the same number."""
    web_port = free_port()
    site = tmp_path / "site.toml"
    site.write_text(SITE.format(web_port=web_port, device_port=incubator_port))
    lay_out_people(tmp_path / "data")
    lab = start(site, tmp_path / "data")
    try:
        until(lambda: (health(web_port) or {"readings_stored": 0})["readings_stored"], "it stores")
        stored = at(web_port).read("/api/latest")["readings"]
    finally:
        lab.send_signal(signal.SIGTERM)
        assert lab.wait(15) == 0
    asked = ["-m", "tcp", "-p", str(incubator_port), "-a", "1", "-0", "-r", "0", "-c", "6", "-t", "3:float", "-B", "-1"]
    read = subprocess.run([mbpoll, *asked, "127.0.0.1"], capture_output=True, text=True, timeout=20, check=True)
    lines = [line for line in read.stdout.splitlines() if line.startswith("[")]
    values = [float(line.split(":")[1].split()[0]) for line in lines]
    names = ("temperature", "co2", "humidity", "o2", "temperature_setpoint", "co2_setpoint")
    seen = dict(zip(names, values, strict=True))
    for name in ("temperature_setpoint", "co2_setpoint"):
        assert seen[name] == pytest.approx(stored[f"incubator_1/{name}"]["value"], abs=1e-3)
    for name, noise in (("temperature", 0.5), ("co2", 0.5), ("humidity", 3.0), ("o2", 0.5)):
        assert seen[name] == pytest.approx(stored[f"incubator_1/{name}"]["value"], abs=noise)


async def test_ctrl_c_ends_a_running_lab_cleanly(tmp_path: Path, incubator_port: int) -> None:
    web_port = free_port()
    site = tmp_path / "site.toml"
    site.write_text(SITE.format(web_port=web_port, device_port=incubator_port))
    await asyncio.to_thread(lay_out_people, tmp_path / "data")
    lab = await asyncio.to_thread(start, site, tmp_path / "data")
    await asyncio.to_thread(until, lambda: health(web_port), "the lab answers")
    lab.send_signal(signal.SIGINT)
    assert await asyncio.to_thread(lab.wait, 15) == 0
    log = tmp_path / "data" / "telemetry" / "journal.sqlite-wal"
    assert not log.exists() or log.stat().st_size == 0


def test_a_starting_lab_says_what_is_second_hand(tmp_path: Path) -> None:
    text = SITE.format(web_port=free_port(), device_port=1)
    text = text.replace('driver = "modbus"', 'driver = "thermo_heracell"').replace("modbus+tcp://", "tcp://")
    (tmp_path / "site.toml").write_text("\n".join(line for line in text.splitlines() if not line.startswith("options")))
    command = [sys.executable, "-m", "cultureops", "run", str(tmp_path / "site.toml"), "--data-dir", str(tmp_path)]
    lab = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert lab.stderr is not None
        said = next(line for line in lab.stderr if "second-hand" in line)
        assert "incubator_1/temperature" in said and "incubator_1/co2" in said
    finally:
        lab.terminate()
        lab.communicate(timeout=20)
