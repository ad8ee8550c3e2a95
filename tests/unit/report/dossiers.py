"""Dossiers of played batches, without a ledger file and with a chamber that somebody watched."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import numpy as np
from pypdf import PdfReader

from cultureops.acquisition import MeasuredChannel
from cultureops.analysis.exposure import ChannelExposure, exposure
from cultureops.clock import MINUTE_MS, Instant
from cultureops.device.channel import Channel, Kind
from cultureops.dossier import Dossier, Place, gather_dossier
from cultureops.equipment import Chamber, Declared, EquipmentRegister
from cultureops.ledger import Event
from cultureops.ledger.head import Head
from cultureops.ledger.signed_head import SignedHead
from cultureops.telemetry import Buckets, Gap, Watch

ZONE = ZoneInfo("Europe/Berlin")
TREE = SignedHead(77, "ab" * 32, 1_770_000_000_000, "0123456789abcdef", "00" * 64, "cd" * 32, "local")
TEMPERATURE = MeasuredChannel(
    "incubator_1/temperature", "incubator_1", "incubator_1", Channel("temperature", "Cel"), False, 60_000
)
DOOR = MeasuredChannel(
    "incubator_1/door", "incubator_1", "incubator_1", Channel("door", "1", Kind.STATE), False, 60_000
)


def place(*channels: MeasuredChannel, simulated: frozenset[str] = frozenset(), title: str = "Incubator <1>") -> Place:
    declared = Declared("incubator_1", "incubator", title, True, 1_900_000_000_000)
    return Place(
        "Lab 7",
        ZONE,
        {"incubator_1": Chamber("incubator_1", "incubator", title)},
        channels or (TEMPERATURE, DOOR),
        lambda: EquipmentRegister(chambers=[declared]),
        (),
        simulated,
    )


@dataclass(frozen=True)
class Shelf:
    """A ledger's streams, as lists."""

    events: Sequence[Event]

    def read(self, stream: str, after_version: int = 0) -> tuple[Event, ...]:
        return tuple(event for event in self.events if event.stream == stream)[after_version:]

    def head(self) -> Head:
        last = self.events[-1]
        return Head(last.position, last.hash)


@dataclass(frozen=True)
class Readings:
    """A reading a minute for the first hour of each stay, then nothing; ``door`` was open in its tenth minute."""

    value: float = 37.02
    asked: list[str] = field(default_factory=list)

    async def exposures(self, start: Instant, end: Instant, watches: Sequence[Watch]) -> tuple[ChannelExposure, ...]:
        at = start + MINUTE_MS * np.arange(60)
        usable = at <= end
        return tuple(
            exposure(at, np.full(60, self.value), usable, start, end, one.low, one.high, one.max_gap_ms)
            for one in watches
        )

    async def buckets(self, channel: str, start: Instant, end: Instant, count: int) -> Buckets:
        self.asked.append(channel)
        at = start + MINUTE_MS * np.arange(60)
        value = np.full(60, self.value) if channel.endswith("temperature") else (np.arange(60) == 9).astype(float)
        return Buckets(MINUTE_MS, at, value, value, value, np.ones(60, np.int64), np.zeros(60, np.int64))

    async def gaps(self, start: Instant, end: Instant, channels: Collection[str] | None = None) -> tuple[Gap, ...]:
        return ()


def dossier_of(
    events: Sequence[Event], batch_id: str = "B-2026-001", where: Place | None = None, **more: object
) -> Dossier:
    now = events[-1].recorded_at + MINUTE_MS
    return asyncio.run(gather_dossier(batch_id, Shelf(events), Readings(), where or place(), now, TREE))


def pages_of(pdf: bytes, first: int = 0, end: int | None = None) -> list[str]:
    """The text of some pages, blanks left out: a long word may be broken anywhere on paper. Slow: 0.1 s a page."""
    return [bare(page.extract_text()) for page in PdfReader(io.BytesIO(pdf)).pages[first:end]]


def bare(text: str) -> str:
    return "".join(text.split())
