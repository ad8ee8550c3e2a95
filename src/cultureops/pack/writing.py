"""Writing a pack: files into a folder, the manifest over them, its seal, and a zip of it all."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.resources import files as resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, Final
from zoneinfo import ZoneInfo

from cultureops.anchor import SEALED
from cultureops.anchor import STREAM as TELEMETRY
from cultureops.attachments import Attachments
from cultureops.clock import Instant, iso
from cultureops.errors import StorageError, Unreadable
from cultureops.ledger.event import Event, decode
from cultureops.ledger.head import GENESIS
from cultureops.ledger.keys import SigningKey
from cultureops.ledger.merkle import leaf_hash
from cultureops.ledger.signed_head import SignedHead
from cultureops.ledger.table import read_rows
from cultureops.ledger.whereabouts import Whereabouts, open_reader, storage_at
from cultureops.pack.contents import Contents
from cultureops.pack.crate import CRATE, crate
from cultureops.pack.proof import Nodes, peaks
from cultureops.pack.readings import CHUNKS, ROOTS, Readings, write_readings
from cultureops.pack.schema import event_schema

__all__ = [
    "EVENTS", "FORMAT", "MANIFEST", "PROOF", "SEAL", "SEAL_DOMAIN", "VERIFIER", "VERSION", "Source", "Stamp", "Written",
    "write_pack",
]  # fmt: skip

FORMAT: Final = "cultureops-pack"
VERSION: Final = 1
MANIFEST: Final = "manifest.json"
SEAL: Final = "manifest.sig.json"
EVENTS: Final = "events.jsonl"
PROOF: Final = "proof.json"
SCHEMA: Final = "schema.json"
README: Final = "README.txt"
VERIFIER: Final = "verify_pack.py"
SEAL_DOMAIN: Final = b"cultureops pack manifest 1\x00"
"""Begins what is signed of a manifest: then comes its SHA-256."""
_PACKED_ALREADY: Final = (".parquet", ".bin", ".pdf")
_WHAT: Final = {
    EVENTS: "every event of the batch and all that it rests on, one a line, exactly as it was hashed",
    PROOF: "how each event leads to the signed root of the ledger",
    SCHEMA: "what an event looks like",
    README: "how to verify and read this pack",
    VERIFIER: "the verifier: one file, Python 3.8 or later",
    "site.json": "chambers and channels of the site",
    "record.pdf": "the batch record",
    "record.json": "the batch record as data",
    CHUNKS: "the sealed readings, as they were anchored",
    ROOTS: "how each sealed chunk leads to a root in the ledger",
}


@dataclass(frozen=True, slots=True)
class Stamp:
    """A time stamp that somebody else gave on the head of ``size`` events: RFC 3161 token [DER], and what it covers."""

    size: int
    authority: str
    token: bytes
    covers: bytes


@dataclass(frozen=True, slots=True)
class Source:
    """Where a pack comes from: where the ledger is, the folder of readings, the raw files, the site's zone."""

    ledger: Whereabouts
    telemetry: Path
    attachments: Attachments
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: events, files, readings, and the head that all of it is proven against."""

    head: SignedHead
    events: int
    files: int
    readings: Readings
    missing_files: tuple[str, ...] = field(default=())


def write_pack(
    contents: Contents,
    source: Source,
    heads: Sequence[SignedHead],
    key: SigningKey,
    papers: Mapping[str, bytes],
    now: Instant,
    out: BinaryIO,
    beside: Path,
    *,
    stamps: Sequence[Stamp] = (),
    show: Callable[[int, int], None] = lambda done, steps: None,
) -> Written:
    """Write a zip; blocks. ``heads`` are the ledger's, by size: the last one is what everything is proven against.

    ``key`` is the one that signed it, ``papers`` are further files by path, ``beside`` is a folder for what is under
    way; ``show`` is told how many steps of how many are done. Raises Unreadable where the ledger, the readings or a raw
    file are not what they were, StorageError where something can't be written.
    """
    with TemporaryDirectory(prefix=".pack-", dir=beside) as name:
        folder = Path(name)
        try:
            written = _fill(folder, contents, source, heads, key, papers, now, stamps, show)
            show(3, 4)
            _zip(folder, out, now)
        except OSError as error:
            raise StorageError(
                f"the pack of {contents.batch_id}: can't be written: {error}; nothing was left"
            ) from None
        return written


def _fill(
    folder: Path, contents: Contents, source: Source, heads: Sequence[SignedHead], key: SigningKey,
    papers: Mapping[str, bytes], now: Instant, stamps: Sequence[Stamp], show: Callable[[int, int], None],
) -> Written:  # fmt: skip
    head = heads[-1]
    show(0, 4)
    tree, sealed = _read_ledger(source.ledger, head, contents.events)
    show(1, 4)
    readings = write_readings(source.telemetry, contents.windows, sealed, source.zone, folder)
    show(2, 4)
    anchored = set(readings.anchors)
    events = {event.position: event for event in contents.events}
    events |= {event.position: event for event in sealed if event.position in anchored}
    ordered = [events[position] for position in sorted(events)]
    with (folder / EVENTS).open("xb") as file:
        file.writelines(event.canonical + b"\n" for event in ordered)
    told = _stamped(folder, stamps)
    proof = _proof(tree, ordered, heads, {stamp.size for stamp in stamps}) | {"anchors": told}
    _put_json(folder / PROOF, proof, indent=None)
    _put_json(folder / SCHEMA, event_schema(), indent=None)
    missing = _copy_files(folder, contents, source.attachments)
    for path, content in papers.items():
        target = folder / path
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content)
    (folder / VERIFIER).write_bytes(resources("cultureops.pack").joinpath(VERIFIER).read_bytes())
    (folder / README).write_text(_readme(contents, head, readings, missing, key, now), encoding="utf-8")
    described = {path: (size, sha256, _what(path, contents)) for path, size, sha256 in _listing(folder)}
    made_by = version("cultureops")
    _put_json(
        folder / CRATE,
        crate(f"Audit pack of {contents.title}", _about(head), iso(now), described, head.root, made_by),
    )
    listing = _listing(folder)
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "made_by": f"cultureops {made_by}",
        "made_at": iso(now),
        "origin": head.origin,
        "batch_id": contents.batch_id,
        "batch_version": contents.batch_version,
        "events": len(ordered),
        "head": head.data(),
        "readings": {
            "months": [{"month": one.month, "readings": one.readings, "sha256": one.sha256} for one in readings.months],
            "windows": [[one.channel, iso(one.start), iso(one.end)] for one in contents.windows],
            "anchored_chunks": readings.anchored_chunks,
            "unanchored_chunks": readings.unanchored_chunks,
            "unsealed_readings": readings.unsealed_readings,
        },
        "missing_files": list(missing),
        "files": [{"path": path, "size": size, "sha256": sha256} for path, size, sha256 in listing],
    }
    text = _put_json(folder / MANIFEST, manifest)
    seal = {
        "algorithm": "Ed25519",
        "key_id": key.public.id,
        "public_key": key.public.raw.hex(),
        "signature": key.sign(SEAL_DOMAIN + hashlib.sha256(text).digest()).hex(),
    }
    _put_json(folder / SEAL, seal)
    return Written(head, len(ordered), len(listing) + 2, readings, missing)


@dataclass(slots=True)
class _Tree:
    """What one walk over the ledger gives: all nodes of its tree, and the chain hashes around the chosen events."""

    nodes: Nodes
    chain: dict[int, tuple[bytes, bytes]]


def _read_ledger(path: Whereabouts, head: SignedHead, events: Iterable[Event]) -> tuple[_Tree, list[Event]]:
    """Walk over the ledger once; raise Unreadable where it is not what its head or the chosen events say."""
    wanted = {event.position: event for event in events}
    chain: dict[int, tuple[bytes, bytes]] = {}
    sealed: list[Event] = []
    leaves: list[bytes] = []
    previous, name = GENESIS, storage_at(path).name
    connection = open_reader(path)
    try:
        for row in read_rows(connection):
            if row.position > head.size:
                break
            leaves.append(leaf_hash(row.canonical))
            if row.stream == TELEMETRY:
                event = decode(row.canonical, row.hash)
                if event.type == SEALED:
                    sealed.append(event)
                    chain[row.position] = previous, row.hash
            if (chosen := wanted.get(row.position)) is not None:
                chain[row.position] = previous, row.hash
                if chosen.canonical != row.canonical:
                    raise Unreadable(f"{name}: position {row.position} changed while it was read; verify the ledger")
            previous = row.hash
    finally:
        connection.close()
    nodes = Nodes(leaves)
    if (nodes.size, nodes.root.hex(), previous.hex()) != (head.size, head.root, head.chain_hash):
        raise Unreadable(f"{name}: is not what its head of {head.size} events signs; run `cultureops verify`")
    return _Tree(nodes, chain), sealed


def _proof(tree: _Tree, events: Sequence[Event], heads: Sequence[SignedHead], stamped: set[int]) -> dict[str, Any]:
    """Return ``proof.json``: the head, and nodes that lead every event, and the older heads that matter, to its root.

    Heads that matter were signed with a signature of a person in this pack, or stamped by somebody else.
    """
    signed = [event.position for event in events if "signatures" in event.data]
    older = {head.size: head for head in heads[:-1] if head.size in stamped}
    sizes = iter(heads[:-1])
    at = next(sizes, None)
    for position in signed:
        while at is not None and at.size < position:
            at = next(sizes, None)
        if at is not None:
            older[at.size] = at
    wanted = [(0, event.position - 1) for event in events]
    parts = [part for size in older for part in peaks(size)]
    nodes = {(level, index): text for level, index, text in tree.nodes.proving([*wanted, *parts])}
    nodes |= {(level, index): tree.nodes.hash(level, index).hex() for level, index in parts}
    chain = [(event.position, *(one.hex() for one in tree.chain[event.position])) for event in events]
    return {
        "version": VERSION,
        "head": heads[-1].data(),
        "chain": chain,
        "nodes": [[level, index, text] for (level, index), text in sorted(nodes.items())],
        "heads": [older[size].data() for size in sorted(older)],
    }


def _stamped(folder: Path, stamps: Sequence[Stamp]) -> list[dict[str, Any]]:
    """Write tokens and what they cover, so that any RFC 3161 tool can check them; return what is told of them."""
    told = []
    for number, stamp in enumerate(stamps, 1):
        (folder / "anchors").mkdir(exist_ok=True)
        token, covers = f"anchors/{number}.tsr", f"anchors/{number}.head"
        (folder / token).write_bytes(stamp.token)
        (folder / covers).write_bytes(stamp.covers)
        told.append({"size": stamp.size, "authority": stamp.authority, "token": token, "covers": covers})
    return told


def _copy_files(folder: Path, contents: Contents, attachments: Attachments) -> tuple[str, ...]:
    """Copy the raw files, each read and hashed; return what was kept once and is gone, which verify tells too."""
    missing = []
    for sha256 in sorted(contents.files):
        try:
            raw = attachments.read(sha256)
        except Unreadable:
            raise
        except StorageError:
            missing.append(sha256)
            continue
        (folder / "attachments").mkdir(exist_ok=True)
        (folder / "attachments" / sha256).write_bytes(raw)
    return tuple(missing)


def _listing(folder: Path) -> list[tuple[str, int, str]]:
    """Return path, size [bytes] and SHA-256 [hex] of every file, by path."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            found.append((path.relative_to(folder).as_posix(), path.stat().st_size, sha256))
    return sorted(found)


