"""A writer killed at any moment loses nothing that it has reported."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from cultureops.clock import SystemClock, SystemEntropy
from cultureops.ledger import SqlLedger, verify

WRITER = """
import asyncio, sys
from pathlib import Path
from cultureops.clock import SystemClock, SystemEntropy
from cultureops.ledger import Actor, NewEvent, Source, SqlLedger

async def main():
    ledger = SqlLedger.open(Path(sys.argv[1]), SystemClock(), SystemEntropy())
    event = NewEvent("counted", {"viability_pct": 96.5}, Actor("tech-1", "technician"), Source.HUMAN)
    for number in range(20_000):
        for recorded in await ledger.append(f"s{number % 3}", [event] * (1 + number % 4), None):
            print(recorded.position, recorded.hash, flush=True)

asyncio.run(main())
"""


def killed_run(path: Path, lines_before_kill: int) -> dict[int, str]:
    """Let a child append until it has reported so many events, kill it, and return what it reported."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            lines = [child.stdout.readline() for _ in range(lines_before_kill)]
        finally:
            child.kill()
        rest = child.stdout.read()  # not communicate(), which would miss what the line reader holds already
    reported = [line.split() for line in "".join([*lines, rest]).split("\n")[:-1]]
    return {int(position): chain_hash for position, chain_hash in reported}


def test_nothing_reported_is_lost_to_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    dice = random.Random(20260105)
    reported: dict[int, str] = {}
    for _ in range(5):
        reported |= killed_run(path, dice.randrange(5, 80))
        head = verify(path)
        ledger = SqlLedger.open(path, SystemClock(), SystemEntropy())
        stored = {event.position: event.hash for event in ledger.read_all()}
        ledger._reader.dispose()
        ledger._writer.dispose()
        assert head.position == len(stored) >= len(reported) > 0
        assert reported.items() <= stored.items()
