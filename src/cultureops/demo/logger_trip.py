"""A logger's trip with a shipment: begun, read out to a file, and the file judged as anybody would judge it."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from cultureops.analysis.cold_chain import assess
from cultureops.attachments import keep_on_record
from cultureops.clock import MINUTE_MS
from cultureops.demo.fleet import Fleet
from cultureops.demo.lab import TIME_ZONE
from cultureops.lab import Lab
from cultureops.ledger.event import Actor, Source
from cultureops.logger_file import read_logger_file

__all__ = ["Trip", "begin_trip", "end_trip"]

_MINUTE_S = MINUTE_MS / 1000


@dataclass(frozen=True, slots=True)
class Trip:
    """What a logger saw on the way [°C, min], and its file's SHA-256."""

    min_c: float
    max_c: float
    out_of_range_min: float
    sha256: str


async def begin_trip(fleet: Fleet, logger: str) -> None:
    """Pack the logger and start it."""
    await fleet.act("start_logger", device=logger)


async def end_trip(lab: Lab, fleet: Fleet, logger: str, low_c: float | None, high_c: float) -> Trip:
    """Read the logger out and judge its trace; raises Unreadable for a file that is none."""
    file = Path((await fleet.act("read_logger", device=logger))["file"])
    contents = await asyncio.to_thread(file.read_bytes)
    trace = await asyncio.to_thread(read_logger_file, contents, file.name, zone=ZoneInfo(TIME_ZONE))
    await keep_on_record(lab.ledger, lab.attachments, contents, file.name, Actor(logger, "DEV"), Source.IMPORT)
    judged = assess(trace.times_ms, trace.values_c, low_c=low_c, high_c=high_c)
    return Trip(
        round(judged.min_c, 2),
        round(judged.max_c, 2),
        round((judged.out_of_range_s or 0.0) / _MINUTE_S, 1),
        hashlib.sha256(contents).hexdigest(),
    )
