"""What has changed since the broker was told, by name: however long it is away, each name waits once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

__all__ = ["Changes"]


class Changes:
    """Names that wait to be told, the one that has waited longest first; its length counts those under way too."""

    def __init__(self) -> None:
        self._waiting: dict[str, None] = {}
        self._under_way: dict[str, None] = {}
        self._came = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._under_way)

    def note(self, names: Iterable[str]) -> int:
        """Let the names wait; return how many of them did so already."""
        waiting, overtaken = self._waiting, 0
        for name in names:
            if name in waiting:
                overtaken += 1
            else:
                waiting[name] = None
        self._tell()
        return overtaken

    async def come(self) -> None:
        """Return once something was noted after the last ``take``."""
        await self._came.wait()

    def take(self) -> tuple[str, ...]:
        """Put all that wait under way and return them."""
        self._came.clear()
        taken = tuple(self._waiting)
        self._under_way.update(self._waiting)
        self._waiting.clear()
        return taken

    def confirm(self, name: str) -> None:
        """Let go of a name that was told."""
        self._under_way.pop(name, None)

    def give_back(self) -> None:
        """Let those under way wait again: they were not confirmed."""
        self._waiting.update(self._under_way)
        self._under_way.clear()
        self._tell()

    def _tell(self) -> None:
        if self._waiting:
            self._came.set()
