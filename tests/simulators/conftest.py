"""A fleet in a process of its own, driven over its control port by blocking sockets with deadlines."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

DEADLINE_S = 5.0
PROFILES = Path(__file__).parents[2] / "drivers/cultureops_drivers/modbus/profiles"
WITHOUT_UVLOOP = "import sys; sys.modules['uvloop'] = None; from cultureops_simulators.__main__ import main; main()"


class RunningFleet:
    """The test's end of a fleet."""

    def __init__(self, config_file: Path, with_uvloop: bool) -> None:
        start = ("-m", "cultureops_simulators") if with_uvloop else ("-c", WITHOUT_UVLOOP)
        self.process = subprocess.Popen(
            [sys.executable, *start, "fleet", "--config", str(config_file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the fleet ended before it was ready"
        ready = json.loads(line)
        self.devices: dict[str, dict[str, str]] = ready["devices"]
        self._dialled: list[socket.socket] = []
        self.control = self.dial(ready["control"])
        self._replies = self.control.makefile("rb")

    def dial(self, address: str) -> socket.socket:
        host, port = address.split(":")
        self._dialled.append(socket.create_connection((host, int(port)), timeout=DEADLINE_S))
        return self._dialled[-1]

    def connect(self, device: str) -> socket.socket:
        return self.dial(self.devices[device]["tcp"])

    def send_line(self, line: bytes) -> dict[str, Any]:
        self.control.sendall(line + b"\n")
        reply: dict[str, Any] = json.loads(self._replies.readline())
        return reply

    def ask(self, cmd: str, **fields: Any) -> dict[str, Any]:
        return self.send_line(json.dumps({"cmd": cmd, **fields}).encode())

    def do(self, cmd: str, **fields: Any) -> dict[str, Any]:
        reply = self.ask(cmd, **fields)
        assert reply["ok"], reply
        return reply

    def step(self, minutes: int) -> None:
        for _ in range(minutes):
            self.do("step", dt_s=60.0)

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> int:
        self._replies.close()
        for connection in self._dialled:
            connection.close()
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        try:
            return self.process.wait(DEADLINE_S)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()


class Terminal:
    """A serial port opened by its path."""

    def __init__(self, path: str) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)

    def send(self, data: bytes) -> None:
        os.write(self.fd, data)

    def receive(self, count: int, deadline_s: float = DEADLINE_S) -> bytes:
        """Read ``count`` bytes; fewer if the deadline passes or the line hangs up."""
        data, ends = b"", time.monotonic() + deadline_s
        while len(data) < count and (left := ends - time.monotonic()) > 0:
            if select.select([self.fd], [], [], left)[0]:
                try:
                    part = os.read(self.fd, count - len(data))
                except OSError:
                    break
                if not part:
                    break
                data += part
        return data

    def close(self) -> None:
        os.close(self.fd)


@pytest.fixture
def devices(tmp_path: Path) -> list[dict[str, Any]]:
    """One instrument of each kind."""
    tcp = {"tcp": "127.0.0.1:0"}
    incubator = {"profile": str(PROFILES / "cultureops_virtual_incubator.toml")}
    cryostore = {"profile": str(PROFILES / "cultureops_virtual_cryostore.toml")}
    return [
        {"name": "incubator_1", "kind": "virtual_incubator", "wire": tcp, "options": incubator},
        {"name": "probe_4", "kind": "vaisala_gmp252", "wire": {"pty": None}, "options": {"inside": "heracell_4"}},
        {"name": "heracell_4", "kind": "thermo_heracell", "wire": {"pty": str(tmp_path / "heracell")}},
        {"name": "mve_1", "kind": "mve_tec3000", "wire": tcp},
        {"name": "cryostore_2", "kind": "virtual_cryostore", "wire": tcp, "options": cryostore},
        {"name": "counter_1", "kind": "vicell_blu", "options": {"folder": str(tmp_path / "counts")}},
    ]


StartFleet = Callable[..., RunningFleet]


@pytest.fixture
def start_fleet(tmp_path: Path, devices: list[dict[str, Any]]) -> Iterator[StartFleet]:
    running: list[RunningFleet] = []

    def start(seed: int = 7, with_uvloop: bool = True) -> RunningFleet:
        config = tmp_path / f"fleet_{len(running)}.json"
        config.write_text(json.dumps({"seed": seed, "start": "2026-01-05T08:00:00Z", "devices": devices}))
        running.append(RunningFleet(config, with_uvloop))
        return running[-1]

    yield start
    for fleet in running:
        fleet.end()


@pytest.fixture
def fleet(start_fleet: StartFleet) -> RunningFleet:
    return start_fleet()


@pytest.fixture
def open_terminal() -> Iterator[Callable[[str], Terminal]]:
    opened: list[Terminal] = []

    def open_path(path: str) -> Terminal:
        opened.append(Terminal(path))
        return opened[-1]

    yield open_path
    for terminal in opened:
        terminal.close()


@pytest.fixture
def acceptance_folder() -> Path:
    folder = os.environ.get("CULTUREOPS_ACCEPTANCE_DATA")
    if not folder:
        pytest.skip("CULTUREOPS_ACCEPTANCE_DATA is not set: no real exports to compare with")
    return Path(folder)
