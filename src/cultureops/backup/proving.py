"""Proof that what lies in a folder is the record it should be: chain, roots and counts, not only bytes."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from cultureops.anchor import SEALED, STREAM, check_roots
from cultureops.attachments import FOLDER, kept_in
from cultureops.attachments import STREAM as KEPT_FILES
from cultureops.backup.contents import DATA
from cultureops.backup.copying import Show, read_back
from cultureops.backup.manifest import MANIFEST, SEAL, Manifest, StoredFile
from cultureops.clock import Instant
from cultureops.errors import ChainBroken, Unreadable
from cultureops.ledger.event import decode
from cultureops.ledger.head import Head
from cultureops.ledger.origins import ORIGINS_FOLDER, examine_origins, recorded_heads
from cultureops.ledger.verify import read_stream, verify
from cultureops.ledger.whereabouts import open_reader
from cultureops.recording import LEDGER_FILE, TELEMETRY_FOLDER
from cultureops.telemetry.exchange import check
from cultureops.telemetry.reader import Reader

__all__ = ["Proof", "prove_copies", "prove_files", "prove_history"]

_LAST = text("SELECT canonical, hash FROM events ORDER BY position DESC LIMIT 1")


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found to be whole; readings and frames are counted from the first one ever."""

    head: Head
    events: int
    frames: int
    readings: int
    chunks: int
    sealed_readings: int
    roots: int
    newest_at: Instant


def prove_copies(data: Path, files: Iterable[StoredFile], fresh: Collection[str] | None = None) -> Proof:
    """Verify the ledger of a data folder that nobody writes, its readings by their roots in the ledger, its raw files.

    ``files`` are those of the backup, hashed already; ``fresh`` names those among them whose chunks are to be read,
    None is all. Whatever the ledger names has to be there. Raises ChainBroken, StorageError or Unreadable, naming the
    first that is not whole.
    """
    head = verify(data / LEDGER_FILE)
    _prove_raw_files(data, files)
    _prove_origins(data)
    sealed = [event for event in read_stream(data / LEDGER_FILE, STREAM) if event.type == SEALED]
    newest_at = _last_recorded(data / LEDGER_FILE)
    folder = data / TELEMETRY_FOLDER
    if not folder.is_dir():
        if sealed:
            raise ChainBroken(
                f"{folder}: is missing, and the ledger holds {len(sealed)} roots of it; put it back first"
            )
        return Proof(head, head.position, 0, 0, 0, 0, 0, newest_at)
    months = None if fresh is None else {Path(name).name for name in fresh if "/" in name}
    found = check(folder, months)
    roots = check_roots(folder, found.passes, sealed)
    newest_at = max(newest_at, _last_received(folder))
    return Proof(
        head, head.position, found.frames, found.readings, found.chunks, found.sealed_readings, roots, newest_at
    )  # fmt: skip


def _prove_origins(data: Path) -> None:
    """Raise ChainBroken where a hub's copy of a gateway's log is not whole, or not what the hub's record says."""
    _, findings = examine_origins(data / ORIGINS_FOLDER, recorded_heads(data / LEDGER_FILE))
    if findings:
        raise ChainBroken(f"{findings[0]}; put it back from an earlier backup")


def _prove_raw_files(data: Path, files: Iterable[StoredFile]) -> None:
    """Raise ChainBroken where a raw file that the ledger says was kept is not there, or holds other bytes."""
    found = {file.path.rpartition("/")[2]: file for file in files if file.path.startswith(f"{DATA}/{FOLDER}/")}
    for sha256, event in kept_in(read_stream(data / LEDGER_FILE, KEPT_FILES)).items():
        file = found.get(sha256)
        if file is None or file.sha256 != sha256:
            wrong = "is missing" if file is None else "holds other bytes"
            raise ChainBroken(
                f"{FOLDER}/{sha256[:2]}/{sha256}: {wrong}, and was kept at position {event.position} of the "
                "ledger; run `cultureops verify` and put it back from an earlier backup"
            )


def _last_recorded(ledger: Path) -> Instant:
    with closing(open_reader(ledger)) as connection:
        row = connection.execute(_LAST).first()
    return 0 if row is None else decode(*row).recorded_at


def _last_received(folder: Path) -> Instant:
    reader = Reader(folder)
    try:
        with reader.view() as view:
            return max((int(points.received_ms.max()) for points in view.latest().values()), default=0)
    finally:
        reader.close()


def prove_files(folder: Path, manifest: Manifest, show: Show = lambda _: None) -> None:
    """Compare every file of a backup with its manifest; raises Unreadable naming the first that differs, or is foreign.

    Nothing that is not named may lie there, and nothing may be a link, the folders included.
    """
    if folder.is_symlink():
        raise Unreadable(f"{folder}: is a link; name the backup itself")
    named = {file.path for file in manifest.files} | {MANIFEST, SEAL}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise Unreadable(f"{path}: is a link, which no backup holds; use another backup")
        if not path.is_dir() and inside not in named:
            raise Unreadable(f"{path}: is not named by the manifest; take it out, or use another backup")
    for file in manifest.files:
        if not (folder / file.path).is_file():
            raise Unreadable(f"{folder / file.path}: is missing; use another backup")
        length, sha256 = read_back(folder / file.path, show)
        if length != file.bytes:
            raise Unreadable(f"{folder / file.path}: has {length} bytes, {file.bytes} are noted; use another backup")
        if sha256 != file.sha256:
            raise Unreadable(f"{folder / file.path}: its SHA-256 is not the one noted; use another backup")
    if not any(file.path == f"{DATA}/{LEDGER_FILE}" for file in manifest.files):
        raise Unreadable(f"{folder}: holds no ledger; use another backup")


def prove_history(data: Path, manifest: Manifest) -> Proof:
    """Prove a restored data folder against its manifest; raises ChainBroken where head or counts are others."""
    proof = prove_copies(data, manifest.files)
    noted = manifest.counts
    if proof.head != manifest.head:
        raise ChainBroken(f"{data}: the ledger ends at {proof.head}, the manifest says {manifest.head}; use another")
    found = (proof.events, proof.readings, proof.sealed_readings, proof.chunks)
    if found != (noted.events, noted.readings, noted.sealed_readings, noted.chunks):
        raise ChainBroken(f"{data}: events, readings, sealed readings and chunks are {found}, noted are {noted}")
    return proof
