"""A gateway's log as its hub holds it: byte for byte, followed and checked, in a ledger's file of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cultureops.ledger.event import Event
from cultureops.ledger.head import Head
from cultureops.ledger.signed_head import SignedHead

__all__ = ["OriginLog"]


class OriginLog:
    """One origin's events and signed heads; reading is allowed from any thread."""

    def __init__(self, path: Path, origin: str) -> None:
        self.path = path
        self.origin = origin

    def head(self) -> Head:
        """Return the last position that is durable here, and its hash."""
        raise NotImplementedError

    def read_all(self, after_position: int = 0, limit: int | None = None) -> Iterator[Event]:
        """Yield events by position, page by page."""
        raise NotImplementedError

    def signed_heads(self, after_size: int = 0) -> tuple[SignedHead, ...]:
        """Return the verified heads of more than ``after_size`` events, by size."""
        raise NotImplementedError
