"""The processes beside us: servers of others, and workers that each drive one contestant."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self, TypeVar

__all__ = ["BenchError", "Server", "Worker", "disk_bytes", "forget_pages", "free_port", "program", "rotated", "scratch"]

ROOT: Final = Path(__file__).parent.parent
ROOM_BYTES: Final = 10 * 10**9
START_DEADLINE_S: Final = 60.0
STOP_DEADLINE_S: Final = 60.0

T = TypeVar("T")


class BenchError(Exception):
    """A measurement that could not be taken, and what to do."""


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """Make a folder for all files of one claim: on the disk of the working directory, or where TMPDIR says.

    Not in /tmp by default: that may be memory, where nothing is durable and everything fast. Raises BenchError when the
    disk is too full.
    """
    where = os.environ.get("TMPDIR") or "."
    if shutil.disk_usage(where).free < ROOM_BYTES:
        raise BenchError(f"{where} has less than {ROOM_BYTES // 10**9} GB free; free the disk or set TMPDIR")
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=where) as folder:
        yield Path(folder).resolve()


def program(name: str) -> str:
    """Return the path of a peer's program; raise BenchError when it is not installed."""
    found = shutil.which(name)
    if found is None:
        raise BenchError(f"{name} is not installed; `make services` installs it")
    return found


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def disk_bytes(*paths: Path) -> int:
    """Return what files and folders take on the disk [bytes], as ``du`` counts."""
    files = (file for path in paths for file in (path, *path.rglob("*")) if file.is_file())
    return sum(file.stat().st_blocks * 512 for file in files)


def forget_pages(folder: Path) -> None:
    """Have the kernel drop what it holds in memory of all files below a folder."""
    for file in folder.rglob("*"):
        if file.is_file():
            descriptor = os.open(file, os.O_RDONLY)
            try:
                os.fsync(descriptor)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)


def rotated(items: Sequence[T], by: int) -> list[T]:
    """Return the items begun at another one each round, so that nobody always follows the same neighbour."""
    by %= len(items)
    return [*items[by:], *items[:by]]


class _Process:
    """A program with a log file, ended at the latest when its ``with`` block ends."""

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str], *, piped: bool) -> None:
        self._name = Path(command[0]).name
        self._log = log
        pipe = subprocess.PIPE if piped else None
        with log.open("ab") as err:
            self.process = subprocess.Popen(
                command, stdin=pipe or subprocess.DEVNULL, stdout=pipe or err, stderr=err,
                env={**os.environ, **environment},
            )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """End the program; a server that breaks on the way has lost points, which nobody may take for small files."""
        self.stop()
        if kind is None and self.process.returncode not in (0, -signal.SIGTERM):
            raise self.failed("did not end in order")

    def stop(self) -> None:
        """End the program in order, or by force when it does not end."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def failed(self, what: str) -> BenchError:
        """Return the error that names the program, its state and the last line it logged."""
        code = self.process.poll()
        state = "still runs" if code is None else f"ended with {code}"
        lines = self._log.read_text(errors="replace").strip().splitlines() or ["nothing logged"]
        words = next((line for line in reversed(lines) if "panic" in line), lines[-1])
        return BenchError(f"{self._name}: {what}; it {state}; its log says: {words[:300]}")


class Server(_Process):
    """A peer that listens on a loopback port."""

    def __init__(self, command: Sequence[str], port: int, log: Path, environment: Mapping[str, str]) -> None:
        super().__init__(command, log, environment, piped=False)
        self.port = port

    def wait_ready(self, path: str) -> None:
        """Return once GET ``path`` succeeds; raise BenchError when it does not in time."""
        deadline = time.monotonic() + START_DEADLINE_S
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
                try:
                    connection.request("GET", path)
                    if connection.getresponse().status < 300:
                        return
                finally:
                    connection.close()
            time.sleep(0.02)
        self.stop()
        raise self.failed(f"did not answer GET {path}")


class Worker(_Process):
    """A Python process of its own that drives one contestant: one command a line in, one answer a line out."""

    def __init__(self, contestant: str, at: str, log: Path) -> None:
        command = [sys.executable, "-m", "benchmarks.worker", contestant, at]
        super().__init__(command, log, {"PYTHONPATH": str(ROOT)}, piped=True)
        self._name = f"worker of {contestant}"
        self._rest = b""

    def call(self, do: str, deadline_s: float = 600.0, **arguments: Any) -> dict[str, Any]:
        """Have the contestant do something and return its answer; raise BenchError when it fails or is late."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            raise self.failed(f"could not be told to {do}") from None
        answer: dict[str, Any] = json.loads(self._line(do, time.monotonic() + deadline_s))
        if "error" in answer:
            raise BenchError(f"{self._name}: {do}: {answer['error']}")
        return answer

    def stop(self) -> None:
        """Let the contestant close its files, then end."""
        assert self.process.stdin is not None and self.process.stdout is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_DEADLINE_S)
        super().stop()
        self.process.stdout.close()

    def _line(self, do: str, deadline: float) -> bytes:
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        while b"\n" not in self._rest:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise self.failed(f"{do} was not done in time")
            some = os.read(descriptor, 1 << 20)
            if not some:
                self.process.wait(STOP_DEADLINE_S)
                raise self.failed(f"{do} was not answered")
            self._rest += some
        line, _, self._rest = self._rest.partition(b"\n")
        return line
