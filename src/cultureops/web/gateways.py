"""How gateways and hub stand to each other, as pages and the API show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cultureops.clock import Instant, iso

__all__ = ["GatewayView", "HubView", "away_from"]


@dataclass(frozen=True, slots=True)
class GatewayView:
    """One gateway as its hub knows it; None is: nobody knows.

    ``heard_at`` is when it was heard last since the start of the hub, ``away_since`` is set while it is out of reach:
    from then on nothing is known of its ``chambers``. ``behind_s`` is the age of the oldest reading that is still to
    come [s], ``clock_ahead_ms`` how far its clock is ahead, give or take ``clock_uncertainty_ms``. ``log_size`` are the
    events of its log that are here, ``head_size`` those under its newest signed head of ``head_signed_at``.
    ``orders_waiting`` are what people here decided and it has not answered. ``problems`` are what is wrong, in words.
    """

    name: str
    site_name: str
    chambers: tuple[str, ...]
    heard_at: Instant | None
    away_since: Instant | None
    program: str | None
    events_waiting: int | None
    readings_waiting: int | None
    behind_s: float | None
    clock_ahead_ms: int | None
    clock_uncertainty_ms: int | None
    log_size: int
    head_size: int | None
    head_signed_at: Instant | None
    head_key_id: str | None
    orders_waiting: int
    certificate_ends: Instant
    problems: tuple[str, ...]

    @property
    def is_away(self) -> bool:
        """Whether it is out of reach."""
        return self.away_since is not None

    def data(self) -> dict[str, Any]:
        """Return it ready for JSON, times as ISO 8601."""

        def at(instant: Instant | None) -> str | None:
            return None if instant is None else iso(instant)

        return {
            "name": self.name,
            "site_name": self.site_name,
            "chambers": list(self.chambers),
            "in_reach": not self.is_away,
            "heard_at": at(self.heard_at),
            "away_since": at(self.away_since),
            "program": self.program,
            "events_waiting": self.events_waiting,
            "readings_waiting": self.readings_waiting,
            "behind_s": self.behind_s,
            "clock_ahead_ms": self.clock_ahead_ms,
            "clock_uncertainty_ms": self.clock_uncertainty_ms,
            "log_size": self.log_size,
            "head": None
            if self.head_size is None
            else {"size": self.head_size, "signed_at": at(self.head_signed_at), "key_id": self.head_key_id},
            "orders_waiting": self.orders_waiting,
            "certificate_ends": iso(self.certificate_ends),
            "problems": list(self.problems),
        }


@dataclass(frozen=True, slots=True)
class HubView:
    """The hub as one of its gateways knows it; what waits is to go up, None before the first contact."""

    target: str
    connected: bool
    heard_at: Instant | None
    events_waiting: int | None
    readings_waiting: int | None
    lag_s: float
    last_error: str | None


def away_from(gateways: Sequence[GatewayView]) -> Mapping[str, GatewayView]:
    """Return by chamber the gateway that is out of reach, of the chambers whose gateway is."""
    return {chamber: gateway for gateway in gateways if gateway.is_away for chamber in gateway.chambers}
