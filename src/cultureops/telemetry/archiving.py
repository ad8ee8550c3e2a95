"""Writing a month of readings into one Parquet file beside a running store, and reading it back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

from cultureops.clock import Instant
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Quality
from cultureops.errors import ConfigError, StorageError, Unreadable
from cultureops.telemetry.archive_contents import Archived, Contents, Digest, archived, month_range
from cultureops.telemetry.exchange import Stretch, kept_readings
from cultureops.telemetry.parquet import FORMAT, ParquetFile, ParquetWriter
from cultureops.telemetry.reader import Reader
from cultureops.telemetry.store import ChannelInfo

__all__ = ["archive_month", "check_archive", "write_month"]


def archive_month(
    folder: Path, month: str, zone: ZoneInfo, out: BinaryIO, now: Instant, *, so_far: bool,
    show: Callable[[int, int], None],
) -> Archived:  # fmt: skip
    """Write all readings of a month, superseded ones too, by channel and time, read them back and compare.

    ``out`` is a new file open for writing and reading; ``show`` is told how many channels of how many are done.
    Nothing is taken out of the store. Raises ConfigError for a month that is not over or not sealed, unless ``so_far``
    asks for what there is; StorageError when it holds no readings or the file does not give back what was written.
    """
    start, end = month_range(month)
    if now < end and not so_far:
        raise ConfigError(f"{month} is not over in UTC; archive it then, or give --so-far for what there is")
    infos, notes = _look(folder, month, start, end, so_far=so_far)
    kept = kept_readings(folder, sorted(infos), start, end)
    found = write_month(kept, infos, month, zone, notes, out, show)
    if not found.readings:
        raise StorageError(f"{folder}: holds no readings of {month}")
    return found


def write_month(
    kept: Iterable[Stretch], infos: Mapping[ChannelId, ChannelInfo], month: str, zone: ZoneInfo,
    notes: Mapping[str, str], out: BinaryIO, show: Callable[[int, int], None],
) -> Archived:  # fmt: skip
    """Write readings of one month, by channel and time, to a file of the archives' layout, read them back and compare.

    ``infos`` describes every channel, ``notes`` hold ``latest`` and ``frames``. Raises StorageError when the file does
    not give back what was written.
    """
    names = sorted(infos)
    described = dict(infos)
    digest, writer, steps = Digest(), ParquetWriter(out, zone), 2 * len(names)
    for name, info, points in kept:
        digest.add(name, points)
        writer.write(name, info, points)
        described[name] = info
        show(names.index(name), steps)
    entries = digest.entries(described)
    found = archived(month, entries)
    rows = [entry.row() for entry in entries]
    writer.close(
        {**notes}
        | {"format": FORMAT, "month": month, "zone": zone.key, "readings": str(found.readings), "sha256": found.sha256}
        | {"channels": json.dumps(rows, ensure_ascii=False)}
    )
    out.flush()
    out.seek(0)
    with ParquetFile(out, "the file just written") as file:
        if _read_back(file, lambda name: show(len(names) + names.index(name), steps)) != found:
            raise StorageError(f"{month}: the file just written holds something else than the store; check the disk")
    return found


def _look(
    folder: Path, month: str, start: Instant, end: Instant, *, so_far: bool
) -> tuple[dict[ChannelId, ChannelInfo], dict[str, str]]:
    """Return the channels by number, and what to note of the moment; refuse what is not sealed."""
    reader = Reader(folder)
    try:
        with reader.view() as view:
            described = view.channels()
            waiting = view.unsealed(start, end).channel.size
            if waiting and not so_far:
                raise ConfigError(
                    f"{folder}: {waiting} readings of {month} are not sealed yet; a lab that runs seals them within "
                    "the hour, or give --so-far for what there is"
                )
            names = {number: name for name, (number, _) in described.items()}
            latest = {
                names[number]: [*(column.tolist()[0] for column in points.columns())]
                for number, points in view.latest().items()
                if start <= points.source_ms[0] < end
            }
            for row in latest.values():
                row[2] = None if row[3] == Quality.BAD else row[2]
            frames = view.journal.execute(
                "SELECT coalesce((SELECT max(seq) FROM frames), (SELECT seq FROM dropped))"
            ).fetchone()[0]
        infos = {name: info for name, (_, info) in described.items()}
        return infos, {"latest": json.dumps(latest, ensure_ascii=False), "frames": str(frames)}
    finally:
        reader.close()


def check_archive(path: Path) -> Archived:
    """Read a whole file and compare it with the SHA-256 it notes of itself; raise Unreadable when they differ."""
    with ParquetFile(path, str(path)) as file:
        noted = Contents.of(file).archived
        found = _read_back(file, lambda name: None)
        if found != noted:
            raise Unreadable(f"{path}: holds {found.readings} readings with SHA-256 {found.sha256}, noted were "
                             f"{noted.readings} with {noted.sha256}; take it from a backup")  # fmt: skip
        return found


def _read_back(file: ParquetFile, show: Callable[[ChannelId], None]) -> Archived:
    """Read every reading of a file and say what it holds."""
    contents = Contents.of(file)
    infos = {entry.channel: entry.info for entry in contents.entries}
    digest = Digest()
    for group in contents.groups:
        points = file.points(group)
        if not file.is_labelled(group, infos[group.channel], points):
            raise Unreadable(
                f"{file.name}: row group {group.number}: unit, simulated or superseded are not as noted of "
                f"{group.channel}; take the file from a backup"
            )
        digest.add(group.channel, points)
        show(group.channel)
    return archived(contents.month, digest.entries(infos))
