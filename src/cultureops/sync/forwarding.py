"""The gateway's side: hands its log and its readings to the hub, and takes what the hub has for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cultureops.clock import Clock, Instant
from cultureops.ledger.event import Event
from cultureops.ledger.head import Head
from cultureops.ledger.ledger import Hook
from cultureops.ledger.signed_head import SignedHead
from cultureops.sync.clock_offset import ClockOffset
from cultureops.sync.hello import Order, Standing
from cultureops.sync.settings import HubSettings
from cultureops.telemetry.mirror import Followed

__all__ = ["Forwarding", "ForwardingStatus", "LedgerLog"]


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


@dataclass(frozen=True, slots=True)
class ForwardingStatus:
    """How far the hub is behind; numbers are None before the first contact.

    ``connected`` tells whether the last exchange reached the hub, ``heard_at`` when the hub last answered [ms UTC],
    ``lag_s`` the age of the oldest reading that it lacks [s of lab time], ``certificate_ends`` when this gateway's
    certificate does [ms UTC].
    """

    target: str
    connected: bool
    heard_at: Instant | None
    events_waiting: int | None
    readings_waiting: int | None
    lag_s: float
    offset: ClockOffset | None
    last_error: str | None
    certificate_ends: Instant | None


class Forwarding:
    """Keeps the hub's copy of one gateway's log and readings up to date; ``run`` is its task.

    ``on_standing`` and ``on_orders`` are told at every greeting, the same again until it changes: both take what they
    know already for nothing. Orders come again until the answering event has reached the hub.
    """

    def __init__(
        self, settings: HubSettings, origin: str, ledger: LedgerLog, store: Followed, folder: Path, clock: Clock, *,
        site_sha256: str,
        on_standing: Callable[[Standing], None],
        on_orders: Callable[[Sequence[Order]], Awaitable[None]],
    ) -> None:  # fmt: skip
        raise NotImplementedError

    async def step(self) -> bool:
        """Hand over what there is; True when the hub holds everything, False when the link failed (see ``status``)."""
        raise NotImplementedError

    async def run(self) -> None:
        """Forward until cancelled; nothing that goes wrong ends it."""
        raise NotImplementedError

    def status(self) -> ForwardingStatus:
        """Say how far the hub is behind."""
        raise NotImplementedError

    async def close(self) -> None:
        """Let go of the connection; for those who only ``step``. A second call does nothing."""
        raise NotImplementedError
