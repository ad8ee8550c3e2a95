"""The hub's side: listens for its gateways, keeps what they send, and tells them what it has for them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from cultureops.clock import SECOND_MS, Clock
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Reading
from cultureops.errors import ChainBroken, StorageError, Unreadable
from cultureops.ledger.event import Event
from cultureops.ledger.head import Head
from cultureops.ledger.signed_head import SignedHead
from cultureops.sync.clock_offset import ClockOffset
from cultureops.sync.forwarding import HELLO_PATH
from cultureops.sync.hello import Hello, Order, Standing
from cultureops.sync.log_sender import EVENTS_PATH
from cultureops.sync.origin import Callers, Origin, OriginStatus
from cultureops.sync.origin_log import Known, OriginLog
from cultureops.sync.readings_sender import READINGS_PATH
from cultureops.sync.server import Door, Reply
from cultureops.sync.settings import GatewaysSettings
from cultureops.telemetry.store import ChannelInfo

__all__ = ["OriginStatus", "Receiving"]

WATCH_EVERY_MS: Final = 5 * SECOND_MS


class Receiving:
    """Listens for the gateways of a hub; ``run`` is its task.

    ``keep_readings`` returns when they are durable; an origin may name any channel, so it says which it keeps of whom.
    ``on_events`` is told of an origin's events in order once they are durable in its log, from behind ``taken`` on (the
    highest position that the caller has taken in, asked at the start); after an error it is told again. ``heads`` are
    those that ``on_head`` was told before: a log that has not grown out of them is refused. ``on_head`` is
    told of a verified head, at most one a minute for each origin, and of the last one before the origin falls silent;
    after a start again of the newest. ``on_hello`` gets the offset of the clocks as far as known.
    """

    def __init__(
        self, settings: GatewaysSettings, folder: Path, clock: Clock, *,
        keep_readings: Callable[[str, Sequence[Reading], Mapping[ChannelId, ChannelInfo]], Awaitable[None]],
        on_events: Callable[[str, Sequence[Event]], Awaitable[None]],
        taken: Callable[[str], int],
        heads: Callable[[str], Iterable[Head]],
        standing: Callable[[str], Standing],
        orders: Callable[[str], Sequence[Order]],
        on_hello: Callable[[str, Hello, ClockOffset | None], None],
        on_head: Callable[[str, SignedHead], Awaitable[None]],
    ) -> None:  # fmt: skip
        self._settings = settings
        self._folder = folder
        self._clock = clock
        self._heads = heads
        self._callers = Callers(keep_readings, on_events, taken, standing, orders, on_hello, on_head)
        self._origins: dict[str, Origin] = {}
        self._door = Door(
            settings,
            {
                HELLO_PATH: partial(self._serve, Origin.greet),
                EVENTS_PATH: partial(self._serve, Origin.take_events),
                READINGS_PATH: partial(self._serve, Origin.take_readings),
            },
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Follow the logs in ``folder`` and begin to listen; raises ConfigError, StorageError or ChainBroken."""
        if self._tasks:
            return
        self._folder.mkdir(mode=0o700, exist_ok=True)
        try:
            for row in self._settings.rows:
                held = await asyncio.to_thread(self._open_log, row.name)
                self._origins[row.name] = Origin(
                    row, held, self._folder, self._clock, self._callers, self._settings.timeout_s
                )
            await self._door.open()
        except BaseException:
            await self._let_go()
            raise
        self._tasks = [asyncio.create_task(origin.run()) for origin in self._origins.values()]
        self._tasks.append(asyncio.create_task(self._watch()))

    async def run(self) -> None:
        """Serve until cancelled; opens what is not open yet, and closes it at the end."""
        await self.open()
        try:
            await asyncio.gather(*self._tasks)
        finally:
            await self.close()

    @property
    def port(self) -> int:
        """The port that is listened at, once open."""
        return self._door.port

    def status(self) -> Mapping[str, OriginStatus]:
        """Say what is known of each gateway, by name."""
        return {name: origin.status() for name, origin in self._origins.items()}

    def log(self, origin: str) -> OriginLog:
        """Return a gateway's log, once open; raises KeyError."""
        return self._origins[origin].log

    async def close(self) -> None:
        """Stop listening and let go of the logs; a second call does nothing."""
        await self._door.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        await self._let_go()

    def _open_log(self, name: str) -> OriginLog:
        path = self._folder / f"{name}.sqlite"
        try:
            return OriginLog.open(path, name, Known.of(self._callers.taken(name), self._heads(name)))
        except (ChainBroken, Unreadable) as error:
            raise type(error)(f"{error}; or keep {path.name}* elsewhere as evidence: {name} sends it again") from None

    async def _let_go(self) -> None:
        origins, self._origins = self._origins, {}
        for origin in origins.values():
            await origin.close()

    async def _watch(self) -> None:
        while True:
            for origin in self._origins.values():
                await origin.watch_heads()
            await self._clock.sleep_until(self._clock.now() + WATCH_EVERY_MS)

    async def _serve(self, how: Callable[[Origin, bytes], Awaitable[Reply]], name: str, body: bytes) -> Reply:
        origin = self._origins.get(name)
        if origin is None:
            raise StorageError("the hub is closing")
        return await how(origin, body)
