"""What the chambers did while a batch stood in them: Parquet for people, and the sealed chunks that prove it.

Parquet files are those of ``telemetry archive``, one a month, and hold the pack's channels within their windows alone.
Beside them lies every sealed chunk that the windows touch, byte for byte: its SHA-256 is a leaf under a Merkle root
that stands in the ledger. What is not sealed yet is in the Parquet files only, and is counted.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from struct import Struct
from typing import Any, Final
from zoneinfo import ZoneInfo

from cultureops.clock import HOUR_MS, Instant
from cultureops.device.channel import ChannelId
from cultureops.errors import Unreadable
from cultureops.ledger.event import Event
from cultureops.ledger.merkle import leaf_hash
from cultureops.pack.proof import Nodes
from cultureops.telemetry.archive_contents import Archived, file_name, month_range
from cultureops.telemetry.archiving import write_month
from cultureops.telemetry.exchange import Stretch, kept_readings
from cultureops.telemetry.month import ChunkRow, Pass, month_of
from cultureops.telemetry.reader import Reader
from cultureops.telemetry.store import ChannelInfo

__all__ = ["CHUNKS", "FOLDER", "ROOTS", "Readings", "Window", "merged", "write_readings"]

FOLDER: Final = "telemetry"
CHUNKS: Final = "telemetry/chunks.bin"
ROOTS: Final = "telemetry/roots.json"
_NO_NOTES: Final = {"latest": "{}", "frames": "0"}
_LENGTH: Final = Struct("<I")


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A stretch of one channel that belongs to the batch, ``start <= source time < end`` [ms UTC]."""

    channel: ChannelId
    start: Instant
    end: Instant


@dataclass(frozen=True, slots=True)
class Readings:
    """What was written: the months' files, how many chunks are anchored or not, and readings in no chunk yet."""

    months: tuple[Archived, ...] = ()
    anchored_chunks: int = 0
    unanchored_chunks: int = 0
    unsealed_readings: int = 0
    anchors: tuple[int, ...] = field(default=(), repr=False)
    """Ledger positions of the roots that anchor them."""


def merged(windows: Iterable[Window]) -> tuple[Window, ...]:
    """Return the windows by channel and time, those that touch as one."""
    found: list[Window] = []
    for window in sorted(one for one in windows if one.start < one.end):
        last = found[-1] if found else None
        if last is not None and last.channel == window.channel and window.start <= last.end:
            found[-1] = Window(last.channel, last.start, max(last.end, window.end))
        else:
            found.append(window)
    return tuple(found)


def write_readings(
    folder: Path, windows: Sequence[Window], sealed: Sequence[Event], zone: ZoneInfo, out: Path
) -> Readings:
    """Write ``telemetry/`` of a pack below ``out``; ``windows`` are merged, ``sealed`` the ledger's roots.

    A channel that was never declared has no readings. Raises Unreadable for damaged files, StorageError where Parquet
    does not give back what was written, ConfigError when pyarrow is missing.
    """
    if sealed and not folder.is_dir():
        raise Unreadable(f"{folder}: is missing, and the ledger holds {len(sealed)} roots of it; put it back first")
    if not windows or not folder.is_dir():
        return Readings()
    (out / FOLDER).mkdir()
    reader = Reader(folder)
    try:
        with reader.view() as view:
            channels = view.channels()
            known = [window for window in windows if window.channel in channels]
            rows = [
                row
                for window in known
                for _, row in view.chunk_rows(
                    channels[window.channel][0], window.start // HOUR_MS, -(-window.end // HOUR_MS)
                )
            ]
            unsealed = 0
            for window in known:
                waiting = view.unsealed(window.start, window.end)
                unsealed += int((waiting.channel == channels[window.channel][0]).sum())
            passes = sorted((found for month in view.months for found in month.passes(0)), key=_number)
    finally:
        reader.close()
    infos = {window.channel: channels[window.channel][1] for window in known}
    months = tuple(_write_months(folder, known, infos, zone, out / FOLDER))
    names = {str(number): name for name, (number, _) in channels.items() if name in infos}
    anchored, anchors = _write_chunks(rows, passes, sealed, names, out)
    return Readings(months, anchored, len({row.number for row in rows}) - anchored, unsealed, anchors)


