"""A sign of life to somebody else's dead man's switch, so that silence of cultureops itself is noticed."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from cultureops.clock import SECOND_MS, Clock, Instant, iso
from cultureops.field import printable
from cultureops.notify.lane import Lane, LaneFull

__all__ = ["Heartbeat", "HeartbeatSettings", "HeartbeatStatus"]

log = structlog.get_logger(__name__)

_AT_ONCE: Final = 3


@dataclass(frozen=True, slots=True)
class HeartbeatSettings:
    """Where a sign of life goes and how often; ``every_s`` is lab time, ``deadline_s`` real seconds.

    The URL is asked by GET while all is well. When it is not, nothing is sent, unless ``tells_failure``: then what is
    wrong goes to ``<url>/fail`` by POST. ``file`` is rewritten at each beat while all is well.
    """

    url: str | None = field(repr=False)
    every_s: float = 60.0
    deadline_s: float = 10.0
    tells_failure: bool = False
    file: str | None = None


@dataclass(frozen=True, slots=True)
class HeartbeatStatus:
    """When the switch last heard that all is well [ms UTC], what is withheld from it and why, what last failed."""

    beaten_at: Instant | None
    withheld: str | None
    last_error: str | None


class Heartbeat:
    """Beats while ``wrong`` returns None; what it returns otherwise is what is wrong, in one line."""

    def __init__(self, settings: HeartbeatSettings, clock: Clock, wrong: Callable[[], str | None]) -> None:
        self._settings = settings
        self._clock = clock
        self._wrong = wrong
        self._lane = Lane("heartbeat", _AT_ONCE)
        self._status = HeartbeatStatus(None, None, None)

    def status(self) -> HeartbeatStatus:
        """Return how it goes."""
        return self._status

    async def run(self) -> None:
        """Beat until cancelled; nothing else ends it."""
        while True:
            await self.beat()
            await self._clock.sleep_until(self._clock.now() + round(self._settings.every_s * SECOND_MS))

    async def beat(self) -> None:
        """Beat once, or withhold it; never raises."""
        now, url = self._clock.now(), self._settings.url
        try:
            wrong = self._wrong()
        except Exception as raised:  # what can't say that it is well is not
            wrong = f"health can't be told: {type(raised).__name__}: {raised}"
        error: str | None = None
        if url is not None and (wrong is None or self._settings.tells_failure):
            error = await self._attempt(lambda: _ask(url, wrong, self._settings.deadline_s))
        if (file := self._settings.file) is not None and wrong is None:
            error = await self._attempt(lambda: _touch(file, now)) or error
        beaten_at = now if wrong is None and error is None else self._status.beaten_at
        if error is not None and self._status.last_error is None:
            log.warning("the heartbeat is not heard", error=error)
        self._status = HeartbeatStatus(beaten_at, wrong, error)

    async def _attempt(self, call: Callable[[], None]) -> str | None:
        try:
            await self._lane.run(call, self._settings.deadline_s)
        except TimeoutError:
            return f"no answer within {self._settings.deadline_s:g} s"
        except (LaneFull, OSError) as error:
            return printable(f"{error}")[:200]
        except Exception as error:
            return type(error).__name__  # its text may hold the URL, which is a secret
        return None


def _ask(url: str, wrong: str | None, deadline_s: float) -> None:
    """Ask on the thread that this runs on; raises OSError that does not name the URL."""
    import urllib.error
    import urllib.request

    body = None if wrong is None else wrong.encode(errors="replace")[:10_000]
    address = url if wrong is None else _failing(url)
    request = urllib.request.Request(address, data=body, headers={"User-Agent": "cultureops"})
    try:
        with urllib.request.urlopen(request, timeout=deadline_s) as answer:
            answer.read(1_000)
    except urllib.error.HTTPError as error:
        error.close()
        raise OSError(f"HTTP status {error.code}") from None
    except urllib.error.URLError as error:
        raise OSError(f"{error.reason}") from None


def _failing(url: str) -> str:
    path, mark, query = url.partition("?")
    return f"{path.rstrip('/')}/fail{mark}{query}"


def _touch(name: str, now: Instant) -> None:
    draft = f"{name}.new"
    with open(draft, "w", encoding="ascii") as file:
        file.write(iso(now) + "\n")
    os.replace(draft, name)
