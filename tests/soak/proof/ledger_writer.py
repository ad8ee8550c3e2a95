"""The ledger's writer whose power is cut: two ledgers on one file take turns, and say each word as it is given.

The key's event comes first, each append brings a signed head, and every head is anchored: key and anchor stand on
another disk, whose power stays.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

from cultureops.clock import MINUTE_MS, SeededEntropy, SteppedClock
from cultureops.ledger import Actor, KeyFolder, NewEvent, Source, SqlLedger
from cultureops.ledger.anchors import Anchors
from cultureops.ledger.settings import LedgerSettings

__all__ = ["ANCHOR", "event", "main"]

ANCHOR = "elsewhere.jsonl"

BULK = 8
"""Every so many appends a large one comes, so that the log is folded back and begun anew."""


def event(number: int) -> NewEvent:
    """Return what is appended as this number, counted from 1; each takes the place of the one before in its stream."""
    text = "x" * (1_500_000 if number % BULK == 0 else 100)
    place = f"place:{number % 3}/"
    return NewEvent(
        "moved",
        {"number": number, "text": text},
        Actor("tech-1", "technician"),
        Source.HUMAN,
        claims=(f"{place}{number}",),
        releases=(f"{place}{number - 3}",) if number > 3 else (),
    )


async def run(path: Path, appends: int, sessions: int) -> None:
    clock = SteppedClock(0)
    for session in range(sessions):
        keys = KeyFolder(path.parent.parent / "keys")
        ledgers = [SqlLedger.open(path, clock, SeededEntropy(2 * session + turn), keys=keys) for turn in range(2)]
        await ledgers[0].introduce_key()
        await ledgers[1].catch_up()
        anchors = Anchors(ledgers[0], LedgerSettings(files=(path.parent.parent / ANCHOR,)))
        for _ in range(appends):
            clock.advance(MINUTE_MS)
            number = ledgers[0].head().position
            await ledgers[number % 2].append(f"s{number % 3}", [event(number)], (number - 1) // 3)
            os.write(1, f"durable {number}\n".encode())
            await ledgers[1 - number % 2].catch_up()
            await anchors.settle(clock.now())
        for ledger in ledgers:
            await ledger.close()
    os.write(1, b"closed\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--appends", type=int, required=True)
    parser.add_argument("--sessions", type=int, default=1)
    options = parser.parse_args()
    asyncio.run(run(options.path, options.appends, options.sessions))


if __name__ == "__main__":
    main()
