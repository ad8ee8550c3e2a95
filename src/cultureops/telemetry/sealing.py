"""The thread that seals: takes wishes one after the other and never gives up what a failure left undone."""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from cultureops.errors import StorageError, Unreadable
from cultureops.telemetry.sealer import Sealer, Stopped
from cultureops.telemetry.sealer_process import SealerProcess

__all__ = ["Sealing"]

log = structlog.get_logger(__name__)

Done = Callable[[StorageError | None], None]


class Sealing:
    """Seals a folder beside its writer, in a process of its own when given the folder's lock to share.

    Raises what Sealer raises when the folder can't be opened.
    """

    def __init__(self, folder: Path, shared_lock: int | None) -> None:
        self._folder = folder
        self._shared_lock = shared_lock
        self._stop = threading.Event()
        self._sealer: Sealer | SealerProcess | None = self._open()
        self._wishes: queue.SimpleQueue[tuple[int, int, Done] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self.floor = self._sealer.floor
        self.passes = self._sealer.passes
        self.failure: StorageError | None = None
        self.is_busy = False

    def start(self, on_progress: Callable[[], None]) -> None:
        """Begin, with the pass that was cut short if there is one; ``on_progress`` tells of frames that may go."""
        work = threading.Thread(target=self._seal_until_stopped, args=(on_progress,), name="sealing", daemon=True)
        self._thread = work
        self._thread.start()
        self.wish(0, 0, lambda error: None)

    def wish(self, seq: int, before_hour: int, done: Done) -> None:
        """Ask for the frames up to ``seq`` to be sealed; ``done`` is called from the thread, with the error if any."""
        self.is_busy = True
        self._wishes.put((seq, before_hour, done))

    def stop(self) -> None:
        """End between two commits; what is left is taken up by the next start."""
        self._stop.set()
        self._wishes.put(None)
        if self._thread is not None:
            self._thread.join()
        if self._sealer is not None:
            self._sealer.close()
            self._sealer = None

    def _seal_until_stopped(self, on_progress: Callable[[], None]) -> None:
        while (wish := self._wishes.get()) is not None:
            seq, before_hour, done = wish
            self.is_busy = True
            try:
                self._seal(seq, before_hour)
                self.failure = None
            except Stopped:
                done(StorageError(f"{self._folder}: the store was closed before all was sealed"))
                continue
            except Exception as error:
                if not isinstance(error, sqlite3.Error | OSError | Unreadable | StorageError):
                    log.exception("sealing met what it was not made for")
                self._let_go()
                self.failure = StorageError(f"{self._folder}: readings stay in the journal, sealing failed: {error}")
                log.error("readings can't be sealed", folder=str(self._folder), error=str(error))
            self.is_busy = not self._wishes.empty()
            on_progress()
            done(self.failure)

    def _seal(self, seq: int, before_hour: int) -> None:
        if self._sealer is None:
            self._sealer = self._open()
        self._sealer.seal(seq, before_hour)
        self.floor, self.passes = self._sealer.floor, self._sealer.passes

    def _open(self) -> Sealer | SealerProcess:
        if self._shared_lock is None:
            return Sealer(self._folder, self._stop.is_set)
        return SealerProcess(self._folder, self._stop.is_set, self._shared_lock)

    def _let_go(self) -> None:
        """After a failure nothing in memory is trusted: the next wish opens the files anew."""
        sealer, self._sealer = self._sealer, None
        if sealer is not None:
            try:
                sealer.close()
            except (sqlite3.Error, OSError) as error:
                log.error("a month's file could not be closed in order; its log is kept", error=str(error))
