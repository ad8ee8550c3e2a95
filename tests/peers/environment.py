"""Programs of others in virtual environments: made once, used again while their pins are the same."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Peer", "Unavailable", "listening", "prepared"]

HERE = Path(__file__).parent
PINS = HERE / "environments.toml"
ENVIRONMENTS = HERE.parents[1] / ".venv-peers"
INSTALLING_S = 150.0
MEANWHILE_S = 0.02


class Unavailable(Exception):
    """The environment could not be made, such as without a package index."""


@dataclass(frozen=True)
class Peer:
    """One program of others and the environment it lives in."""

    name: str
    folder: Path

    def program(self, name: str) -> str:
        """Path of a program of this environment."""
        return str(self.folder / "bin" / name)

    def run(
        self, script: str, *arguments: str, timeout_s: float = 30.0, meanwhile: Callable[[], object] | None = None
    ) -> Any:
        """Run ``scripts/<script>`` in the environment and return what it prints, which is one JSON value.

        ``meanwhile`` is called every 20 ms until the script ends, for instance to let lab time pass. Fails the test
        with the script's standard error when the script fails or takes longer than ``timeout_s``.
        """
        command = [self.program("python"), "-I", str(HERE / "scripts" / script), *arguments]
        ends = time.monotonic() + timeout_s
        with _running(command, subprocess.PIPE) as process:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    output, complaint = process.communicate(timeout=MEANWHILE_S if meanwhile else timeout_s)
                    break
                assert time.monotonic() < ends, f"{self.name}: {script} took longer than {timeout_s:g} s"
                if meanwhile is not None:
                    meanwhile()
        assert process.returncode == 0, f"{self.name}: {script} failed:\n{complaint.decode(errors='replace')}"
        return json.loads(output)

    @contextlib.contextmanager
    def serving(
        self, program: str, *arguments: str, port: int, also: tuple[int, ...] = (), deadline_s: float = 20.0
    ) -> Iterator[None]:
        """Run one of its programs as a server; it is ready when it listens on 127.0.0.1:``port`` and ``also``."""
        with listening([self.program(program), *arguments], port, also, deadline_s):
            yield


@contextlib.contextmanager
def listening(command: list[str], port: int, also: tuple[int, ...] = (), deadline_s: float = 20.0) -> Iterator[None]:
    """Run a server program that is ready when it listens on 127.0.0.1:``port`` and ``also``; kill it at the end."""
    with _running(command, subprocess.DEVNULL) as process:
        ends = time.monotonic() + deadline_s
        for awaited in (port, *also):
            while not _listens(awaited):
                assert process.poll() is None, f"{command[0]} ended before it listened on port {awaited}"
                assert time.monotonic() < ends, f"{command[0]} did not listen on port {awaited} in time"
                time.sleep(MEANWHILE_S)
        yield


def prepared(name: str) -> Peer:
    """Return a peer of `environments.toml`, its environment made if need be; raises Unavailable with the reason."""
    pins: list[str] = tomllib.loads(PINS.read_text())[name]["requirements"]
    wanted = "\n".join([sys.version, *pins])
    folder = ENVIRONMENTS / name
    stamp = folder / "made.txt"
    ENVIRONMENTS.mkdir(exist_ok=True)
    with (ENVIRONMENTS / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.is_file() or stamp.read_text() != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            _make(folder, pins)
            stamp.write_text(wanted)
    return Peer(name, folder)


def _make(folder: Path, pins: list[str]) -> None:
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--retries", "1"]
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [*pip, "install", "--quiet", "--no-deps", *pins],
        [*pip, "check"],
    ):
        try:
            made = subprocess.run(command, capture_output=True, text=True, timeout=INSTALLING_S)
        except subprocess.TimeoutExpired:
            raise Unavailable(f"{folder.name}: {' '.join(command[1:4])} took longer than {INSTALLING_S:g} s") from None
        if made.returncode:
            said = (made.stderr.strip() or made.stdout.strip()).splitlines()
            raise Unavailable(f"{folder.name}: can't install {', '.join(pins)}: {said[-1] if said else 'no reason'}")


@contextlib.contextmanager
def _running(command: list[str], output: int) -> Iterator[subprocess.Popen[bytes]]:
    alien = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=alien)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.2):
        return True
    return False
