"""What the commands on the mirror do: read back whether its server holds the store, and send any range again."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from cultureops.batch.exposure import overlap
from cultureops.clock import DAY_MS, MINUTE_MS, Instant, SystemClock, iso
from cultureops.errors import ConfigError
from cultureops.keeping.batches import open_records
from cultureops.keeping.entry import instant, print_grid, print_json
from cultureops.outlets import labels_of
from cultureops.progress import steps
from cultureops.recording import TELEMETRY_FOLDER
from cultureops.site import Site, read_site
from cultureops.telemetry.agreement import HourDifference
from cultureops.telemetry.backfill import BackfillFile, Sent, backfill
from cultureops.telemetry.comparing import Copy, Kept, compare, open_copy
from cultureops.telemetry.influx import InfluxWriter
from cultureops.telemetry.line_protocol import Encoder
from cultureops.telemetry.mirror_settings import MirrorSettings
from cultureops.telemetry.selection import Selection, Span

__all__ = ["Wanted", "backfill_mirror", "backfilled", "compare_mirror", "compared"]

SHOWN_HOURS: Final = 50
_MAY_LAG_MS: Final = MINUTE_MS
"""The youngest readings are left out unless they are asked for: the mirror of a running lab is on its way to them."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which readings: a batch's, or those of some channels; ``start`` and ``end`` as ISO 8601. None: all."""

    batch: str | None = None
    channels: list[str] | None = None
    start: str | None = None
    end: str | None = None

    def plan(self, target: str) -> str:
        """Return what tells sending this from sending something else [SHA-256, hex]."""
        return hashlib.sha256(json.dumps([target, asdict(self)]).encode()).hexdigest()


def compare_mirror(data_dir: Path, site: Path, wanted: Wanted, *, as_json: bool) -> bool:
    """Print whether the server holds exactly what the store holds; return whether it does.

    Raises ConfigError for what is not there to be compared, StorageError when store or server can't be read.
    """
    found = asyncio.run(compared(data_dir, read_site(site), wanted))
    _show(found, as_json=as_json)
    return bool(found["holds"])


def backfill_mirror(data_dir: Path, site: Path, wanted: Wanted, most_per_s: float, *, as_json: bool) -> bool:
    """Send readings again, read them back and print what the server holds then; return whether that is all of them.

    Raises as ``compare_mirror``, Unavailable when the server stays away.
    """
    found = asyncio.run(backfilled(data_dir, read_site(site), wanted, most_per_s))
    _show(found, as_json=as_json)
    return bool(found["holds"])


async def compared(data_dir: Path, site: Site, wanted: Wanted) -> dict[str, Any]:
    """Return what ``compare_mirror`` prints."""
    async with _kept(data_dir) as kept:
        selection = await _selection(data_dir, site, kept, wanted)
        return await _read_back(site, kept, selection, wanted)


async def backfilled(data_dir: Path, site: Site, wanted: Wanted, most_per_s: float) -> dict[str, Any]:
    """Do what ``backfill_mirror`` does, and return what it prints."""
    settings = _settings(site)
    async with _kept(data_dir) as kept:
        selection = await _selection(data_dir, site, kept, wanted)
        file = BackfillFile(data_dir, wanted.plan(settings.target))
        writer = InfluxWriter(settings)
        try:
            with steps("sending") as show:
                encoder = Encoder(labels_of(site))
                sent = await backfill(kept, writer, encoder, selection, file, show, most_per_s=most_per_s)
        finally:
            writer.close()
        found = {"sent": _sent(sent)} | await _read_back(site, kept, selection, wanted)
        await asyncio.to_thread(file.forget)
        return found


@asynccontextmanager
async def _kept(data_dir: Path) -> AsyncIterator[Kept]:
    folder = data_dir / TELEMETRY_FOLDER
    if not await asyncio.to_thread(folder.is_dir):
        raise ConfigError(f"{folder}: no such folder; name the data folder of the lab with --data-dir")
    kept = await Kept.open(folder)
    try:
        yield kept
    finally:
        await asyncio.to_thread(kept.close)


@asynccontextmanager
async def _copy(site: Site) -> AsyncIterator[Copy]:
    settings = _settings(site)
    assert settings.read is not None, "a site file's mirror always says how it is read"
    copy = await open_copy(settings.read, site.name)
    try:
        yield copy
    finally:
        await copy.remote.close()


def _settings(site: Site) -> MirrorSettings:
    if site.influxdb is None:
        raise ConfigError("the site file names no server in [influxdb]; there is nothing to read back from")
    return site.influxdb


