"""The gateway's side: hands its log and its readings to the hub, and takes what the hub has for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from uuid import uuid4

import structlog

import cultureops
from cultureops.clock import MINUTE_MS, SECOND_MS, Clock, Instant
from cultureops.errors import CultureOpsError
from cultureops.ledger.event import Event
from cultureops.sync.certificate import read_certificate
from cultureops.sync.clock_offset import ClockOffset, Exchange, clock_offset, narrower
from cultureops.sync.events_body import Held
from cultureops.sync.hello import Answer, Hello, Order, Standing
from cultureops.sync.link import Link, LinkFailed
from cultureops.sync.log_sender import LedgerLog, LogSender
from cultureops.sync.readings_sender import ReadingsSender
from cultureops.sync.settings import HubSettings
from cultureops.sync.store_mark import StoreMark
from cultureops.telemetry.mirror import Followed

__all__ = ["HELLO_PATH", "Forwarding", "ForwardingStatus", "LedgerLog"]

log = structlog.get_logger(__name__)

HELLO_PATH: Final = "/v1/hello"

LONGEST_BACK_OFF_S: Final = 60.0
GREET_EVERY_S: Final = 1.0
"""However much there is to send, an alarm and an order wait no longer than this for their turn [real time]."""
REFUSED_LOG_RETRY_MS: Final = MINUTE_MS


@dataclass(frozen=True, slots=True)
class ForwardingStatus:
    """How far the hub is behind; numbers are None before the first contact.

    ``connected`` tells whether the last exchange reached the hub, ``heard_at`` when the hub last answered [ms UTC],
    ``lag_s`` the age of the oldest reading that it lacks [s of lab time], ``certificate_ends`` when this gateway's
    certificate does [ms UTC].
    """

    target: str
    connected: bool
    heard_at: Instant | None
    events_waiting: int | None
    readings_waiting: int | None
    lag_s: float
    offset: ClockOffset | None
    last_error: str | None
    certificate_ends: Instant | None


class Forwarding:
    """Keeps the hub's copy of one gateway's log and readings up to date; ``run`` is its task.

    ``on_standing`` and ``on_orders`` are told at every greeting, the same again until it changes: both take what they
    know already for nothing. Orders come again until the answering event has reached the hub.
    Raises ConfigError for certificates that can't be loaded.
    """

    def __init__(
        self, settings: HubSettings, origin: str, ledger: LedgerLog, store: Followed, folder: Path, clock: Clock, *,
        site_sha256: str,
        on_standing: Callable[[Standing], None],
        on_orders: Callable[[Sequence[Order]], Awaitable[None]],
    ) -> None:  # fmt: skip
        self._settings = settings
        self._origin = origin
        self._ledger = ledger
        self._store = store
        self._clock = clock
        self._site_sha256 = site_sha256
        self._on_standing = on_standing
        self._on_orders = on_orders
        self._boot_id = str(uuid4())
        self._certificate_ends = read_certificate(settings.certificate).ends
        self._link = Link(settings)
        self._log = LogSender(ledger, self._link)
        self._readings = ReadingsSender(store, self._link, StoreMark(folder, store.durable[0]), clock)
        self._turn = asyncio.Lock()
        self._wake = asyncio.Event()
        self._held: Held | None = None
        self._refused_at: Instant | None = None
        self._previous: Exchange | None = None
        self._offset: ClockOffset | None = None
        self._heard_at: Instant | None = None
        self._synced_at = clock.now()
        self._failures = 0
        self._error: str | None = None

    async def step(self) -> bool:
        """Hand over what there is; True when the hub holds everything, False when it does not (see ``status``)."""
        async with self._turn:
            try:
                is_whole = await self._exchange()
            except asyncio.CancelledError:
                await self._link.close()
                raise
            except Exception as error:
                await self._link.close()
                self._failed(error)
                with suppress(CultureOpsError):
                    await self._readings.count()
                return False
            self._failures = 0
            self._error = None if self._held is None else self._held.problem
            return is_whole

    async def run(self) -> None:
        """Forward until cancelled; nothing that goes wrong ends it."""
        self._ledger.on_append.append(self._appended)
        try:
            while True:
                await self.step()
                if self._failures:
                    back_off_s = min(2.0 ** min(self._failures - 1, 16), LONGEST_BACK_OFF_S)
                    await self._clock.sleep_until(self._clock.now() + round(back_off_s * SECOND_MS))
                else:
                    await self._rest()
        finally:
            with suppress(ValueError):
                self._ledger.on_append.remove(self._appended)
            await self._link.close()

    def status(self) -> ForwardingStatus:
        """Say how far the hub is behind."""
        held, since, now = self._held, self._readings.since, self._clock.now()
        behind_since = self._synced_at if since is None else min(since, self._synced_at)
        return ForwardingStatus(
            target=self._settings.url,
            connected=self._heard_at is not None and not self._failures,
            heard_at=self._heard_at,
            events_waiting=None if held is None else self._ledger.head().position - held.ledger.position,
            readings_waiting=self._readings.waiting,
            lag_s=max(0, now - behind_since) / SECOND_MS,
            offset=self._offset,
            last_error=self._error,
            certificate_ends=self._certificate_ends,
        )

    async def close(self) -> None:
        """Let go of the connection; for those who only ``step``. A second call does nothing."""
        async with self._turn:
            await self._link.close()

    async def _exchange(self) -> bool:
        """Greet, then send events, then readings, again and again until nothing is left."""
        while True:
            asked_at = self._clock.now()
            answer = await self._greet()
            await self._take(answer)
            held = await self._hand_over_log(answer)
            is_done = await self._readings.send(answer.cursor, GREET_EVERY_S)
            if is_done:
                self._synced_at = asked_at
            if is_done and (held.problem or self._ledger.head().position <= held.ledger.position):
                return held.problem is None

    async def _greet(self) -> Answer:
        sent_at = self._clock.now()
        hello = Hello(
            origin=self._origin,
            program=cultureops.__version__,
            boot_id=self._boot_id,
            site_sha256=self._site_sha256,
            sent_at=sent_at,
            ledger=self._ledger.head(),
            frame=self._store.durable[0],
            readings_waiting=self._readings.waiting,
            waiting_since=self._readings.since,
            previous=self._previous,
        )
        status, body = await self._link.ask(HELLO_PATH, hello.body())
        if status != 200:
            raise LinkFailed(f"{self._settings.url}: the hub does not take the greeting ({status})")
        answer = Answer.read(body)
        self._heard_at = self._clock.now()
        self._previous = Exchange(sent_at, answer.received_at, answer.answered_at, self._heard_at)
        if (offset := clock_offset(self._previous)) is not None:
            self._offset = narrower(self._offset, offset)
        return answer

    async def _take(self, answer: Answer) -> None:
        """Hand on what came down; who can't take it now is given it again with the next greeting."""
        try:
            self._on_standing(answer.standing)
            if answer.orders:
                await self._on_orders(answer.orders)
        except Exception:
            log.exception("what the hub sent down was not taken; it comes again", hub=self._settings.url)

    async def _hand_over_log(self, answer: Answer) -> Held:
        """Send the log, and return what the hub holds then; one that was refused is tried again after a minute."""
        held, now = Held(answer.ledger, answer.heads_size, answer.problem), self._clock.now()
        is_new = self._refused_at is None or abs(now - self._refused_at) >= REFUSED_LOG_RETRY_MS
        if held.problem is None and is_new:
            held = await self._log.send(held)
        elif held.problem is None and self._held is not None:
            held = replace(held, problem=self._held.problem)
        if held.problem is None:
            self._refused_at = None
        elif is_new:
            self._refused_at = now
            log.error("the hub takes no more of this gateway's log", hub=self._settings.url, said=held.problem)
        self._held = held
        return held

    def _failed(self, error: Exception) -> None:
        if not isinstance(error, CultureOpsError | OSError):
            log.exception("forwarding met what it was not made for")
        if not self._failures:
            log.warning("the hub is out of reach", hub=self._settings.url, error=str(error))
        self._failures += 1
        self._error = str(error)

    def _appended(self, _events: tuple[Event, ...]) -> None:
        self._wake.set()

    async def _rest(self) -> None:
        """Wait a period of real time, or until the ledger grows."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.period_s):
                await self._wake.wait()
        self._wake.clear()
