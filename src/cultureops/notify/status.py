"""How telling people goes, for pages, health and the alarms of cultureops itself."""

from __future__ import annotations

from dataclasses import dataclass

from cultureops.alarms.text import duration
from cultureops.notify.delivery import DOWN_AFTER, RouteStatus
from cultureops.notify.line import one_line
from cultureops.notify.settings import UNDELIVERED_LIMIT_S

__all__ = ["NotifyStatus"]


@dataclass(frozen=True, slots=True)
class NotifyStatus:
    """How telling people goes.

    ``undelivered_s`` is how long an open alarm has been due to be told without anybody having been reached, the longest
    of them, and ``undelivered`` its rule's id; beyond ``limit_s`` that is a ``problem``. ``held`` alarms wait for the
    next digest of a flood, ``unrecorded`` outcomes for the ledger. ``roster_gap_at`` is when nobody is on call within a
    week from now, ``mute_gap_at`` when all of a level mute high alarms, which are told to them all the same; ``fault``
    is the last one of ours.
    """

    tells_nobody: bool
    routes: tuple[RouteStatus, ...] = ()
    unacknowledged: int = 0
    waiting: int = 0
    held: int = 0
    unrecorded: int = 0
    undelivered: str | None = None
    undelivered_s: float = 0.0
    limit_s: float = UNDELIVERED_LIMIT_S
    given_up: int = 0
    in_flood: bool = False
    roster_gap_at: str | None = None
    mute_gap_at: str | None = None
    ledger_error: str | None = None
    fault: str | None = None

    @property
    def problem(self) -> str | None:
        """Say in one line what keeps people from being told, None while nothing does.

        A site without routes wants nobody to be told: that is no problem, and ``tells_nobody`` says so. A fault of ours
        stands until a restart, which takes up again every alarm that is open.
        """
        said = []
        if self.undelivered_s > self.limit_s:
            said.append(f"nobody could be told of {self.undelivered} for {duration(self.undelivered_s)}")
        if self.fault is not None:
            said.append(f"telling people met a fault: {self.fault}; look at the pages, and restart cultureops")
        return None if self.tells_nobody or not said else one_line("; ".join(said))

    @property
    def failing_routes(self) -> int:
        """How many routes have failed several times in a row."""
        return sum(route.failures >= DOWN_AFTER for route in self.routes)
