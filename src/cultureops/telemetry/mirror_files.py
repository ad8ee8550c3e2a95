"""What the mirror keeps in the data folder: how far it has come, and the lines that the server won't take."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog

from cultureops.clock import Instant, iso
from cultureops.durable_file import replace_file
from cultureops.errors import ConfigError
from cultureops.telemetry.follow import Cursor

__all__ = ["CursorFile", "Quarantine"]

log = structlog.get_logger(__name__)

LARGEST_QUARANTINE_BYTES: Final = 16 * 2**20


class CursorFile:
    """The durable cursor of one mirror target."""

    def __init__(self, path: Path, target: str) -> None:
        self._path = path
        self._target = target

    def load(self) -> Cursor:
        """Return the stored cursor; the beginning for another target, or when there is none that can be read.

        Beginning anew is never wrong: a point sent twice is one point.
        """
        try:
            stored = json.loads(self._path.read_text(encoding="utf-8"))
            target, text = stored["target"], stored["cursor"]
            cursor = Cursor.parse(text)
        except FileNotFoundError:
            return Cursor()
        except (OSError, ValueError, TypeError, KeyError, AttributeError, ConfigError) as error:
            log.warning("the mirror's cursor can't be read; it begins anew", file=str(self._path), error=str(error))
            return Cursor()
        if target != self._target:
            log.info("another mirror target than before; it is filled from the first reading", target=self._target)
            return Cursor()
        return cursor

    def save(self, cursor: Cursor) -> None:
        """Replace the stored cursor, whole and durable; raises OSError."""
        replace_file(self._path, json.dumps({"target": self._target, "cursor": cursor.to_text()}) + "\n")


class Quarantine:
    """A file with one JSON object per refused line; bounded, for its readings are in the store anyway."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, refused: Sequence[tuple[bytes, str]], now: Instant) -> None:
        """Append lines with the server's answers, durably; a full file stays as it is. Raises OSError."""
        with self._path.open("a", encoding="utf-8") as file:
            for line, answer in refused:
                if file.tell() >= LARGEST_QUARANTINE_BYTES:
                    break
                entry = {"at": iso(now), "answer": answer, "line": line.decode(errors="replace")}
                file.write(json.dumps(entry, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
