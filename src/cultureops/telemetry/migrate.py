"""From format 1, one SQLite file with every frame, to the folder of format 2; the old file is kept beside it."""

from __future__ import annotations

import shutil
import sqlite3
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import structlog

from cultureops.device.channel import ChannelId
from cultureops.device.reading import Reading
from cultureops.errors import StorageError, Unreadable
from cultureops.telemetry.file import rename_durably
from cultureops.telemetry.frame import take_apart
from cultureops.telemetry.journal import Journal, read_channels
from cultureops.telemetry.month import ALL_HOURS
from cultureops.telemetry.points import Points, as_readings
from cultureops.telemetry.sealer import Sealer

__all__ = ["migrate", "old_file"]

log = structlog.get_logger(__name__)

SEAL_AFTER_READINGS: Final = 1_000_000
_HEAD: Final = struct.Struct("<BBHq")
_CRC: Final = struct.Struct("<I")


def old_file(folder: Path) -> Path:
    """Return where a store of format 1 would lie for this folder."""
    return folder.with_name(f"{folder.name}.sqlite")


def migrate(folder: Path) -> None:
    """Take over the store of format 1 beside the folder, if there is one; cut short, the next call begins again.

    Raises Unreadable, naming the frame, when the old file is damaged, StorageError when the new one can't be written.
    """
    old = old_file(folder)
    if not old.is_file():
        return
    if not folder.exists():
        unfinished = folder.with_name(f"{folder.name}.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            unfinished.mkdir()
            log.info("the readings are taken over into the new format", file=str(old))
            _copy(old, unfinished)
            rename_durably(unfinished, folder)
        except (sqlite3.Error, OSError) as error:
            raise StorageError(f"{old}: can't be taken over into {folder}: {error}; nothing was changed") from None
    rename_durably(old, old.with_name(f"{folder.name}-format-1.sqlite"))


def _copy(old: Path, folder: Path) -> None:
    source = sqlite3.connect(old, isolation_level=None)
    journal = Journal(folder)
    try:
        found = source.execute("PRAGMA user_version").fetchone()[0]
        if found != 1:
            raise Unreadable(f"{old}: is no telemetry store of format 1 (found {found}); move it elsewhere")
        channels = read_channels(source)
        names = {number: name for name, (number, _) in channels.items()}
        journal.write(channels, None)
        sealed = 0
        for readings in _frames(source, names, old):
            total = journal.write({}, take_apart(readings, journal.index)[1]).total
            if total - sealed >= SEAL_AFTER_READINGS:
                sealed = total
                _seal(folder, journal)
        _seal(folder, journal)
    finally:
        source.close()
        journal.close()


def _seal(folder: Path, journal: Journal) -> None:
    sealer = Sealer(folder, lambda: False)
    try:
        sealer.seal(journal.written.seq, ALL_HOURS)
        journal.drop_until(sealer.extent.floor)
    finally:
        sealer.close()
    while journal.has_to_drop:
        journal.write({}, None)


def _frames(source: sqlite3.Connection, names: dict[int, ChannelId], old: Path) -> Iterator[Sequence[Reading]]:
    for seq, payload in source.execute("SELECT seq, payload FROM frames ORDER BY seq"):
        try:
            yield list(_readings(payload, names))
        except (struct.error, ValueError, KeyError) as error:
            raise Unreadable(f"{old}: frame {seq} is damaged: {error}; restore the file from a backup") from None


def _readings(payload: bytes, names: dict[int, ChannelId]) -> Iterator[Reading]:
    version, wide, count, base = _HEAD.unpack_from(payload)
    if version != 1 or zlib.crc32(payload[: -_CRC.size]) != _CRC.unpack_from(payload, len(payload) - _CRC.size)[0]:
        raise ValueError("its checksum does not match its bytes")
    columns, at = [], _HEAD.size
    for dtype in ("<u4", "<i8" if wide else "<u4", "<i8" if wide else "<i4", "<f8", "u1", "u1"):
        columns.append(np.frombuffer(payload, dtype, count, at))
        at += columns[-1].nbytes
    channel, source, delay, value, quality, reason = columns
    source_ms = source.astype(np.int64) + base
    points = Points(source_ms, source_ms + delay.astype(np.int64), value, quality, reason)
    return as_readings([names[number] for number in channel.tolist()], points)
