"""A micrograph as pages show it: the figures of its reading, and two pictures to lay over each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from cultureops.ledger.event import Actor

__all__ = ["Micrograph", "Micrographs"]


@dataclass(frozen=True, slots=True)
class Micrograph:
    """An image's confluence within ``low_pct`` to ``high_pct`` [%], unsure with a ``reason``, and pictures of it.

    ``picture`` is a JPEG of what the analysis looked at, made anew: no byte of the uploaded file is in it. ``mask`` is
    a PNG of the same size, transparent but for the outline of what was taken for cells and the hatching of what was
    left out. ``width`` and ``height`` are the uploaded image's [px].
    """

    sha256: str
    width: int
    height: int
    confluence_pct: float
    low_pct: float
    high_pct: float
    unsure: bool
    reason: str
    method: str
    parameters: Mapping[str, float | int | str]
    picture: bytes
    mask: bytes


class Micrographs(Protocol):
    """Keeps micrographs by their hash and reads them; everything raises CultureOpsError in one line."""

    most_bytes: int
    """How large a file may be [B]."""

    async def keep(self, contents: bytes, file_name: str, actor: Actor, batch_id: str) -> str:
        """Read an image, keep it and return its SHA-256; nothing is kept of what can't be read."""
        ...

    async def read(self, sha256: str) -> Micrograph:
        """Return a kept image's reading."""
        ...

    async def original(self, sha256: str) -> tuple[bytes, str]:
        """Return a kept image as it came, and what its file was called."""
        ...

    async def about(self, batch_id: str) -> Mapping[str, str]:
        """Return the SHA-256 of every image that was uploaded for a batch, with who did, the oldest first."""
        ...
