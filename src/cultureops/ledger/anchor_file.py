"""Heads in a file that stands elsewhere: one JSON line each, appended and made durable, read with suspicion."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from cultureops.errors import StorageError
from cultureops.ledger.finding import Finding, Kind
from cultureops.ledger.keys import PublicKey
from cultureops.ledger.known import Known
from cultureops.ledger.signed_head import SignedHead

__all__ = ["append_head", "newest_size", "read_anchor"]

_TAIL_BYTES: Final = 4096
"""More than two lines are long."""
_MOST_BYTES: Final = 1 << 30


def append_head(path: Path, head: SignedHead, key: PublicKey) -> None:
    """Append a head and the key that signed it, and make both durable; raises StorageError."""
    line = json.dumps(head.data() | {"public_key": key.raw.hex()}, ensure_ascii=False, separators=(",", ":"))
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            end = os.fstat(descriptor).st_size
            is_cut = end > 0 and os.pread(descriptor, 1, end - 1) != b"\n"
            wanted = b"\n" * is_cut + line.encode() + b"\n"  # what a cut of the power left of a line ends there
            if os.write(descriptor, wanted) < len(wanted):
                raise StorageError(f"{path}: the disk took part of a line; free it, the head is written again")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StorageError(f"{path}: can't be written: {error.strerror or error}; mount it or mend it") from None


def newest_size(path: Path) -> int:
    """Return how many events the last whole line stands for, 0 where there is none; raises StorageError."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
            lines = file.read(_TAIL_BYTES).splitlines()
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise StorageError(f"{path}: can't be read: {error.strerror or error}; mount it or mend it") from None
    for line in reversed(lines):
        try:
            return _head_in(line)[0].size
        except StorageError:
            continue
    return 0


def read_anchor(path: Path) -> tuple[list[Known], list[Finding]]:
    """Return the heads of a file, and the lines that hold none; raises StorageError for what can't be read at all."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise StorageError(f"{path}: larger than 1 GiB, which no file of heads is; name another")
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise StorageError(f"{path}: can't be read: {error.strerror or error}; name a file of heads") from None
    heads: list[Known] = []
    findings: list[Finding] = []
    for number, line in enumerate(lines, 1):
        where = f"{path}:{number}"
        if not line:
            continue
        try:
            head, key = _head_in(line)
        except StorageError as error:
            if number < len(lines):  # what has no line end was cut off while it was written, and counts for nothing
                findings.append(Finding(Kind.UNREADABLE, where, str(error)))
            continue
        heads.append(Known(where, head, key))
    return heads, findings


def _head_in(line: bytes) -> tuple[SignedHead, PublicKey]:
    try:
        data = json.loads(line)
        key = PublicKey(bytes.fromhex(data.pop("public_key")))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise StorageError(f"not a head: {type(error).__name__}") from None
    return SignedHead.read(data), key
