"""The manifest of a backup: what is in it, how large, with which SHA-256, and where the record stood.

``manifest.json`` is written last, ``manifest.sha256`` beside it in the form that ``sha256sum -c`` reads.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from cultureops.clock import Instant, iso, parse_iso
from cultureops.errors import ConfigError, StorageError, Unreadable
from cultureops.ledger.head import Head

__all__ = ["FORMAT", "MANIFEST", "SEAL", "Counts", "Manifest", "StoredFile", "parse_manifest", "read_manifest"]

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
SEAL: Final = "manifest.sha256"
_KIND: Final = "cultureops backup"
_LARGEST_BYTES: Final = 256 * 2**20


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file of a backup; ``path`` is relative, with slashes.

    ``source_mtime_ns`` is that of the file it was copied from, ``read_back_at`` [ms UTC] when the copy was last read
    from the disk and found to be what was written. ``chunks`` and ``readings`` are those of a month's file.
    """

    path: str
    bytes: int
    sha256: str
    source_mtime_ns: int
    read_back_at: Instant
    chunks: int = 0
    readings: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """How much the backup holds: events, readings in all, sealed readings and chunks among them."""

    events: int
    readings: int
    sealed_readings: int
    chunks: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """All that a backup says of itself; ``newest_at`` is when its last event or reading was taken in [ms UTC]."""

    name: str
    made_at: Instant
    newest_at: Instant
    program: Mapping[str, str]
    head: Head
    counts: Counts
    files: tuple[StoredFile, ...]
    left_out: tuple[str, ...]

    @property
    def total_bytes(self) -> int:
        """The size of all files [bytes]."""
        return sum(file.bytes for file in self.files)

    def encoded(self) -> bytes:
        """Return it as it is written."""
        data = asdict(self) | {
            "kind": _KIND,
            "format": FORMAT,
            "made_at": iso(self.made_at),
            "newest_at": iso(self.newest_at),
            "program": dict(self.program),
            "files": [asdict(file) | {"read_back_at": iso(file.read_back_at)} for file in self.files],
        }
        return json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def read_manifest(folder: Path) -> tuple[Manifest, str]:
    """Return the manifest of a backup's folder and its SHA-256 [hex].

    Raises ConfigError for a folder that is no backup, Unreadable for one that is damaged, unfinished or of a newer
    format.
    """
    file, seal = folder / MANIFEST, folder / SEAL
    if not folder.is_dir() or not file.is_file() or file.is_symlink():
        raise ConfigError(f"{folder}: no backup is there; name a folder that holds {MANIFEST}")
    try:
        if file.stat().st_size > _LARGEST_BYTES:
            raise Unreadable(f"{file}: is too large to be a manifest; use another backup")
        encoded, noted = file.read_bytes(), seal.read_text(encoding="ascii").split()[0]
    except (OSError, ValueError, IndexError) as error:
        raise Unreadable(f"{seal}: can't be read: {error}; use another backup") from None
    sha256 = hashlib.sha256(encoded).hexdigest()
    if sha256 != noted:
        raise Unreadable(f"{file}: its SHA-256 is not the one in {SEAL}; use another backup")
    return parse_manifest(encoded, str(file)), sha256


def parse_manifest(encoded: bytes, where: str) -> Manifest:
    """Read a manifest's bytes; raises Unreadable for what is none, or of a newer format."""
    try:
        data: dict[str, Any] = json.loads(encoded)
        if data.pop("kind") != _KIND:
            raise ValueError(f"it is no {_KIND}")
        version = data.pop("format")
        if not isinstance(version, int) or version > FORMAT:
            raise Unreadable(f"{where}: format {version!r}, this program reads up to {FORMAT}; use a newer cultureops")
        files = tuple(_stored(row) for row in data.pop("files"))
        if len({file.path for file in files}) < len(files):
            raise ValueError("a file is named twice")
        return Manifest(
            **data
            | {
                "made_at": parse_iso(data["made_at"]),
                "newest_at": parse_iso(data["newest_at"]),
                "head": Head.parse("{position}:{hash}".format(**data["head"])),
                "counts": Counts(**data["counts"]),
                "files": files,
                "left_out": tuple(data["left_out"]),
            }
        )
    except Unreadable:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, ConfigError, StorageError) as error:
        raise Unreadable(f"{where}: is no manifest of a backup: {error}; use another backup") from None


def _stored(row: dict[str, Any]) -> StoredFile:
    file = StoredFile(**row | {"read_back_at": parse_iso(row["read_back_at"])})
    numbers = (file.bytes, file.source_mtime_ns, file.chunks, file.readings)
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise ValueError(f"{file.path!r}: sizes and counts are whole numbers from 0")
    pure = PurePosixPath(file.path)
    if not file.path or pure.is_absolute() or ".." in pure.parts or str(pure) != file.path or "\0" in file.path:
        raise ValueError(f"{file.path!r} leads out of the backup")
    if len(file.sha256) != 64 or not set(file.sha256) <= set("0123456789abcdef"):
        raise ValueError(f"{file.path!r}: no SHA-256")
    return file
