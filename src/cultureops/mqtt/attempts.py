"""One session with a broker after the other, each failure followed by a longer pause."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import aiomqtt
import structlog

from cultureops.clock import SECOND_MS, Clock
from cultureops.mqtt.refusal import plainly

__all__ = ["LONGEST_BACK_OFF_S", "Attempts"]

log = structlog.get_logger(__name__)
LONGEST_BACK_OFF_S: Final = 60


class Attempts:
    """Tries again after 1, 2, 4, ... 60 s of lab time; ``where`` names the broker in ``error``."""

    def __init__(self, where: str, target: str, clock: Clock) -> None:
        self.error: str | None = None
        self._where = where
        self._target = target
        self._clock = clock
        self._failures = 0

    def succeed(self) -> None:
        """Take note that the session stands."""
        self.error, self._failures = None, 0
        log.info("the publisher is connected", target=self._target)

    async def run(self, session: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Hold sessions until cancelled; nothing else ends it."""
        while True:
            # In a task of its own: a task group that fails while it is cancelled swallows the cancellation.
            held = asyncio.create_task(session())
            try:
                await asyncio.wait({held})
            finally:
                held.cancel()
                await asyncio.wait({held})
            if (error := held.exception()) is not None:
                self._fail(_root(error))
            back_off_s = min(2 ** min(self._failures, 16), LONGEST_BACK_OFF_S)
            self._failures += 1
            await self._clock.sleep_until(self._clock.now() + back_off_s * SECOND_MS)

    def _fail(self, error: BaseException) -> None:
        if not isinstance(error, aiomqtt.MqttError | OSError):
            log.error("the publisher met what it was not made for", exc_info=error)
        said = plainly(error)
        if self.error is None:
            log.warning("the publisher waits", target=self._target, error=said)
        self.error = f"{self._where}: {said}"


def _root(error: BaseException) -> BaseException:
    """Return the first of the errors that came together."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
