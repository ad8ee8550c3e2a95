"""Opening a pack on another host: taken out of its zip within bounds, verified, compared, and left for reading only."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from cultureops.clock import parse_iso
from cultureops.errors import ChainBroken, ConfigError, CultureOpsError, StorageError, Unreadable
from cultureops.pack import verify_pack as verifier
from cultureops.pack.readings import CHUNKS, FOLDER, ROOTS, Window
from cultureops.telemetry.archive import Archive
from cultureops.telemetry.archiving import check_archive
from cultureops.telemetry.exchange import PARQUET
from cultureops.telemetry.month import ChunkRow
from cultureops.telemetry.points import Points, join, settle

__all__ = ["Opened", "open_pack", "verify_pack"]

UNFINISHED: Final = ".new"
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Opened:
    """An opened pack: its batch, the ledger's size [events] and Merkle root [hex] then, and how much it holds.

    ``compared_readings`` are those that were found equal in Parquet and in chunks that the ledger anchors; of the rest
    only the seal says that they are as they were.
    """

    batch_id: str
    size: int
    root: str
    events: int
    readings: int
    compared_readings: int
    notes: tuple[str, ...]


def verify_pack(path: Path, known_head: str | None = None, known_key: str | None = None) -> verifier.Checked:
    """Check a zip or a folder as the stand-alone verifier does; blocks. Raises ConfigError for a head that is none."""
    try:
        pack = verifier.open_pack(str(path))
    except verifier.Refused as error:
        refused = verifier.Checked()
        refused.find(verifier.UNREADABLE, str(path), str(error))
        return refused
    try:
        return verifier.check_pack(pack, known_head, known_key)
    except ValueError as error:
        raise ConfigError(f"--head: {error}") from None
    finally:
        pack.close()


def open_pack(
    source: Path,
    target: Path,
    known_head: str | None = None,
    known_key: str | None = None,
    show: Callable[[int, int], None] = lambda done, steps: None,
) -> Opened:
    """Make a read-only folder of a pack; blocks. It gets its name when all of it is verified, and not before.

    Raises ConfigError for a target that is taken or a file that is not there, ChainBroken with the first things that
    are wrong, StorageError for a hostile zip or a full disk.
    """
    if os.path.lexists(target):
        raise ConfigError(f"{target} exists; name a new folder")
    if not source.is_file():
        raise ConfigError(f"{source}: no such file; name a pack that `pack write` wrote")
    unfinished = target.with_name(target.name + UNFINISHED)
    try:
        unfinished.mkdir()
    except OSError as error:
        raise ConfigError(f"{unfinished}: can't be made: {error.strerror or error}; name another folder") from None
    try:
        show(0, 3)
        _take_out(source, unfinished)
        show(1, 3)
        checked = verify_pack(unfinished, known_head, known_key)
        _refuse(source, checked)
        show(2, 3)
        readings, compared = _compare(unfinished)
        _lock(unfinished)
        unfinished.rename(target)
    except BaseException as error:
        _remove(unfinished)
        if isinstance(error, OSError):
            raise StorageError(f"{target}: can't be written: {error.strerror or error}; nothing was left") from None
        raise
    facts = checked.facts
    return Opened(
        batch_id=facts["batch"],
        size=facts["head"]["size"],
        root=facts["head"]["root"],
        events=facts["events"],
        readings=readings,
        compared_readings=compared,
        notes=tuple(checked.notes),
    )


def _take_out(source: Path, folder: Path) -> None:
    try:
        pack = verifier.Zip(str(source))
    except verifier.Refused as error:
        raise StorageError(f"{source}: refused: {error}; ask for the pack again") from None
    try:
        names = pack.names()
        needed, free = sum(pack.size(name) for name in names), shutil.disk_usage(folder).free
        if needed > free:
            raise StorageError(f"{folder}: has {free:,} bytes left, the pack needs {needed:,}; name another disk")
        for name in names:
            path = folder.joinpath(*name.split("/"))
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                for part in pack.parts(name):
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
    except verifier.DAMAGES as error:
        raise StorageError(f"{source}: {name}: can't be taken out: {error}; ask for the pack again") from None
    finally:
        pack.close()


def _refuse(source: Path, checked: verifier.Checked) -> None:
    if checked.findings:
        told = "; ".join(str(finding) for finding in checked.findings[:_SHOWN])
        more = f"; and {len(checked.findings) - _SHOWN} more" if len(checked.findings) > _SHOWN else ""
        raise ChainBroken(f"{source}: is not as it was written: {told}{more}; keep it as evidence, ask for it again")
    if checked.unchecked:
        raise StorageError(f"{source}: not all could be checked: {'; '.join(checked.unchecked)}")


def _compare(folder: Path) -> tuple[int, int]:
    """Compare Parquet files with their digests, and every sealed reading with them; count readings.

    Parquet may hold more only where the pack says how much was not sealed yet.
    """
    files = sorted((folder / FOLDER).glob(f"*{PARQUET}")) if (folder / FOLDER).is_dir() else []
    readings = sum(check_archive(file).readings for file in files)
    if not files or not (folder / ROOTS).is_file():
        return readings, 0
    manifest, roots = _json(folder / verifier.MANIFEST), _json(folder / ROOTS)
    try:
        windows = [Window(str(name), parse_iso(a), parse_iso(b)) for name, a, b in manifest["readings"]["windows"]]
        unsealed = int(manifest["readings"]["unsealed_readings"])
        unanchored = int(manifest["readings"]["unanchored_chunks"])
        numbers = {int(number): str(name) for number, name in roots["channels"].items()}
        sizes = {int(number): int(size) for root in roots["roots"] for _, number, size in root["chunks"]}
    except (KeyError, TypeError, ValueError, CultureOpsError) as error:
        raise Unreadable(f"{folder}: what the pack says of its readings can't be read: {error}") from None
    chunks = _chunks((folder / CHUNKS).read_bytes(), numbers, sizes)
    archive = Archive.open(folder / FOLDER)
    compared = beyond = 0
    try:
        for window in windows:
            if window.channel not in archive.channels():
                continue
            parts = [points for _, _, points in archive.kept([window.channel], window.start, window.end)]
            told = join(parts)
            sealed = join(chunks.get(window.channel, [])).between(window.start, window.end)
            sealed = sealed.at(settle(sealed))
            if not np.isin(_rows(sealed), _rows(told)).all():
                raise ChainBroken(f"{folder}: {window.channel}: Parquet and sealed readings differ; keep the pack")
            compared += sealed.size
            beyond += told.size - sealed.size
        if beyond > unsealed and not unanchored:
            raise ChainBroken(
                f"{folder}: {beyond} readings in Parquet are in no sealed chunk, and the pack says so of {unsealed}"
            )
    finally:
        archive.close()
    return readings, compared


def _chunks(data: bytes, numbers: dict[int, str], sizes: dict[int, int]) -> dict[str, list[Points]]:
    """Decode the chunks of ``chunks.bin`` by channel; raises Unreadable."""
    from cultureops.telemetry.month import Key

    found: dict[str, list[Points]] = {}
    at = 0
    while at < len(data):
        number = int.from_bytes(data[at : at + 8], "big", signed=True)
        stamps_end = at + 12 + int.from_bytes(data[at + 8 : at + 12], "little")
        end = stamps_end + 4 + int.from_bytes(data[stamps_end : stamps_end + 4], "little")
        stamps, values = data[at + 12 : stamps_end], data[stamps_end + 4 : end]
        name = numbers.get(Key.of(number).channel)
        if name is None or number not in sizes:
            raise Unreadable(f"{CHUNKS}: chunk {number} is of a channel that the pack does not name")
        row = ChunkRow(number, sizes[number], verifier.sha256(data[at:stamps_end], values), stamps, values)
        found.setdefault(name, []).append(row.points())
        at = end
    return found


def _rows(points: Points) -> np.ndarray:
    """Return readings as rows of bytes, so that they can be looked for; all that is no number is one value."""
    value = np.where(np.isnan(points.value), np.nan, points.value).view(np.int64)
    columns = (
        points.source_ms,
        points.received_ms,
        value,
        points.quality.astype(np.int64),
        points.reason.astype(np.int64),
    )
    rows = np.ascontiguousarray(np.stack(columns, axis=1))
    return rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1]))).reshape(-1)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise Unreadable(f"{path.name}: can't be read: {error}") from None


def _lock(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.chmod(0o555 if path.is_dir() else 0o444)


def _remove(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
