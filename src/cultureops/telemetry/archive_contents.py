"""What an archived month says of itself: its channels, and the digest over its readings."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import rfc8785

from cultureops.clock import HOUR_MS, Instant
from cultureops.device.channel import ChannelId, Kind
from cultureops.errors import ConfigError, Unreadable
from cultureops.telemetry.exchange import PARQUET
from cultureops.telemetry.local_time import zone_named
from cultureops.telemetry.month import hour_after
from cultureops.telemetry.parquet import FORMAT, ParquetFile, RowGroup
from cultureops.telemetry.points import Points
from cultureops.telemetry.store import ChannelInfo

__all__ = ["Archived", "Contents", "Digest", "Entry", "archived", "file_name", "month_range"]

_MONTH: Final = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")
_ROW: Final = np.dtype(
    [("source_ms", "<i8"), ("received_ms", "<i8"), ("value", "<f8"), ("quality", "u1"), ("reason", "u1")]
)
"""A reading as it is hashed; the value is the quiet NaN 0x7ff8000000000000 where BAD."""


@dataclass(frozen=True, slots=True)
class Archived:
    """What a month's file holds; ``sha256`` [hex] is over its readings and channels, not over its bytes."""

    month: str
    readings: int
    channels: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What a file says of a channel: how it was described, and how many readings with which SHA-256 [hex] it has."""

    channel: ChannelId
    info: ChannelInfo
    readings: int = 0
    sha256: str = ""

    def row(self) -> dict[str, str | int | bool]:
        """Return what stands of the channel in the file's notes."""
        info = self.info
        return {
            "channel": self.channel, "unit": info.unit, "decimals": info.decimals, "kind": info.kind.value,
            "verified": info.verified, "simulated": info.simulated, "readings": self.readings, "sha256": self.sha256,
        }  # fmt: skip

    @classmethod
    def of(cls, row: Mapping[str, object]) -> Entry:
        """Read what ``row`` wrote; raises KeyError, TypeError or ValueError."""
        info = ChannelInfo(
            str(row["unit"]), int(str(row["decimals"])), Kind(str(row["kind"])), bool(row["verified"]),
            bool(row["simulated"]),
        )  # fmt: skip
        return cls(str(row["channel"]), info, int(str(row["readings"])), str(row["sha256"]))


class Digest:
    """Counts and hashes readings channel by channel, however they are parted."""

    def __init__(self) -> None:
        self._hashes: dict[ChannelId, tuple[int, hashlib._Hash]] = {}

    def add(self, channel: ChannelId, points: Points) -> None:
        """Take readings of a channel, by time and then arrival."""
        count, sha256 = self._hashes.get(channel) or (0, hashlib.sha256())
        rows = np.empty(points.size, _ROW)
        for name, column in zip(_ROW.names or (), points.columns(), strict=True):
            rows[name] = column
        rows["value"][points.bad] = np.nan
        sha256.update(rows.tobytes())
        self._hashes[channel] = count + points.size, sha256

    def entries(self, infos: Mapping[ChannelId, ChannelInfo]) -> list[Entry]:
        """Return an entry for each of the channels, in their order."""
        counted = {name: (count, sha256.hexdigest()) for name, (count, sha256) in self._hashes.items()}
        return [Entry(name, info, *counted.get(name, (0, ""))) for name, info in infos.items()]


def _sha256(month: str, entries: Iterable[Entry]) -> str:
    """Return the SHA-256 of the month and one RFC 8785 line for each channel that has readings, by name."""
    held = sorted((entry for entry in entries if entry.readings), key=lambda entry: entry.channel)
    lines = [month.encode(), *(rfc8785.dumps(entry.row()) for entry in held)]
    return hashlib.sha256(b"".join(line + b"\n" for line in lines)).hexdigest()


def archived(month: str, entries: Sequence[Entry]) -> Archived:
    """Return what a file with these entries holds."""
    counts = [entry.readings for entry in entries]
    return Archived(month, sum(counts), sum(count > 0 for count in counts), _sha256(month, entries))


def month_range(month: str) -> tuple[Instant, Instant]:
    """Return begin and end of a month such as 2026-10 [ms UTC]; raise ConfigError for what is none."""
    found = _MONTH.fullmatch(month)
    if found is None or int(found[1]) == 0:
        raise ConfigError(f"{month!r} is no month; write e.g. 2026-10")
    begin = datetime(int(found[1]), int(found[2]), 1, tzinfo=UTC)
    return int(begin.timestamp()) * 1000, hour_after(month) * HOUR_MS


def file_name(month: str, *, so_far: bool) -> str:
    """Return what the file of a month is called; that of a month so far never bears the name of the whole one."""
    return f"{month}-so-far{PARQUET}" if so_far else f"{month}{PARQUET}"


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file says of itself; ``latest`` are the readings that were the store's last ones after ``frames``."""

    month: str
    zone: ZoneInfo
    entries: tuple[Entry, ...]
    latest: Mapping[ChannelId, Points]
    frames: int
    sha256: str
    groups: tuple[RowGroup, ...]

    @property
    def archived(self) -> Archived:
        """What the file says it holds."""
        counts = [entry.readings for entry in self.entries]
        return Archived(self.month, sum(counts), sum(count > 0 for count in counts), self.sha256)

    @classmethod
    def of(cls, file: ParquetFile) -> Contents:
        """Read the notes of a file; raises ConfigError for one that is no archive, Unreadable for a damaged one."""
        notes, path = file.notes, file.name
        if "month" not in notes:
            raise ConfigError(f"{path}: is no archive; give a file that `telemetry archive` wrote, or import this one")
        if notes.get("format") != FORMAT:
            raise Unreadable(
                f"{path}: is of format {notes.get('format')}, this program knows {FORMAT}; update cultureops first"
            )
        try:
            found = cls(
                notes["month"], zone_named(notes["zone"]), tuple(map(Entry.of, json.loads(notes["channels"]))),
                {name: _one_point(*row) for name, row in json.loads(notes["latest"]).items()}, int(notes["frames"]),
                notes["sha256"], file.row_groups(),
            )  # fmt: skip
            start, end = month_range(found.month)
        except (KeyError, TypeError, ValueError, AttributeError, ConfigError) as error:
            raise Unreadable(f"{path}: what the file says of itself is damaged: {error!r}") from None
        if any(not start <= group.first_ms <= group.last_ms < end for group in found.groups):
            raise Unreadable(f"{path}: holds readings that are not of {found.month}; take it from a backup")
        if {group.channel for group in found.groups} != {entry.channel for entry in found.entries if entry.readings}:
            raise Unreadable(f"{path}: channels and readings do not belong together; take it from a backup")
        return found


def _one_point(source_ms: int, received_ms: int, value: float | None, quality: int, reason: int) -> Points:
    return Points(
        np.array([source_ms]), np.array([received_ms]), np.array([np.nan if value is None else value]),
        np.array([quality], np.uint8), np.array([reason], np.uint8),
    )  # fmt: skip
