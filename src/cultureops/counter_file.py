"""What files of cell counters hold, file by file; no batch is touched, and a bad file costs the others nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from cultureops.device.count_file import CountReader
from cultureops.device.driver import CountResult
from cultureops.device.registry import count_readers
from cultureops.errors import ProtocolError

__all__ = ["CountFile", "Status", "as_json", "lines_of", "read_count_file", "read_count_files"]

MOST_BYTES: Final = 20_000_000
"""No run of a counter comes near it; whatever is larger is another file."""
PER_ML: Final = 1e6
"""Counters' densities are in 10^6 cells/mL."""
_NO_TIME: Final = "no_time"


class Status(StrEnum):
    """How reading a file went."""

    OK = "ok"
    FLAGGED = "flagged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class CountFile:
    """One file and its counts in their order; ``reason`` says why it is flagged or refused, in one line.

    ``sha256`` is empty where the file could not be read at all, ``contents`` are its bytes.
    """

    file: str
    status: Status
    reason: str
    counts: tuple[CountResult, ...]
    sha256: str = ""
    contents: bytes = field(default=b"", repr=False)


def read_count_files(paths: Sequence[Path]) -> tuple[CountFile, ...]:
    """Read files in the order given; raise ConfigError only when there is no reader for any."""
    readers = count_readers()
    return tuple(read_count_file(path, readers) for path in paths)


def read_count_file(path: Path, readers: Sequence[CountReader]) -> CountFile:
    """Read one file by the first reader that knows its contents; whatever is wrong with it, it is refused."""
    contents = _contents(path)
    if isinstance(contents, str):
        return CountFile(str(path), Status.REFUSED, contents, ())
    sha256 = hashlib.sha256(contents).hexdigest()
    try:
        for reader in readers:
            counts = reader(contents, path.name)
            if counts is not None:
                flagged = [count for count in counts if count.flags]
                status = Status.FLAGGED if flagged else Status.OK
                return CountFile(str(path), status, _flags_text(counts, flagged), counts, sha256, contents)
    except ProtocolError as error:
        return CountFile(str(path), Status.REFUSED, _one_line(str(error)), (), sha256, contents)
    unknown = "is no export of a cell counter that is known here"
    return CountFile(str(path), Status.REFUSED, unknown, (), sha256, contents)


def _contents(path: Path) -> bytes | str:
    """Return the bytes of a file, or why they can't be had."""
    try:
        if path.is_dir():
            return "is a folder; name the files in it"
        if not path.is_file():
            return "is no file" if path.exists() else "there is no such file"
        size = path.stat().st_size
        if size > MOST_BYTES:
            return f"has {size:,} bytes; a counter's export has {MOST_BYTES:,} at most"
        return path.read_bytes() or "is empty"
    except (OSError, ValueError) as error:
        return f"can't be read: {getattr(error, 'strerror', None) or error}"


def _flags_text(counts: Sequence[CountResult], flagged: Sequence[CountResult]) -> str:
    if not flagged:
        return ""
    flags = dict.fromkeys(flag for count in flagged for flag in count.flags)
    return _one_line(f"{len(flagged)} of {len(counts)} counts flagged: {', '.join(flags)}")


def _one_line(text: str) -> str:
    printable = "".join(sign if sign.isprintable() else " " for sign in text)
    return " ".join(printable.split())[:500]


def as_json(read: CountFile) -> dict[str, Any]:
    """Return a file as JSON values; densities in cells/mL, ``measured_at`` as the instrument's clock showed it.

    A number that the file does not hold is None, and so is the time of a count without one.
    """
    return {
        "file": read.file,
        "status": read.status.value,
        "reason": read.reason or None,
        "counts": [
            {
                "sample_id": count.sample_id,
                "measured_at": None if _NO_TIME in count.flags else count.counted_at_local,
                "viability_pct": count.viability_pct,
                "viable_cells_per_ml": _per_ml(count.viable_density_1e6_per_ml),
                "total_cells_per_ml": _per_ml(count.total_density_1e6_per_ml),
                "flags": list(count.flags),
            }
            for count in read.counts
        ],
    }


def _per_ml(density_1e6_per_ml: float | None) -> float | None:
    return None if density_1e6_per_ml is None else density_1e6_per_ml * PER_ML


def lines_of(read: CountFile) -> list[str]:
    """Return what a person reads of a file: how it went, then one line for each count."""
    lines = [f"{read.file}: {read.status.value}, {read.reason or f'{len(read.counts)} counts'}"]
    for row in as_json(read)["counts"]:
        figures = (_shown(row["viability_pct"], ".1f", "% viable"),
                   _shown(row["viable_cells_per_ml"], ".4g", "viable cells/mL"),
                   _shown(row["total_cells_per_ml"], ".4g", "cells/mL"))  # fmt: skip
        flags = f"  FLAGGED {', '.join(row['flags'])}" if row["flags"] else ""
        lines.append(f"  {row['sample_id'] or '?'}  {row['measured_at'] or 'no time'}  {', '.join(figures)}{flags}")
    return lines


def _shown(value: float | None, form: str, unit: str) -> str:
    return f"{'?' if value is None else format(value, form)} {unit}"
