"""One connection to an instrument: does what the receiver says, in order, and writes to the disk in a thread."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial

from cultureops.device.transport.base import Peer
from cultureops_drivers.astm_counter.protocol import Abandon, Action, Finish, Keep, Receiver, Refuse, Send
from cultureops_drivers.astm_counter.spool import KeptMessage, Spool

__all__ = ["Conversation"]


class Conversation:
    """Hears one peer; nothing is acknowledged before it is on the disk.

    When the disk fails, the peer gets no answer and is hung up: it will send again. ``on_failure`` learns why.
    """

    def __init__(self, peer: Peer, spool: Spool, thread: Executor, on_failure: Callable[[BaseException], None]) -> None:
        self._peer = peer
        self._spool = spool
        self._thread = thread
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        self._receiver = Receiver()
        self._message = KeptMessage(spool)
        self._todo: deque[Action] = deque()
        self._writing: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def receive(self, data: bytes) -> None:
        """Take bytes as they come in."""
        self._do(self._receiver.receive(data, self._loop.time()))

    def lost(self) -> None:
        """Learn that the connection is gone."""
        self._do(self._receiver.lost())

    def _do(self, actions: tuple[Action, ...]) -> None:
        self._todo.extend(actions)
        self._advance()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if (deadline := self._receiver.deadline) is not None:
            self._timer = self._loop.call_at(deadline, self._tick)

    def _tick(self) -> None:
        self._do(self._receiver.tick(self._loop.time()))

    def _advance(self) -> None:
        while self._todo and self._writing is None:
            match self._todo.popleft():
                case Send(data):
                    self._peer.send(data)
                case Keep(text):
                    self._write(partial(self._message.keep, text))
                case Finish(notes):
                    self._write(partial(self._message.finish, notes))
                case Abandon(reason):
                    self._write(partial(self._message.abandon, reason))
                case Refuse(reason, data):
                    self._write(partial(self._spool.refuse, data, f"{self._peer.name}: {reason}"))
                    self._peer.close()

    def _write(self, work: Callable[[], None]) -> None:
        self._writing = self._loop.run_in_executor(self._thread, work)
        self._writing.add_done_callback(self._written)

    def _written(self, done: asyncio.Future[None]) -> None:
        self._writing = None
        error = None if done.cancelled() else done.exception()
        if error is not None:
            self._todo.clear()
            self._receiver, self._message = Receiver(), KeptMessage(self._spool)
            self._on_failure(error)
            self._peer.close()
        self._advance()
