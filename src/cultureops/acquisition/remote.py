"""How the links to devices stand that gateways read, as the gateways' logs tell it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from cultureops.acquisition.link_record import link_event_in
from cultureops.acquisition.poller import LinkEvent
from cultureops.acquisition.supervisor import MeasuredChannel
from cultureops.device.driver import Identity
from cultureops.device.reading import Reason
from cultureops.ledger.event import Event

__all__ = ["RemoteLink", "RemoteLinks"]


class RemoteLink:
    """The link between a gateway and one device; ``is_away`` tells whether the gateway itself is out of reach."""

    def __init__(self, device: str, period_ms: int, origin: str, is_away: Callable[[str], bool]) -> None:
        self.device = device
        self.period_ms = period_ms
        self.origin = origin
        self._is_away = is_away
        self._identity: Identity | None = None
        self._said: LinkEvent | None = None
        self._position = 0

    def take(self, event: LinkEvent, position: int) -> None:
        """Take what the gateway's log says at a position; what is older than what is known changes nothing."""
        if position > self._position:
            self._position, self._said = position, event
            self._identity = event.identity or self._identity

    @property
    def answers(self) -> bool:
        """Whether the device answered its gateway last, as far as anybody here knows."""
        return not self.reason

    @property
    def misses(self) -> None:
        """How often it was asked in vain only the gateway knows."""
        return None

    @property
    def reason(self) -> Reason:
        """Why it does not answer; a gateway that is out of reach says nothing of its devices."""
        if self._said is None or self._is_away(self.origin):
            return Reason.NOT_CONNECTED
        return self._said.reason

    @property
    def detail(self) -> str:
        """Who tells it."""
        if self._is_away(self.origin):
            return f"gateway {self.origin} is out of reach"
        return f"gateway {self.origin} has not told of it yet" if self._said is None else f"says gateway {self.origin}"

    @property
    def identity(self) -> Identity | None:
        """Who answered when the link came up last; None before it did."""
        return self._identity


class RemoteLinks:
    """The links to all devices of a hub's gateways, by device; a gateway speaks of its own devices alone."""

    def __init__(self, channels: Iterable[MeasuredChannel], is_away: Callable[[str], bool]) -> None:
        self.by_device: dict[str, RemoteLink] = {}
        for row in channels:
            if row.origin is not None and row.device not in self.by_device:
                self.by_device[row.device] = RemoteLink(row.device, row.period_ms, row.origin, is_away)

    def take(self, origin: str, events: Sequence[Event]) -> None:
        """Take events of a gateway's log; those of other kinds are passed over. Raises StorageError."""
        for event in events:
            said = link_event_in(event)
            link = None if said is None else self.by_device.get(said.device)
            if said is not None and link is not None and link.origin == origin:
                link.take(said, event.position)
