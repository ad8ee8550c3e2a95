"""What a read over Modbus RTU takes beyond the time its bytes take on the wire, beside a loop around pymodbus alone.

The line is a pseudo-terminal with the pace of a real one, served by a process of its own (paced_line.py).
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from benchmarks.paced_line import wire_s
from benchmarks.process import ROOT, BenchError
from benchmarks.rows import Row, row
from benchmarks.rtu_reader import REGISTERS

__all__ = ["measure"]

SPEEDS: Final = {9_600: 3.0, 19_200: 3.0, 115_200: 10.0}
"""The most a read may take beyond the wire [%] by baud rate."""
ROUNDS: Final = 5
READS: Final = {9_600: 40, 19_200: 80, 115_200: 300}
READERS: Final = ("cultureops", "pymodbus")
DEADLINE_S: Final = 120


def measure(shrink: int = 1, rounds: int = ROUNDS) -> list[Row]:
    """Return a row for each speed: the median read of each round as a share beyond the wire [%]."""
    return [_measure(speed, most, max(5, READS[speed] // shrink), rounds) for speed, most in SPEEDS.items()]


def _measure(baudrate: int, most_pct: float, reads: int, rounds: int) -> Row:
    beyond: dict[str, list[float]] = {name: [] for name in READERS}
    with _line(baudrate) as port:
        for turn in range(rounds):
            for name in READERS[:: 1 if turn % 2 else -1]:
                median_s = statistics.median(_read(name, port, baudrate, reads))
                beyond[name].append(100 * (median_s / wire_s(baudrate, REGISTERS) - 1))
    name = f"Modbus RTU at {baudrate:,} Bd, {REGISTERS} registers: beyond the time on the wire"
    return row(name, beyond["cultureops"], "%", "pymodbus, uvloop", beyond["pymodbus"], f"value <= {most_pct:g}")


@contextmanager
def _line(baudrate: int) -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.paced_line", str(baudrate)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(timeout=10)


def _read(name: str, port: str, baudrate: int, reads: int) -> list[float]:
    command = [sys.executable, "-m", "benchmarks.rtu_reader", name, port, str(baudrate), str(reads)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False, cwd=ROOT)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing said"])[-1]
        raise BenchError(f"rtu_reader {name} ended with {done.returncode}: {last}")
    found: list[float] = json.loads(done.stdout)
    return found
