"""Handing a gateway's log to its hub, from what the hub holds to the end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from cultureops.ledger.event import Event
from cultureops.ledger.head import Head
from cultureops.ledger.ledger import Hook
from cultureops.ledger.signed_head import SignedHead
from cultureops.ledger.signer import SignerStatus
from cultureops.sync.events_body import EventsBody, Held
from cultureops.sync.link import Link, LinkFailed

__all__ = ["EVENTS_PATH", "LedgerLog", "LogSender"]

EVENTS_PATH: Final = "/v1/events"

BATCH_BYTES: Final = 256 * 1024
"""About what one request carries: what a slow line takes within a request's deadline."""
BATCH_EVENTS: Final = 500
_NEAR: Final = 256
"""So many events behind, what the newest head vouches for needs no head in between."""
_MOST_HEADS: Final = 1000


class LedgerLog(Protocol):
    """The gateway's ledger, as far as forwarding sees it."""

    on_append: list[Hook]

    def head(self) -> Head:
        """Return the last position and its hash."""
        ...

    def read_all(self, after_position: int = 0, limit: int | None = None) -> Iterator[Event]:
        """Yield events by position. From any thread."""
        ...

    def signed_heads(self, after_size: int = 0) -> tuple[SignedHead, ...]:
        """Return the signed heads of more than ``after_size`` events, by size. From any thread."""
        ...

    def signing(self) -> SignerStatus:
        """Say how heads are signed. From any thread."""
        ...


class LogSender:
    """Sends batch after batch; the hub follows the chain, and says each time what it holds."""

    def __init__(self, ledger: LedgerLog, link: Link) -> None:
        self._ledger = ledger
        self._link = link

    async def send(self, held: Held) -> Held:
        """Return what the hub holds once that is everything, or once it takes no more; raises LinkFailed."""
        heads: Sequence[SignedHead] | None = None
        while held.problem is None:
            newest = self._ledger.signing().newest
            if heads is None and newest is not None and newest.size > held.heads_size:
                heads = await self._heads_behind(held, newest)
            batch = await asyncio.to_thread(self._batch, held, heads or ())
            if not batch.events and not batch.heads:
                break
            _, answer = await self._link.ask(EVENTS_PATH, await asyncio.to_thread(batch.body))
            before, held = held, Held.read(answer)
            if held == before:
                raise LinkFailed(f"the hub takes nothing behind position {held.ledger.position} and does not say why")
            heads = [head for head in heads or () if head.size > held.heads_size] or None
        return held

    async def _heads_behind(self, held: Held, newest: SignedHead) -> Sequence[SignedHead]:
        if self._ledger.head().position - held.ledger.position <= _NEAR and held.heads_size:
            return (newest,)
        return await asyncio.to_thread(self._ledger.signed_heads, held.heads_size)

    def _batch(self, held: Held, heads: Sequence[SignedHead]) -> EventsBody:
        events: list[Event] = []
        size = 0
        for event in self._ledger.read_all(held.ledger.position, BATCH_EVENTS):
            if events and size + len(event.canonical) > BATCH_BYTES:
                break
            events.append(event)
            size += len(event.canonical)
        end = events[-1].position if events else held.ledger.position
        fitting = [head for head in heads if held.heads_size < head.size <= end]
        return EventsBody.of(held.ledger, events, fitting[:_MOST_HEADS])
