"""What a ledger promises, whatever keeps it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeAlias

from cultureops.ledger.claims import Holder
from cultureops.ledger.event import Event, NewEvent
from cultureops.ledger.head import Head
from cultureops.ledger.signed_head import SignedHead

__all__ = ["Group", "Hook", "Ledger"]

Group: TypeAlias = tuple[str, Sequence[NewEvent], int | None]
"""(stream, events, expected version); None expects whatever the stream is at."""

Hook: TypeAlias = Callable[[tuple[Event, ...]], None]
"""Called on the event loop's thread with what one commit added, or other processes did, in order of position."""


class Ledger(Protocol):
    """An append-only history that every state anyone sees is folded from.

    Other processes may append to the same ledger; order is that of positions, never of ``recorded_at``.

    ``on_append`` holds hooks for views and live pages; they run after the commit and before ``append``
    returns, also when the caller was cancelled meanwhile. They hear of every event behind those that were there when
    the ledger was opened, once and in order: what other processes appended as soon as ``append`` or ``catch_up`` meets
    it. One that fails is logged and counted, and costs neither the event nor the other hooks anything.
    """

    on_append: list[Hook]

    async def append(self, stream: str, events: Sequence[NewEvent], expected_version: int | None) -> tuple[Event, ...]:
        """Record events at the end of a stream, all or none, and return them once they are durable.

        Raises ConcurrencyError when the stream is not at ``expected_version``, ClaimTaken when an event claims a
        name that another holds or releases one that its stream does not, StorageError when an event is not fit to be
        recorded or the store can't write, ChainBroken when what others appended is not sound. A cancelled caller
        leaves all of them or none.
        """
        ...

    async def append_many(self, groups: Sequence[Group]) -> tuple[Event, ...]:
        """Record events of several streams in one transaction, all or none; otherwise like ``append``."""
        ...

    async def catch_up(self) -> tuple[Event, ...]:
        """Take in what other processes have appended since, tell the hooks, and return it; cheap when it is nothing.

        Raises ChainBroken when it does not follow from all before, StorageError when it can't be read.
        """
        ...

    def holder(self, name: str) -> Holder | None:
        """Return the stream that holds a name and the position of its claim, None when it is free. From any thread."""
        ...

    def claimed(self, prefix: str = "") -> tuple[tuple[str, str], ...]:
        """Return (name, stream) of all held names that start so, sorted by name. From any thread."""
        ...

    def read(self, stream: str, after_version: int = 0) -> tuple[Event, ...]:
        """Return a stream's events by version; empty when nobody knows it. From any thread."""
        ...

    def read_all(self, after_position: int = 0, limit: int | None = None) -> Iterator[Event]:
        """Yield events of all streams by position, page by page. From any thread."""
        ...

    def streams(self, prefix: str = "") -> tuple[str, ...]:
        """Return the names of all streams that start so, sorted."""
        ...

    def version(self, stream: str) -> int:
        """Return the version a stream is at, 0 when it has no event."""
        ...

    def head(self) -> Head:
        """Return the last position and its hash."""
        ...

    def signed_heads(self, after_size: int = 0) -> tuple[SignedHead, ...]:
        """Return the signed heads of more than ``after_size`` events, by size. From any thread."""
        ...

    async def sign_head(self) -> SignedHead | None:
        """Sign the end of the ledger, where it is not signed yet, and return the newest head.

        None when there is no event, or no key at hand. Raises as ``catch_up`` does.
        """
        ...

    async def close(self) -> None:
        """Finish what was begun and release the store; a second call does nothing."""
        ...
