"""What the commands on backups do and show."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from cultureops.backup.manifest import MANIFEST, read_manifest
from cultureops.backup.records import STREAM, checked, failed, made, restored, taken_data
from cultureops.backup.restoring import Restored, head_of, restore_backup, try_backup, write_keys
from cultureops.backup.shelf import backups_in, newest
from cultureops.backup.taking import Taken, Wanted, take_backup
from cultureops.clock import Clock, SystemClock, iso
from cultureops.errors import ConfigError, CultureOpsError
from cultureops.keeping.entry import print_grid, print_json
from cultureops.ledger.event import JsonValue, NewEvent
from cultureops.ledger.pointer import POINTER_FILE
from cultureops.progress import steps
from cultureops.recording import open_ledger_beside
from cultureops.site import read_site

__all__ = ["check_backup", "list_backups", "make_backup", "restore_to"]

_COMMAND = "command"


def make_backup(
    data_dir: Path, shelf: Path | None, site_file: Path | None, keep: int, keys: Path | None, *, as_json: bool
) -> None:
    """Make a backup, record it, and print what it holds; ``keys`` is the file to write the secret keys to."""
    wanted = _wanted(data_dir, shelf, site_file, keep)
    if keys is not None and os.path.lexists(keys):
        raise ConfigError(f"{keys} exists; name a new file for the keys")
    try:
        with steps("backing up") as show:
            taken = take_backup(wanted, show=show)
    except ConfigError:
        raise
    except CultureOpsError as error:
        _record_if_possible(data_dir, failed(str(wanted.shelf), str(error), _COMMAND))
        raise
    asyncio.run(_record(data_dir, made(taken_data(taken), _COMMAND)))
    if keys is not None:
        write_keys(data_dir, taken.keys_left_out, keys)
    if as_json:
        print_json(taken_data(taken) | {"path": str(taken.folder), "keys": None if keys is None else str(keys)})
    else:
        _print_taken(taken, keys)


def _wanted(data_dir: Path, shelf: Path | None, site_file: Path | None, keep: int) -> Wanted:
    settings = None if site_file is None else read_site(site_file).backup
    if shelf is None and settings is None:
        raise ConfigError("--to: expected the folder to write to; give it, or --site with a section [backup]")
    if settings is None or shelf is not None:
        assert shelf is not None
        return Wanted(data_dir, shelf, site_file, keep)
    return Wanted(data_dir, settings.folder, site_file, keep or settings.keep, settings.keep_d, settings.reread_d)


def _print_taken(taken: Taken, keys: Path | None) -> None:
    manifest = taken.manifest
    print(
        f"{taken.folder}: {manifest.counts.events} events, {manifest.counts.readings} readings, "
        f"{len(manifest.files)} files of {manifest.total_bytes} bytes, {taken.copied_bytes} of them copied, "
        f"in {taken.seconds:.1f} s"
    )
    print(f"ledger head {manifest.head}; manifest SHA-256 {taken.sha256}")
    for name in taken.mended:
        print(f"  rotted in the earlier backup and copied anew: {name}")
    for name in taken.removed:
        print(f"  removed to make room: {name}")
    for line in manifest.left_out:
        print(f"  left out: {line}")
    if keys is not None:
        print(f"secret keys written to {keys}: keep it apart from the backup")
    elif taken.keys_left_out:
        print("secret keys are in no backup; --with-keys FILE writes them into a file of their own")


def check_backup(backup: Path, data_dir: Path | None, known: str | None, within: Path | None, *, as_json: bool) -> None:
    """Restore a backup on trial and print what was found; record it where a data folder is named."""
    folder = _chosen(backup)
    with steps("trying the backup") as show:
        found = try_backup(folder, SystemClock().now(), head_of(known), within, show)
    if data_dir is not None:
        asyncio.run(_record(data_dir, checked(found)))
    _print_restored(folder, found, "restored on trial", as_json=as_json)


def restore_to(
    backup: Path, data_dir: Path, known: str | None, keys: Path | None, *, as_json: bool, clock: Clock | None = None
) -> None:
    """Restore a backup into a new folder, say so in its ledger, and print what was measured."""
    folder, now = _chosen(backup), (clock or SystemClock()).now()
    with steps("restoring") as show:
        found = restore_backup(folder, data_dir, now, head_of(known), keys, show)
    asyncio.run(_record(data_dir, restored(found, now), clock))
    _print_restored(folder, found, f"restored to {data_dir}", as_json=as_json)
    if not as_json and any(line.startswith(POINTER_FILE) for line in found.manifest.left_out):
        move = f"cultureops ledger move --data-dir {data_dir} --to-postgresql SITE.toml"
        print(f"its ledger was in a database and is in the folder now; into an empty database: `{move}`")


def list_backups(shelf: Path, *, as_json: bool) -> None:
    """Print the backups of a folder; what is damaged is named as such."""
    rows: list[dict[str, JsonValue]] = []
    for folder in backups_in(shelf):
        try:
            manifest, sha256 = read_manifest(folder)
        except CultureOpsError as error:
            rows.append({"backup": folder.name, "problem": str(error)})
            continue
        rows.append(
            {
                "backup": folder.name,
                "made_at": iso(manifest.made_at),
                "events": manifest.counts.events,
                "readings": manifest.counts.readings,
                "bytes": manifest.total_bytes,
                "head": str(manifest.head),
                "manifest_sha256": sha256,
            }
        )
    if as_json:
        print_json(rows)
        return
    print_grid(
        ("backup", "events", "readings", "bytes", "head"),
        [
            (str(row["backup"]), *(str(row.get(key, "")) for key in ("events", "readings", "bytes")),
             str(row.get("head", row.get("problem")))[:60])
            for row in rows
        ],
        f"{shelf}: no backup is there",
    )  # fmt: skip


def _chosen(path: Path) -> Path:
    """Return a backup's folder, or the newest one that is whole by its manifest."""
    if (path / MANIFEST).is_file() or not path.is_dir() or not backups_in(path):
        return path
    found = newest(path)
    return backups_in(path)[-1] if found is None else found.folder


def _print_restored(folder: Path, found: Restored, what: str, *, as_json: bool) -> None:
    proof, manifest = found.proof, found.manifest
    if as_json:
        print_json(
            {
                "backup": str(folder),
                "events": proof.events,
                "head": str(proof.head),
                "readings": proof.readings,
                "chunks": proof.chunks,
                "roots": proof.roots,
                "data_until": iso(manifest.newest_at),
                "recovery_point_s": round(found.data_age_s, 3),
                "recovery_time_s": round(found.seconds, 3),
            }
        )
        return
    print(
        f"{folder}: {what}; {proof.events} events, head {proof.head}, {proof.readings} readings, "
        f"{proof.chunks} chunks, {proof.roots} roots: all as noted"
    )
    print(
        f"recovery point: data until {iso(manifest.newest_at)}, {found.data_age_s:.0f} s ago; "
        f"recovery time: {found.seconds:.1f} s"
    )


async def _record(data_dir: Path, event: NewEvent, clock: Clock | None = None) -> None:
    async with open_ledger_beside(data_dir, clock) as ledger:
        await ledger.append(STREAM, [event], None)


def _record_if_possible(data_dir: Path, event: NewEvent) -> None:
    """Record a failure; a ledger that is the cause of it can't take it."""
    try:
        asyncio.run(_record(data_dir, event))
    except CultureOpsError as error:
        print(f"cultureops: the failure is not on record: {error}", file=sys.stderr)
