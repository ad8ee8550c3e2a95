"""The program of a worker process: drives one contestant, a JSON command a line in, a JSON answer a line out."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from benchmarks.contestants import contestant

__all__: list[str] = []


def _answer(driven: Any, line: str) -> dict[str, Any]:
    command = json.loads(line)
    try:
        found: dict[str, Any] = getattr(driven, command.pop("do"))(**command)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return found


def main(name: str, at: str) -> None:
    """Obey until standard input ends; what a contestant itself prints goes where errors go."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    driven = contestant(name, at)
    try:
        for line in sys.stdin:
            print(json.dumps(_answer(driven, line)), file=answers, flush=True)
    finally:
        driven.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
