"""The program that makes one backup for a running lab: its order is JSON in its argument, so is its answer.

It lets everything else on the machine go first, and ends when its standard input does, also when the lab was killed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, Final

from cultureops.backup.records import taken_data
from cultureops.backup.taking import Wanted, take_backup
from cultureops.errors import ConfigError, CultureOpsError

__all__: list[str] = []

_IGNORED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Sent to every process of a terminal or a service; this one ends after the lab."""
_PATHS: Final = ("data_dir", "shelf", "site_file")


def main(order: dict[str, Any]) -> None:
    for ignored in _IGNORED:
        signal.signal(ignored, signal.SIG_IGN)
    answers = os.dup(1)
    os.dup2(2, 1)
    os.nice(10)
    threading.Thread(target=_end_with_input, name="end", daemon=True).start()
    now = order.pop("now")
    wanted = Wanted(**order | {key: Path(order[key]) for key in _PATHS if order[key] is not None})
    try:
        answer: dict[str, Any] = taken_data(take_backup(wanted, now))
    except CultureOpsError as error:
        answer = {"error": str(error), "is_use": isinstance(error, ConfigError)}
    os.write(answers, json.dumps(answer).encode())


def _end_with_input() -> None:
    while os.read(0, 1 << 16):
        pass
    os._exit(1)  # what is unfinished has no name; the next backup clears it away


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
