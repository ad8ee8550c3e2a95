"""What the commands on raw files do: keep one that a person will name in a step, list what is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from cultureops.attachments import MOST_BYTES, STREAM, Attachments, keep_on_record, kept_in
from cultureops.clock import SystemClock, iso
from cultureops.errors import ConfigError
from cultureops.keeping.entry import Entry, entering, ledger_of, print_grid, print_json
from cultureops.keeping.proof import proven
from cultureops.ledger.event import Source

__all__ = ["keep_files", "list_files"]


def keep_files(data_dir: Path, files: Sequence[Path], entry: Entry, *, as_json: bool) -> None:
    """Keep files as they are, in a person's name, and print the SHA-256 of each, by which steps name them.

    Raises ConfigError for what is no file, AccessError where the person is not who they say, StorageError where a file
    can't be kept; those before it are kept then.
    """
    for file in files:
        _check_plain(file)
    kept = asyncio.run(_keep(data_dir, files, entry))
    if as_json:
        print_json([{"file": str(file), "sha256": sha256} for file, sha256 in kept])
    else:
        print("\n".join(f"{sha256}  {file}" for file, sha256 in kept))


async def _keep(data_dir: Path, files: Sequence[Path], entry: Entry) -> list[tuple[Path, str]]:
    attachments, kept, person = Attachments(data_dir), [], entry.person()
    async with entering(data_dir, SystemClock()) as (ledger, desk):
        await proven(desk, person, entry.secret)
        for file in files:
            contents = await asyncio.to_thread(_contents, file)
            kept.append((file, await keep_on_record(ledger, attachments, contents, file.name, person, Source.IMPORT)))
    return kept


def _check_plain(file: Path) -> None:
    """Refuse what is no file before anybody is asked for a password; a pipe or a device never ends."""
    if not file.is_file():
        raise ConfigError(f"{file}: {'is no plain file' if file.exists() else 'no such file'}; name a file")


def _contents(file: Path) -> bytes:
    try:
        _check_plain(file)
        with file.open("rb") as opened:
            contents = opened.read(MOST_BYTES + 1)
        if len(contents) > MOST_BYTES:
            raise ConfigError(f"{file}: has more than {MOST_BYTES:,} bytes; keep large files elsewhere, by their hash")
        return contents
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror or error}; name a file that can be read") from None


def list_files(data_dir: Path, *, as_json: bool) -> None:
    """Print what is kept, the oldest first, and whether it is there."""
    rows = asyncio.run(_rows(data_dir))
    if as_json:
        print_json(rows)
        return
    columns = ("recorded_at", "sha256", "size_bytes", "source_file", "is_there")
    print_grid(
        ("kept", "SHA-256", "bytes", "file", "is there"),
        [[str(row[name]) for name in columns] for row in rows],
        "no raw file is kept",
    )


async def _rows(data_dir: Path) -> list[dict[str, object]]:
    attachments = Attachments(data_dir)
    async with ledger_of(data_dir, SystemClock()) as ledger:
        return [
            {
                "sha256": sha256,
                "size_bytes": event.data.get("size_bytes"),
                "source_file": event.data.get("source_file"),
                "actor": event.actor.id,
                "recorded_at": iso(event.recorded_at),
                "is_there": attachments.holds(sha256),
            }
            for sha256, event in kept_in(ledger.read(STREAM)).items()
        ]
