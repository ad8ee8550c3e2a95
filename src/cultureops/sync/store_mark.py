"""Whether a hub's cursor can be one of the store that is here now.

A hub can't hold what this store had not made durable before the hub was last spoken with. So the lowest end that the
store was found with since then is kept: a cursor beyond it is one of a store that was lost, or put back from a backup,
and the hub is given everything again, which costs time and loses nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cultureops.sync.small_file import load, save
from cultureops.telemetry.follow import Cursor

__all__ = ["FILE", "StoreMark"]

FILE: Final = "forwarding.json"
_KEY: Final = "lowest_end_without_contact"


class StoreMark:
    """Remembers how the store was found, until the hub has been spoken with."""

    def __init__(self, folder: Path, frame: int) -> None:
        self._path = folder / FILE
        known = load(self._path).get(_KEY)
        self._lowest: int | None = min(known, frame) if isinstance(known, int) else frame
        if self._lowest != known:
            save(self._path, {_KEY: self._lowest})

    def begin(self, held: Cursor) -> Cursor:
        """Return where to read on for a hub that holds so much: there, or from the beginning; raises OSError."""
        if self._lowest is not None and held.frame > self._lowest:
            return Cursor()
        self.clear()
        return held

    def clear(self) -> None:
        """Note that the hub holds a cursor of this very store now; raises OSError."""
        if self._lowest is not None:
            save(self._path, {_KEY: None})
            self._lowest = None
