"""The program that makes one audit pack for a running lab: its order is JSON in its argument, its answers JSON lines.

It lets everything else on the machine go first, and ends when its standard input does, also when the lab was killed.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, Final

from cultureops.clock import SteppedClock, SystemClock
from cultureops.errors import CultureOpsError
from cultureops.keeping.packs import make_pack

__all__: list[str] = []

_IGNORED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Sent to every process of a terminal or a service; this one ends after the lab."""


def main(order: dict[str, Any]) -> None:
    for ignored in _IGNORED:
        signal.signal(ignored, signal.SIG_IGN)
    answers = os.dup(1)
    os.dup2(2, 1)
    os.nice(10)
    threading.Thread(target=_end_with_input, name="end", daemon=True).start()

    def answer(said: dict[str, Any]) -> None:
        os.write(answers, json.dumps(said).encode() + b"\n")

    out = Path(order["out"])
    site = None if order["site"] is None else Path(order["site"])
    clock = SystemClock() if order["now"] is None else SteppedClock(order["now"])
    try:
        written = asyncio.run(
            make_pack(
                Path(order["data_dir"]), order["batch_id"], out, site, clock,
                lambda done, steps: answer({"done": done, "steps": steps}),
            )
        )  # fmt: skip
        with out.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        head = {"head": str(written.head.head), "key_id": written.head.key_id}
        answer({"size": out.stat().st_size, "sha256": sha256, "events": written.events, **head})
    except (CultureOpsError, OSError) as error:
        answer({"error": str(error)})


def _end_with_input() -> None:
    while os.read(0, 1 << 16):
        pass
    os._exit(1)  # the lab clears away what is unfinished


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