async def _selection(data_dir: Path, site: Site, kept: Kept, wanted: Wanted) -> Selection:
    """Return which readings are meant, some at least; raises ConfigError for a batch or channel that nobody knows."""
    start = 0 if wanted.start is None else instant(wanted.start, "--from")
    end = SystemClock().now() - _MAY_LAG_MS if wanted.end is None else instant(wanted.end, "--to")
    if end <= start:
        raise ConfigError(f"--from and --to: {iso(start)} to {iso(end)} is no stretch; the end comes after the start")
    meant = kept.everything(wanted.channels)
    if wanted.batch is not None:
        meant = await _lived_through(data_dir, site, meant, wanted.batch, (start, end))
    if not (selection := meant.within(start, end)).spans:
        raise ConfigError(f"nothing is kept of that from {iso(start)} to {iso(end)}; name what is in the store")
    return selection


async def _lived_through(data_dir: Path, site: Site, meant: Selection, batch: str, asked: Span) -> Selection:
    """Return a batch's own channels and, for as long as it stood there, those of its chambers."""
    batches = (await open_records(data_dir)).batch(batch)
    spans: dict[str, list[Span]] = {}
    for channel, own in meant.spans.items():
        if channel.startswith(f"batch:{batch}/"):
            spans[channel] = list(own)
    for device in site.every_device:
        if device.chamber is not None and (stays := overlap(batches, device.chamber, *asked)):
            spans |= {channel: list(stays) for channel in meant.spans if channel.startswith(f"{device.id}/")}
    return Selection.of(spans)


async def _read_back(site: Site, kept: Kept, selection: Selection, wanted: Wanted) -> dict[str, Any]:
    """Compare, and return what is printed."""
    rows: dict[str, dict[str, Any]] = {name: _row(name) for name in selection.spans}
    async with _copy(site) as copy:
        with steps("reading back") as show:
            async for piece, found in compare(kept, copy, selection, show):
                row = rows[piece.channel]
                row["here"] += found.here
                row["there"] += found.there
                digests = {"sha256_here": found.sha256_here, "sha256_there": found.sha256_there}
                counts = {"here": found.here, "there": found.there}
                if found.here or found.there:
                    row["days"].append({"day": _day(piece.start), **counts, **digests})
                row["hours"] += [_hour(hour) for hour in found.hours]
        is_whole = wanted == Wanted(end=wanted.end)
        strangers = sorted(set(copy.remote.channels()) - set(kept.numbers)) if is_whole else []
    spans = [span for own in selection.spans.values() for span in own]
    return {
        "server": _settings(site).target,
        "batch": wanted.batch,
        "from": iso(min(start for start, _ in spans)) if spans else None,
        "to": iso(max(end for _, end in spans)) if spans else None,
        "readings_here": sum(row["here"] for row in rows.values()),
        "readings_there": sum(row["there"] for row in rows.values()),
        "holds": not strangers and not any(row["hours"] for row in rows.values()),
        "unknown_channels_there": strangers,
        "channels": list(rows.values()),
    }


def _hour(found: HourDifference) -> dict[str, Any]:
    counts = asdict(found)
    return {"from": iso(counts.pop("from_ms")), **counts}


def _row(channel: str) -> dict[str, Any]:
    return {"channel": channel, "here": 0, "there": 0, "days": [], "hours": []}


def _day(at: Instant) -> str:
    return iso(at // DAY_MS * DAY_MS)[:10]


def _sent(sent: Sent) -> dict[str, Any]:
    refused = sorted(set(sent.refused))
    return {"readings": sent.readings, "outlived": sent.outlived, "refused": len(sent.refused), "answers": refused[:20]}


def _show(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    if (sent := found.get("sent")) is not None:
        late = f", {sent['outlived']} are older than the server keeps" if sent["outlived"] else ""
        print(f"{sent['readings']} readings sent, {sent['refused']} refused{late}")
        for answer in sent["answers"]:
            print(f"  refused: {answer}")
    print_grid(
        ("channel", "days", "readings here", "on the server", "hours that differ"),
        [
            (row["channel"], str(len(row["days"])), str(row["here"]), str(row["there"]), str(len(row["hours"]) or "-"))
            for row in found["channels"]
        ],
        "nothing is kept of that",
    )
    differing = [(row["channel"], hour) for row in found["channels"] for hour in row["hours"]]
    for channel, hour in differing[:SHOWN_HOURS]:
        told = ", ".join(f"{hour[kind]} {kind}" for kind in ("missing", "surplus", "changed", "doubled") if hour[kind])
        print(f"{channel} from {hour['from']}: {told}")
    if len(differing) > SHOWN_HOURS:
        print(f"and {len(differing) - SHOWN_HOURS} hours more; --json names them all")
    for name in found["unknown_channels_there"]:
        print(f"{name}: only the server knows it")
    verdict = "holds exactly" if found["holds"] else "does not hold"
    of = f" of batch {found['batch']}" if found["batch"] else ""
    print(
        f"{found['server']} {verdict} the {found['readings_here']} readings{of} from {found['from']} to {found['to']}; "
        f"it has {found['readings_there']}"
    )
