"""Looking after the stores: what is kept is verified, written out for others, archived by the month.

What a lab is made of is imported where it is needed: most of this has no use for it.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from cultureops.access.signature import check_signatures
from cultureops.clock import Instant, SystemClock, parse_iso
from cultureops.errors import ConfigError
from cultureops.ledger.head import parse_head
from cultureops.ledger.verify import read_stream, verify
from cultureops.ledger.whereabouts import storage_at
from cultureops.progress import patience, steps
from cultureops.recording import SITE_FILE, TELEMETRY_FOLDER, ledger_in
from cultureops.telemetry.archive import Archive, is_archive
from cultureops.telemetry.archive_contents import file_name, month_range
from cultureops.telemetry.archiving import archive_month, check_archive
from cultureops.telemetry.exchange import (
    PARQUET,
    UTC,
    Stretch,
    check,
    kept_readings,
    write_csv,
    write_parquet,
)
from cultureops.telemetry.local_time import zone_named
from cultureops.telemetry.whole_file import whole_file

__all__ = ["archive_telemetry", "export_telemetry", "verify_ledger", "verify_telemetry"]

_END_OF_TIME: Final = 253_402_300_800_000


def verify_ledger(data_dir: Path, known: str | None, *, as_json: bool) -> None:
    """Hash every stored event again and say where the chain ends; ``known`` is a head noted elsewhere."""
    where = ledger_in(data_dir)
    head = verify(where, None if known is None else parse_head(known), check_signatures)
    if as_json:
        print(json.dumps({"events": head.position, "head": head.hash}))
    else:
        print(f"{storage_at(where).name}: {head.position} events, chain unbroken, head {head}")


def verify_telemetry(data_dir: Path, *, as_json: bool) -> None:
    """Compare every frame and chunk with its checksum, and every sealed hour with its root in the ledger."""
    folder = data_dir / TELEMETRY_FOLDER
    if (archive := _archive_in(data_dir)) is not None:
        _verify_archive(archive, as_json=as_json)
        return
    from cultureops.anchor import STREAM, check_roots

    ledger = ledger_in(data_dir)
    verify(ledger)
    with patience(f"reading {folder}"):
        events = read_stream(ledger, STREAM)  # first: what is sealed meanwhile has no event here
        found = check(folder)
        roots = check_roots(folder, found.passes, events)
    if as_json:
        counts = {"frames": found.frames, "readings": found.readings, "chunks": found.chunks}
        print(json.dumps(counts | {"sealed_readings": found.sealed_readings, "roots": roots}))
    else:
        print(
            f"{folder}: {found.readings} readings in {found.frames} frames, {found.sealed_readings} of them sealed "
            f"in {found.chunks} chunks; {roots} roots in the ledger, all as sealed"
        )


def _verify_archive(path: Path, *, as_json: bool) -> None:
    """Compare every file of an archive with the SHA-256 it notes of its readings."""
    with patience(f"reading {path}"):
        Archive.open(path).close()
        files = [path] if path.is_file() else sorted(path.glob(f"*{PARQUET}"))
        found = [check_archive(file) for file in files]
    if as_json:
        print(json.dumps({"archives": [asdict(one) for one in found]}))
        return
    for one in found:
        print(f"{one.month}: {one.readings} readings of {one.channels} channels, SHA-256 {one.sha256} as noted")


def export_telemetry(
    data_dir: Path, out: Path, channels: list[str] | None, start: str | None, end: str | None, zone: str | None
) -> None:
    """Write readings of a data folder or an archive as Parquet or CSV; '-' is CSV on standard output."""
    first = 0 if start is None else parse_iso(start)
    last = _END_OF_TIME if end is None else parse_iso(end)
    with _readings(data_dir, channels, first, last, zone) as (kept, where):
        if str(out) == "-":
            write_csv(kept, sys.stdout, where)
            return
        with patience(f"writing {out}"), whole_file(out) as file:
            if out.suffix.lower() == PARQUET:
                count = write_parquet(kept, file, where)
            else:
                text = io.TextIOWrapper(file, encoding="utf-8", newline="")
                count = write_csv(kept, text, where)
                text.detach()
    print(f"{count} readings written to {out}, UTC offsets of {where.key}", file=sys.stderr)


@contextmanager
def _readings(
    data_dir: Path, channels: list[str] | None, start: Instant, end: Instant, zone: str | None
) -> Iterator[tuple[Iterator[Stretch], ZoneInfo]]:
    """Give what a data folder or an archive holds, and the zone that was asked for or is the source's own."""
    asked_for = None if zone is None else zone_named(zone)
    if (path := _archive_in(data_dir)) is None:
        kept = kept_readings(data_dir / TELEMETRY_FOLDER, channels, start, end)
        yield kept, asked_for or _zone_of(data_dir)
        return
    archive = Archive.open(path)
    try:
        yield archive.kept(channels, start, end), asked_for or archive.zone
    finally:
        archive.close()


def _archive_in(path: Path) -> Path | None:
    """Return the archive that a path is or, as an opened pack does, holds in place of a store; None for a store."""
    folder = path / TELEMETRY_FOLDER
    if folder.exists():
        return folder if is_archive(folder) else None
    return path if is_archive(path) else None


def _zone_of(data_dir: Path) -> ZoneInfo:
    """Return the time zone of the site file in a data folder, UTC where there is none."""
    from cultureops.site import read_site

    site_file = data_dir / SITE_FILE
    return read_site(site_file).zone if site_file.is_file() else UTC


def archive_telemetry(data_dir: Path, month: str, out: Path, zone: str | None, *, so_far: bool, as_json: bool) -> None:
    """Write one month's readings to a Parquet file of its own, read back before it gets its name."""
    month_range(month)
    where = _zone_of(data_dir) if zone is None else zone_named(zone)
    if not out.is_dir():
        raise ConfigError(f"{out}: no such folder; make it first")
    target = out / file_name(month, so_far=so_far)
    with whole_file(target) as file, steps(f"archiving {month}") as show:
        found = archive_month(
            data_dir / TELEMETRY_FOLDER, month, where, file, SystemClock().now(), so_far=so_far, show=show
        )
    if as_json:
        print(json.dumps({"file": str(target), **asdict(found)}))
    else:
        print(f"{target}: {found.readings} readings of {found.channels} channels, SHA-256 {found.sha256}")
