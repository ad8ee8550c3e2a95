"""How telling people goes, for pages, health and the alarms of cultureops itself."""

from __future__ import annotations

from dataclasses import dataclass

from cultureops.notify.delivery import DOWN_AFTER, RouteStatus

__all__ = ["NotifyStatus"]


@dataclass(frozen=True, slots=True)
class NotifyStatus:
    """How telling people goes.

    ``undelivered_s`` is how long the oldest open alarm has been due to be told without anybody having been reached:
    the number to alarm on. ``held`` alarms wait for the next digest of a flood, ``unrecorded`` outcomes for the ledger.
    ``roster_gap_at`` is when nobody is on call, within a week from now; ``fault`` the last one of ours.
    """

    tells_nobody: bool
    routes: tuple[RouteStatus, ...] = ()
    unacknowledged: int = 0
    waiting: int = 0
    held: int = 0
    unrecorded: int = 0
    undelivered_s: float = 0.0
    given_up: int = 0
    in_flood: bool = False
    roster_gap_at: str | None = None
    ledger_error: str | None = None
    fault: str | None = None

    @property
    def failing_routes(self) -> int:
        """How many routes have failed several times in a row."""
        return sum(route.failures >= DOWN_AFTER for route in self.routes)
