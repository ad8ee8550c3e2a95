"""A lab as a service: a real process tells a real socket how it is, is found healthy, and shows its measures."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.ports import free_port

from cultureops import app
from cultureops.healthy import problem

START_S = 40.0


async def test_what_runs_a_lab_tells_who_started_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site.toml"
    site.write_text('[site]\nname = "service"\n[web]\nport = 0\nmetrics = true\n')
    (tmp_path / "data").mkdir()
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "60000")
        async with asyncio.timeout(START_S):
            lab = asyncio.create_task(app._open_and_run(site, tmp_path / "data", app._lab_alone, app._check_alone))
            while not (said := (await loop.sock_recv(manager, 1000)).decode()).startswith("READY=1"):
                assert said == "WATCHDOG=1"
            port = int(said.rstrip("/").rpartition(":")[2])
            assert await loop.sock_recv(manager, 1000) == b"WATCHDOG=1"
            while await asyncio.to_thread(measure, port, "cultureops_loop_lag_seconds_count") == 0:
                await asyncio.sleep(0.02)
            lab.cancel()
            with pytest.raises(asyncio.CancelledError):
                await lab
            while (last := await loop.sock_recv(manager, 1000)) == b"WATCHDOG=1":
                pass
            assert last == b"STOPPING=1"


@pytest.mark.soak
def test_it_says_when_it_is_ready_that_it_lives_and_that_it_ends(tmp_path: Path) -> None:
    port, site = free_port(), tmp_path / "site.toml"
    site.write_text(f'[site]\nname = "service"\n[web]\nport = {port}\nmetrics = true\n')
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(START_S)
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "600000"}
        command = [sys.executable, "-m", "cultureops", "run", str(site), "--data-dir", str(tmp_path / "data")]
        lab = subprocess.Popen(command, env=os.environ | environment, stderr=subprocess.DEVNULL)
        try:
            said = [manager.recv(1000).decode()]
            while not said[-1].startswith("READY=1"):
                assert said[-1] == "WATCHDOG=1"
                said.append(manager.recv(1000).decode())
            assert f"127.0.0.1:{port}" in said[-1]
            assert problem(site) is None
            manager.settimeout(5)
            assert [manager.recv(1000) for _ in range(2)] == [b"WATCHDOG=1"] * 2
            assert measure(port, "cultureops_loop_lag_seconds_count") > 0
            lab.send_signal(signal.SIGSTOP)  # as a loop that hangs
            manager.settimeout(0.5)
            with contextlib.suppress(TimeoutError):
                while manager.recv(1000):
                    pass
            quiet_since = time.monotonic()
            lab.send_signal(signal.SIGCONT)
            manager.settimeout(5)
            assert manager.recv(1000) == b"WATCHDOG=1" and time.monotonic() - quiet_since < 5
            lab.send_signal(signal.SIGTERM)
            while (last := manager.recv(1000)) == b"WATCHDOG=1":
                pass
            assert last == b"STOPPING=1" and lab.wait(30) == 0
        finally:
            lab.kill()
            lab.wait()


def measure(port: int, name: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    )
