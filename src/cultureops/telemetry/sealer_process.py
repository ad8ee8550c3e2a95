"""A sealer in a process of its own, so that no poll and no commit waits for the interpreter while it works.

The process holds the folder's lock until it ends (flock(2): a lock lives as long as any copy of its descriptor), and it
ends with its standard input, also when the writer was killed.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from cultureops.errors import StorageError, Unreadable
from cultureops.telemetry.sealer import Stopped

__all__ = ["SealerProcess"]

STOP_POLL_S: Final = 0.05
END_DEADLINE_S: Final = 10.0
PROGRAM: Final = "cultureops.telemetry.sealer_program"


class SealerProcess:
    """What a Sealer is, seen from the process that asks; ``lock`` is the descriptor of the folder's lock.

    Raises Unreadable for a damaged file, StorageError for one that can't be written or when the process breaks down,
    Stopped when ``is_stopped`` says so.
    """

    def __init__(self, folder: Path, is_stopped: Callable[[], bool], lock: int) -> None:
        self._is_stopped = is_stopped
        self._rest = b""
        self._child = subprocess.Popen(
            [sys.executable, "-m", PROGRAM, str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=(lock,),
        )  # fmt: skip
        try:
            self._take_answer()
        except BaseException:
            self.close()
            raise

    def seal(self, seq: int, before_hour: int) -> None:
        """Seal every reading up to frame ``seq`` of the hours before ``before_hour``."""
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps([seq, before_hour]).encode() + b"\n")
            self._child.stdin.flush()
        except OSError:
            raise self._broken_down() from None
        self._take_answer()

    def close(self) -> None:
        """End the process between two commits; nothing of a pass under way is lost."""
        assert self._child.stdin is not None and self._child.stdout is not None
        with suppress(OSError):  # it may be gone already
            self._child.stdin.close()
        try:
            self._child.wait(END_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child.stdout.close()

    def _take_answer(self) -> None:
        answer: dict[str, Any] = json.loads(self._line())
        if "error" in answer:
            raise (Unreadable if answer["is_unreadable"] else StorageError)(answer["error"])
        self.floor, self.passes = int(answer["floor"]), int(answer["passes"])

    def _line(self) -> bytes:
        """Wait for an answer for as long as a pass takes, ready to be stopped."""
        assert self._child.stdout is not None
        descriptor = self._child.stdout.fileno()
        while b"\n" not in self._rest:
            if select.select([descriptor], [], [], STOP_POLL_S)[0]:
                some = os.read(descriptor, 1 << 16)
                if not some:
                    raise self._broken_down()
                self._rest += some
            elif self._is_stopped():
                raise Stopped
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _broken_down(self) -> StorageError:
        return StorageError(f"the sealing process ended by itself (code {self._child.poll()}); it is started again")