def _write_months(
    folder: Path, windows: Sequence[Window], infos: Mapping[ChannelId, ChannelInfo], zone: ZoneInfo, out: Path
) -> Iterator[Archived]:
    for month, parts in _by_month(windows).items():
        target = out / file_name(month, so_far=False)
        with target.open("x+b") as file:
            kept = _kept(folder, parts)
            found = write_month(kept, infos, month, zone, _NO_NOTES, file, lambda done, steps: None)
        if found.readings:
            yield found
        else:
            target.unlink()


def _by_month(windows: Sequence[Window]) -> dict[str, list[Window]]:
    found: dict[str, list[Window]] = {}
    for window in windows:
        start = window.start
        while start < window.end:
            month = month_of(start // HOUR_MS)
            end = min(month_range(month)[1], window.end)
            found.setdefault(month, []).append(Window(window.channel, start, end))
            start = end
    return dict(sorted(found.items()))


def _kept(folder: Path, windows: Sequence[Window]) -> Iterator[Stretch]:
    for window in windows:
        yield from kept_readings(folder, [window.channel], window.start, window.end)


def _write_chunks(
    rows: Sequence[ChunkRow], passes: Sequence[Pass], sealed: Sequence[Event], names: Mapping[str, str], out: Path
) -> tuple[int, tuple[int, ...]]:
    """Write the chunks that a root in the ledger stands for, by root; return how many, and where the roots stand."""
    wanted = {row.number: row for row in rows}
    roots: list[dict[str, Any]] = []
    count = 0
    with (out / CHUNKS).open("xb") as file:
        for event in sealed:
            leaves = [
                (number, number.to_bytes(8, "big", signed=True) + sha256)
                for one in _of(event, passes)
                for number, sha256 in one.chunks
            ]
            nodes = Nodes(leaf_hash(leaf) for _, leaf in leaves)
            if not leaves or nodes.root.hex() != event.data["merkle_root"]:  # whichever are gone, may be the batch's
                raise Unreadable(
                    f"the chunks of ledger position {event.position} are not those that were anchored; run "
                    "`cultureops telemetry verify` and restore a verified backup"
                )
            chosen = [index for index, (number, _) in enumerate(leaves) if number in wanted]
            if not chosen:
                continue
            for index in chosen:
                row = wanted[leaves[index][0]]
                stamps = row.sealed_stamps()
                file.write(row.number.to_bytes(8, "big") + _LENGTH.pack(len(stamps)) + stamps)
                file.write(_LENGTH.pack(len(row.values)) + row.values)
            count += len(chosen)
            roots.append(
                {
                    "position": event.position,
                    "leaves": len(leaves),
                    "chunks": [[index, str(leaves[index][0]), wanted[leaves[index][0]].readings] for index in chosen],
                    "nodes": nodes.proving((0, index) for index in chosen),
                }
            )
    text = json.dumps({"version": 1, "channels": names, "roots": roots}, ensure_ascii=False, separators=(",", ":"))
    (out / ROOTS).write_text(text, encoding="utf-8")
    return count, tuple(root["position"] for root in roots)


def _of(event: Event, passes: Sequence[Pass]) -> Sequence[Pass]:
    """Return those of the passes, by number, that an event stands for."""
    try:
        after, last = int(str(event.data["after_pass"])), int(str(event.data["last_pass"]))
    except (KeyError, ValueError):
        return ()
    return passes[bisect_right(passes, after, key=_number) : bisect_right(passes, last, key=_number)]


_number: Final = attrgetter("number")
