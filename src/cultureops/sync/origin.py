"""What the hub does with the requests of one gateway; another gateway's are never waited for."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from cultureops.clock import Clock, Instant
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Reading
from cultureops.errors import ConfigError, StorageError
from cultureops.ledger.event import Event
from cultureops.ledger.head import Head
from cultureops.ledger.signed_head import SignedHead
from cultureops.sync.clock_offset import ClockOffset, clock_offset, narrower
from cultureops.sync.events_body import EventsBody, Held
from cultureops.sync.handing import Handing
from cultureops.sync.head_watch import HeadWatch
from cultureops.sync.hello import MOST_ORDERS, Answer, Hello, Order, Standing
from cultureops.sync.origin_log import Forked, OriginLog, TooNew
from cultureops.sync.readings_body import ReadingsBody, cursor_answer
from cultureops.sync.server import Reply
from cultureops.sync.settings import GatewayRow
from cultureops.sync.small_file import load, save
from cultureops.sync.wire import Malformed
from cultureops.telemetry.follow import Cursor
from cultureops.telemetry.store import ChannelInfo

__all__ = ["Callers", "Origin", "OriginStatus"]

log = structlog.get_logger(__name__)

_CURSOR: Final = "readings_cursor"
EVENTS_RESERVE: Final = 200_000_000
READINGS_RESERVE: Final = 1_000_000_000
"""So much of the hub's disk [bytes] no gateway fills, so that the hub's own record goes on; what is refused waits at
the gateway. Readings are refused first, for alarms come with the log [OWN]."""


@dataclass(frozen=True, slots=True)
class Callers:
    """Whom the hub asks and tells; see Receiving."""

    keep_readings: Callable[[str, Sequence[Reading], Mapping[ChannelId, ChannelInfo]], Awaitable[None]]
    on_events: Callable[[str, Sequence[Event]], Awaitable[None]]
    taken: Callable[[str], int]
    standing: Callable[[str], Standing]
    orders: Callable[[str], Sequence[Order]]
    on_hello: Callable[[str, Hello, ClockOffset | None], None]
    on_head: Callable[[str, SignedHead], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class OriginStatus:
    """What the hub knows of one gateway; None where it has not been heard of since the start.

    ``heard_at`` is when it last proved itself [ms UTC of the hub's clock], ``held`` the end of its log here,
    ``newest_head`` the newest verified one, ``cursor`` how far its readings are here. ``events_waiting`` and
    ``readings_waiting`` are about what it still has to send, as it said last, ``waiting_since`` [ms UTC of its clock]
    when the oldest of those came. ``problem`` is why its log or its readings are refused, or can't be taken in;
    ``forked`` says that its log contradicts what it sent before: then nothing more of its log is taken.
    """

    heard_at: Instant | None
    held: Head
    newest_head: SignedHead | None
    cursor: str
    hello: Hello | None
    offset: ClockOffset | None
    events_waiting: int | None
    readings_waiting: int | None
    waiting_since: Instant | None
    certificate_ends: Instant
    forked: bool
    problem: str | None


class Origin:
    """One gateway at its hub; ``run`` is its task. Raises ChainBroken or StorageError where its log can't be opened."""

    def __init__(
        self, row: GatewayRow, held: OriginLog, folder: Path, clock: Clock, callers: Callers, timeout_s: float
    ) -> None:
        self.log = held
        self._row = row
        self._clock = clock
        self._callers = callers
        self._timeout_s = timeout_s
        self._folder = folder
        self._cursor_file = folder / f"{row.name}.json"
        self._cursor = _cursor_in(self._cursor_file)
        self._handing = Handing(held, callers.taken(row.name), clock, callers.on_events)
        self._heads = HeadWatch()
        self._log_turn, self._readings_turn = asyncio.Lock(), asyncio.Lock()
        self._under_way: set[asyncio.Task[Reply]] = set()
        self._heard_at: Instant | None = None
        self._hello: Hello | None = None
        self._times: tuple[Instant, Instant] | None = None
        self._offset: ClockOffset | None = None
        self._dispute: str | None = None
        self._refusal: str | None = None
        self._is_rewritten = False
        self._readings_problem: str | None = None

    def status(self) -> OriginStatus:
        """Say what is known of the gateway."""
        held, hello = self.log.head(), self._hello
        problems = (self._ended(), self._dispute, self._refusal, self._readings_problem, self._handing.problem)
        return OriginStatus(
            heard_at=self._heard_at,
            held=held,
            newest_head=self.log.newest_head,
            cursor=self._cursor.to_text(),
            hello=hello,
            offset=self._offset,
            events_waiting=None if hello is None else max(0, hello.ledger.position - held.position),
            readings_waiting=None if hello is None else hello.readings_waiting,
            waiting_since=None if hello is None else hello.waiting_since,
            certificate_ends=self._row.certificate_ends,
            forked=self._is_rewritten or self._dispute is not None,
            problem="; ".join(problem for problem in problems if problem) or None,
        )

    async def run(self) -> None:
        """Hand on what the log holds, until cancelled."""
        self._handing.tell()
        await self._handing.run()

    async def close(self) -> None:
        """Finish what was begun and let go of the log."""
        await asyncio.gather(*self._under_way, return_exceptions=True)
        self.log.close()

    async def watch_heads(self) -> None:
        """Have the newest head recorded where that is due; what fails is tried again later."""
        now = self._clock.now()
        head = self._heads.due(self.log.newest_head, self._heard_at, now)
        if head is None:
            return
        try:
            await self._callers.on_head(self._row.name, head)
        except Exception as error:
            log.error("a gateway's head could not be recorded", gateway=self._row.name, exc_info=error)
        else:
            self._heads.recorded(head, now)

    async def greet(self, body: bytes) -> Reply:
        """Answer a greeting with what is held, who stands where and what is to be done."""
        received_at = self._clock.now()
        hello = Hello.read(body)
        if hello.origin != self._row.name:
            raise Malformed(f"hello.origin: {hello.origin[:40]!r} is not {self._row.name!r}")
        return await self._whole(self._greet(hello, received_at))

    async def take_events(self, body: bytes) -> Reply:
        """Keep what follows in the log, and answer what is held then."""
        events = await asyncio.to_thread(EventsBody.read, body)
        return await self._whole(self._take_events(events))

    async def take_readings(self, body: bytes) -> Reply:
        """Have readings kept, and answer how far they are held then."""
        readings = await asyncio.to_thread(ReadingsBody.read, body)
        return await self._whole(self._take_readings(readings))

    async def _whole(self, work: Coroutine[Any, Any, Reply]) -> Reply:
        """Do it to its end, whoever waits for it: a connection that is lost leaves nothing half done."""
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def _done(self, task: asyncio.Task[Reply]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()

    async def _greet(self, hello: Hello, received_at: Instant) -> Reply:
        async with self._log_turn:
            dispute = self.log.disputes(hello.ledger)
            held, heads_size = self.log.head(), self.log.heads_size
        if dispute and dispute != self._dispute:
            log.error("a gateway's log contradicts what it sent before", gateway=self._row.name, problem=dispute)
        self._dispute = dispute
        self._hello, self._heard_at = hello, received_at
        self._compare_clocks(hello)
        try:
            self._callers.on_hello(self._row.name, hello, self._offset)
        except Exception as error:  # what it says of itself is less than what it has to hand over
            log.error("a gateway's greeting was not taken in", gateway=self._row.name, exc_info=error)
        standing = self._callers.standing(self._row.name)
        orders = () if dispute else tuple(self._callers.orders(self._row.name))[:MOST_ORDERS]
        await self.watch_heads()
        answered_at = self._clock.now()
        self._times = (received_at, answered_at)
        answer = Answer(received_at, answered_at, held, heads_size, self._cursor, standing, orders, dispute)
        return Reply(200, answer.body())

    def _compare_clocks(self, hello: Hello) -> None:
        """Take the times of the greeting before, where they are those that were given."""
        times = hello.previous
        if times is None or (times.received_at, times.answered_at) != self._times:
            return
        if (offset := clock_offset(times)) is not None:
            self._offset = narrower(self._offset, offset)

    async def _take_events(self, body: EventsBody) -> Reply:
        self._heard_at = self._clock.now()
        try:
            await self._check_room(EVENTS_RESERVE)
        except StorageError as error:
            self._refusal = str(error)
            raise
        async with self._log_turn:
            held = self.log.head()
            if body.after.position != held.position:
                return Reply(409, Held(held, self.log.heads_size).body())
            refusal = self._rewritten(body.after)
            if refusal is None:
                refusal = await self._store(body)
            self._refusal = refusal
        self._handing.tell()
        await self._handing.wait(self._timeout_s / 2)
        await self.watch_heads()
        return Reply(409 if refusal else 200, Held(self.log.head(), self.log.heads_size, refusal).body())

    async def _check_room(self, reserve: int) -> None:
        free = (await asyncio.to_thread(shutil.disk_usage, self._folder)).free
        if free < reserve:
            raise StorageError(f"{free / 1e6:,.0f} MB are free at the hub, {reserve / 1e6:,.0f} MB are kept for itself")

    def _rewritten(self, after: Head) -> str | None:
        self._is_rewritten = after != self.log.head()
        return f"position {after.position} of its log is not what it sent before" if self._is_rewritten else None

    async def _store(self, body: EventsBody) -> str | None:
        """Return why not everything was stored, None where it was; raises StorageError where nothing can be."""
        try:
            await asyncio.to_thread(self.log.take, body)
        except (Forked, TooNew) as error:
            self._is_rewritten = isinstance(error, Forked)
            log.error("a gateway's log is refused", gateway=self._row.name, problem=str(error))
            return str(error)
        return None

    async def _take_readings(self, body: ReadingsBody) -> Reply:
        self._heard_at = self._clock.now()
        async with self._readings_turn:
            if body.after != self._cursor:
                return Reply(409, cursor_answer(self._cursor))
            try:
                await self._check_room(READINGS_RESERVE)
                if body.readings:
                    await self._callers.keep_readings(self._row.name, body.readings, body.channels)
                await asyncio.to_thread(save, self._cursor_file, {_CURSOR: body.next.to_text()})
            except (StorageError, OSError) as error:
                self._readings_problem = f"its readings can't be kept: {error}"
                raise StorageError(self._readings_problem) from None
            self._cursor, self._readings_problem = body.next, None
            return Reply(200, cursor_answer(self._cursor))

    def _ended(self) -> str | None:
        is_over = self._clock.now() >= self._row.certificate_ends
        return "its certificate has ended: make a new one and name it in [[gateway]]" if is_over else None


def _cursor_in(path: Path) -> Cursor:
    """Return the stored cursor; the beginning where there is none: what is sent twice is kept once."""
    text = load(path).get(_CURSOR)
    try:
        return Cursor.parse(text) if isinstance(text, str) else Cursor()
    except ConfigError:
        log.warning("a gateway's cursor can't be read; its readings are asked for again", file=str(path))
        return Cursor()
