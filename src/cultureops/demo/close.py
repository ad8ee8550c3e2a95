"""The last move: the record stays open until the last sterility culture has been read for the last time."""

from __future__ import annotations

from collections.abc import AsyncIterator

from cultureops.batch import commands as do
from cultureops.clock import Instant
from cultureops.demo.laboratory import Laboratory
from cultureops.demo.people import QUALITY_ASSURANCE
from cultureops.demo.work import Work

__all__ = ["close"]


async def close(work: Work, laboratory: Laboratory) -> AsyncIterator[Instant]:
    """Read what is due each morning, then close the record."""
    while True:
        yield work.next_morning()
        await laboratory.read_due()
        if not laboratory.has_open_tests():
            break
    await work.do(do.Close(), QUALITY_ASSURANCE)
