"""The program of the sealing process: passes asked for on standard input, answered on standard output.

JSON by the line: ``[seq, before_hour]`` in, how far sealing has come or the error out; one answer comes unasked at the
start. After an error the program ends, as nothing in its memory is to be trusted then.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from cultureops.errors import StorageError, Unreadable
from cultureops.telemetry.sealer import Sealer, Stopped

__all__: list[str] = []

_IGNORED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Sent to every process of a terminal or a service; this one ends after its writer."""


def main(folder: Path) -> None:
    for ignored in _IGNORED:
        signal.signal(ignored, signal.SIG_IGN)
    answers = os.dup(1)
    os.dup2(2, 1)
    ended = threading.Event()
    read_end, write_end = os.pipe()
    threading.Thread(target=_pass_on, args=(write_end, ended), name="requests", daemon=True).start()
    sealer: Sealer | None = None
    with os.fdopen(read_end) as requests:
        request: list[int] | None = None
        while not ended.is_set():
            try:
                sealer = sealer or Sealer(folder, ended.is_set)
                if request is not None:
                    sealer.seal(*request)
                answer: dict[str, Any] = {"floor": sealer.floor, "passes": sealer.passes}
            except Stopped:
                break
            except (sqlite3.Error, OSError, Unreadable, StorageError) as error:
                answer = {"error": str(error), "is_unreadable": isinstance(error, Unreadable)}
            with suppress(BrokenPipeError):  # nobody waits for it any more
                os.write(answers, json.dumps(answer).encode() + b"\n")
            if "error" in answer:
                break
            line = requests.readline()
            request = json.loads(line) if line else None
    if sealer is not None:
        sealer.close()


def _pass_on(requests: int, ended: threading.Event) -> None:
    """Copy standard input, so that its end is seen in the middle of a pass."""
    while some := os.read(0, 1 << 16):
        os.write(requests, some)
    ended.set()
    os.close(requests)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
