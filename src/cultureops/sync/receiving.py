"""The hub's side: listens for its gateways, keeps what they send, and tells them what it has for them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cultureops.clock import Clock, Instant
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Reading
from cultureops.ledger.event import Event
from cultureops.ledger.head import Head
from cultureops.ledger.signed_head import SignedHead
from cultureops.sync.clock_offset import ClockOffset
from cultureops.sync.hello import Hello, Order, Standing
from cultureops.sync.origin_log import OriginLog
from cultureops.sync.settings import GatewaysSettings
from cultureops.telemetry.store import ChannelInfo

__all__ = ["OriginStatus", "Receiving"]


@dataclass(frozen=True, slots=True)
class OriginStatus:
    """What the hub knows of one gateway; None where it has not been heard of since the start.

    ``heard_at`` is when it last proved itself [ms UTC of the hub's clock], ``held`` the end of its log here,
    ``newest_head`` the newest verified one, ``cursor`` how far its readings are here. ``events_waiting`` and
    ``readings_waiting`` are about what it still has to send, as it said last, ``waiting_since`` [ms UTC of its clock]
    when the oldest of those came. ``problem`` is why its log or its readings are refused, or can't be taken in;
    ``forked`` says that its log contradicts what it sent before: then nothing more of its log is taken.
    """

    heard_at: Instant | None
    held: Head
    newest_head: SignedHead | None
    cursor: str
    hello: Hello | None
    offset: ClockOffset | None
    events_waiting: int | None
    readings_waiting: int | None
    waiting_since: Instant | None
    certificate_ends: Instant
    forked: bool
    problem: str | None


class Receiving:
    """Listens for the gateways of a hub; ``run`` is its task.

    ``keep_readings`` returns when they are durable; an origin may name any channel, so it says which it keeps of whom.
    ``on_events`` is told of an origin's events in order once they are durable in its log, from behind ``taken`` on
    (the highest position that the caller has taken in, asked at the start and after each call): after a crash, and
    after an error, it is told again. ``on_head`` is told of a verified head, at most one a minute for each origin, and
    of the last one before the origin falls silent. ``on_hello`` gets the offset of the clocks as far as known.
    """

    def __init__(
        self, settings: GatewaysSettings, folder: Path, clock: Clock, *,
        keep_readings: Callable[[str, Sequence[Reading], Mapping[ChannelId, ChannelInfo]], Awaitable[None]],
        on_events: Callable[[str, Sequence[Event]], Awaitable[None]],
        taken: Callable[[str], int],
        standing: Callable[[str], Standing],
        orders: Callable[[str], Sequence[Order]],
        on_hello: Callable[[str, Hello, ClockOffset | None], None],
        on_head: Callable[[str, SignedHead], Awaitable[None]],
    ) -> None:  # fmt: skip
        raise NotImplementedError

    async def open(self) -> None:
        """Follow the logs in ``folder`` and begin to listen; raises ConfigError, StorageError or ChainBroken."""
        raise NotImplementedError

    async def run(self) -> None:
        """Serve until cancelled; opens what is not open yet, and closes it at the end."""
        raise NotImplementedError

    @property
    def port(self) -> int:
        """The port that is listened at, once open."""
        raise NotImplementedError

    def status(self) -> Mapping[str, OriginStatus]:
        """Say what is known of each gateway, by name."""
        raise NotImplementedError

    def log(self, origin: str) -> OriginLog:
        """Return a gateway's log, once open; raises KeyError."""
        raise NotImplementedError

    async def close(self) -> None:
        """Stop listening and let go of the logs; a second call does nothing."""
        raise NotImplementedError
