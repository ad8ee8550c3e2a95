"""Notices that a clock was set back, so that nothing waits for an hour to come twice. Pure."""

from __future__ import annotations

from cultureops.clock import Instant

__all__ = ["SetBack"]


class SetBack:
    """What was asked for last: whoever keeps instants takes off what a clock was set back by.

    So what was due in five minutes still is, whatever the clock shows; as exact as it is asked often.
    """

    def __init__(self) -> None:
        self._latest: Instant | None = None

    def by_ms(self, now: Instant) -> int:
        """Return by how much less the clock shows than when this was asked last [ms], 0 when time went on."""
        latest, self._latest = self._latest, now
        return 0 if latest is None else max(0, latest - now)