def _put_json(target: Path, value: Any, indent: int | None = 1) -> bytes:
    separators = None if indent else (",", ":")
    text = json.dumps(value, ensure_ascii=False, indent=indent, separators=separators, allow_nan=False).encode() + b"\n"
    with target.open("xb") as file:
        file.write(text)
    return text


def _zip(folder: Path, out: BinaryIO, now: Instant) -> None:
    """Pack the folder; the manifest comes first, so that a listing begins with it."""
    year, month, day, hour, minute, second = (
        int(part) for part in iso(now)[:19].replace("T", "-").replace(":", "-").split("-")
    )
    paths = sorted((path for path, _, _ in _listing(folder)), key=lambda path: (path not in (README, MANIFEST), path))
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for path in paths:
            info = zipfile.ZipInfo(path, (max(year, 1980), month, day, hour, minute, second))
            info.external_attr = 0o100444 << 16
            info.compress_type = zipfile.ZIP_STORED if path.endswith(_PACKED_ALREADY) else zipfile.ZIP_DEFLATED
            with (folder / path).open("rb") as source, file.open(info, "w", force_zip64=True) as target:
                while part := source.read(1 << 20):
                    target.write(part)


def _what(path: str, contents: Contents) -> str:
    if path in _WHAT:
        return _WHAT[path]
    kind, _, name = path.partition("/")
    if kind == "attachments":
        return f"raw file {contents.files.get(name, '')}"
    return {"telemetry": "readings of the batch's chambers", "labels": "printed labels", "anchors": "time stamp"}.get(
        kind, path
    )


def _about(head: SignedHead) -> str:
    return (
        f"Everything that is on record of one batch of an autologous cell product, proven against the ledger of node "
        f"{head.origin} at {head.size} events. Supports inspection; see {README}."
    )


def _readme(
    contents: Contents, head: SignedHead, readings: Readings, missing: Sequence[str], key: SigningKey, now: Instant
) -> str:
    """Return what a reader in thirty years needs."""
    template = resources("cultureops.pack").joinpath("readme.txt").read_text(encoding="utf-8")
    return template.format(
        title=contents.title,
        made_at=iso(now),
        size=head.size,
        root=head.root,
        printed=head.printed,
        chain_hash=head.chain_hash,
        key_id=key.public.id,
        anchored=readings.anchored_chunks,
        unanchored=readings.unanchored_chunks,
        unsealed=readings.unsealed_readings,
        missing=f"{len(missing)} raw files that were kept once are gone: {', '.join(missing)}" if missing else "none",
    )
