"""An instrument that hands over results: asked what is new, heard of once when it fails and once when it is back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from cultureops.acquisition.poller import LinkEvent, LinkState, reason_of
from cultureops.clock import Instant
from cultureops.device.driver import HoldingSource, Identity, RawSource, Result, ResultSource
from cultureops.device.reading import Reason
from cultureops.errors import CultureOpsError

__all__ = ["Source"]

log = structlog.get_logger(__name__)


class Source:
    """The one who asks one such instrument; what fails is tried again a period later."""

    def __init__(
        self, device: str, source: ResultSource, period_ms: int, on_link_event: Callable[[LinkEvent], None]
    ) -> None:
        self.device = device
        self.period_ms = period_ms
        self._source = source
        self._on_link_event = on_link_event
        self._due: Instant | None = None
        self._is_lost = False

    async def collect_due(self, now: Instant) -> Sequence[Result]:
        """Return what is new when a period is over, else nothing."""
        if self._due is not None and now < self._due:
            return ()
        self._due = now + self.period_ms
        return await self.collect(now)

    async def collect(self, now: Instant) -> Sequence[Result]:
        """Return what is new since the last call; nothing when the instrument can't be heard."""
        try:
            results = await self._source.collect()
        except Exception as error:  # one source never stops the others
            self._lost(now, error)
            return ()
        if self._is_lost:
            self._is_lost = False
            self._on_link_event(LinkEvent(self.device, LinkState.IDENTIFIED, now, Identity("", ""), Reason.NONE, ""))
        return results

    async def contents(self, result: Result) -> bytes | None:
        """Return the bytes that a result was read from; None where the instrument can't give them again."""
        return await self._source.contents(result) if isinstance(self._source, RawSource) else None

    def release(self, result: Result) -> None:
        """Let go of what a result came from: it is on record."""
        if isinstance(self._source, HoldingSource):
            self._source.release(result)

    def _lost(self, now: Instant, error: Exception) -> None:
        if self._is_lost:
            return
        self._is_lost = True
        if not isinstance(error, CultureOpsError | OSError):
            log.exception("a source of results met what it was not made for", device=self.device)
        self._on_link_event(LinkEvent(self.device, LinkState.LOST, now, None, reason_of(error), str(error)))

    async def close(self) -> None:
        """Stop listening."""
        await self._source.close()
