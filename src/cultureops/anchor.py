"""Every hour of sealed telemetry is anchored in the ledger: one event carries the Merkle root of its chunks.

A leaf is a chunk's number (8 bytes, big-endian) followed by its SHA-256, in the order of passes and numbers.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Final

import structlog

from cultureops.clock import HOUR_MS, MINUTE_MS, Instant, iso
from cultureops.errors import ChainBroken, StorageError
from cultureops.ledger.event import Actor, Event, NewEvent, Source
from cultureops.ledger.merkle import merkle_root
from cultureops.ledger.store import Ledger
from cultureops.telemetry.embedded import EmbeddedStore
from cultureops.telemetry.month import Pass

__all__ = ["SEALED", "STREAM", "Anchor", "check_roots"]

log = structlog.get_logger(__name__)

STREAM: Final = "telemetry"
SEALED: Final = "telemetry_sealed"
AFTER_THE_HOUR_MS: Final = 2 * MINUTE_MS
"""Readings that arrive so late are still part of their hour's first chunk."""
_ACTOR: Final = Actor("cultureops", "system")
_number: Final = attrgetter("number")


class Anchor:
    """Has full hours sealed, ``every_h`` [h] at a time, and writes the root of their chunks into the ledger."""

    def __init__(self, store: EmbeddedStore, ledger: Ledger, every_h: int = 1) -> None:
        self._store = store
        self._ledger = ledger
        self._every_ms = every_h * HOUR_MS
        self._next_ms: Instant = 0
        sealed = [event for event in ledger.read(STREAM) if event.type == SEALED]
        self._last_pass = last_pass(sealed[-1]) if sealed else 0

    def is_due(self, now: Instant) -> bool:
        """Whether an hour waits to be sealed."""
        return now >= self._next_ms

    async def settle(self, now: Instant) -> None:
        """Seal what is due and record it; what can't be done now is tried again in a minute.

        Raises StorageError when the ledger can't take the root; a store that can't seal says so itself.
        """
        if not self.is_due(now):
            return
        self._next_ms = now + MINUTE_MS
        before = (now - AFTER_THE_HOUR_MS) // self._every_ms * self._every_ms
        try:
            await self._store.seal(before)
        except StorageError as error:
            log.error("readings are not sealed; tried again", error=str(error))
            return
        passes = [found for found in await self._store.passes(self._last_pass) if found.chunks]
        if passes:
            await self._ledger.append(STREAM, [_event(passes, self._last_pass, now)], None)
            self._last_pass = passes[-1].number
        self._next_ms = before + self._every_ms + AFTER_THE_HOUR_MS


def last_pass(event: Event) -> int:
    """Return the last pass that an event stands for."""
    number = event.data["last_pass"]
    assert isinstance(number, int)
    return number


def _event(passes: Sequence[Pass], after: int, now: Instant) -> NewEvent:
    return NewEvent(
        SEALED,
        {
            "after_pass": after,
            "last_pass": passes[-1].number,
            "chunks": sum(len(found.chunks) for found in passes),
            "merkle_root": _root(passes).hex(),
        },
        _ACTOR,
        Source.SYSTEM,
        now,
    )


def _root(passes: Iterable[Pass]) -> bytes:
    return merkle_root(
        [number.to_bytes(8, "big", signed=True) + sha256 for found in passes for number, sha256 in found.chunks]
    )


def check_roots(folder: Path, passes: Sequence[Pass], events: Iterable[Event]) -> int:
    """Compare the chunks of a store with the roots in the ledger; return how many roots were compared.

    Raises ChainBroken, naming the first root that does not fit.
    """
    compared = 0
    passes = sorted(passes, key=_number)
    for event in events:
        if event.type != SEALED:
            continue
        after, last = event.data["after_pass"], last_pass(event)
        assert isinstance(after, int)
        found = passes[bisect_right(passes, after, key=_number) : bisect_right(passes, last, key=_number)]
        if _root(found).hex() != event.data["merkle_root"]:
            raise ChainBroken(
                f"{folder}: the chunks sealed until {iso(event.occurred_at)} (passes {after + 1} to {last}) are not "
                f"those of ledger position {event.position}; keep the files as evidence and restore a verified backup"
            )
        compared += 1
    return compared
