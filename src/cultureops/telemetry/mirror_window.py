"""What a server has confirmed and may still forget. Pure."""

from __future__ import annotations

from collections import deque

from cultureops.telemetry.follow import Cursor

__all__ = ["ResendWindow"]


class ResendWindow:
    """Extracts in the order of their confirmation, until the server can't forget them any more.

    A server whose acknowledgement is not durable forgets the last seconds before it is killed. So an extract is safe
    once a later one was confirmed at least ``window_s`` after it by the same run of the server; the mere passing of
    time proves nothing, for the server may have been killed right after its last answer.
    """

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._unsafe: deque[tuple[float, Cursor]] = deque()

    def confirmed(self, before: Cursor, at_s: float) -> None:
        """Take the confirmation, at ``at_s`` [s, monotonic], of the extract that followed ``before``."""
        self._unsafe.append((at_s, before))
        while self._unsafe and self._unsafe[0][0] <= at_s - self._window_s:
            self._unsafe.popleft()

    def safe(self, position: Cursor) -> Cursor:
        """Return up to where nothing can be forgotten, for a mirror that stands at ``position``."""
        return self._unsafe[0][1] if self._unsafe else position

    def go_back(self, position: Cursor) -> Cursor:
        """Return from where to send again after the server may have been restarted."""
        back = self.safe(position)
        self._unsafe.clear()
        return back
