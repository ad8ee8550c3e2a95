"""Measure every claim, or those that are named; print a table and write bench.json.

`python -m benchmarks [--quick] [--json FILE] [NAME ...]`; exit code 0 when every target is met, 1 when one is missed or
could not be measured, 2 for wrong use.
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import os
import platform
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from benchmarks.process import BenchError
from benchmarks.rows import as_dict, show, write

__all__ = ["main"]

CLAIMS: Final = ("ingest", "size", "query", "exposure", "mirror", "acquisition", "rtu", "alarms")
"""Modules of this package, each with ``measure``: rows of one or more claims, given by a function or a coroutine."""
QUICK: Final = 100


def main(arguments: Sequence[str]) -> int:
    """Run what the command line asks for and return the exit code."""
    options = _options(arguments)
    console = Console(width=None if sys.stdout.isatty() else 180)
    console.print(f"{platform.platform()}, {os.cpu_count()} CPUs, Python {platform.python_version()}")
    rows: list[dict[str, Any]] = []
    for name in options.names or CLAIMS:
        began = time.monotonic()
        try:
            rows += measure(name, QUICK if options.quick else 1)
        except BenchError as error:
            console.print(f"{name}: {error}", style="bold red", markup=False, highlight=False)
            rows.append(_not_measured(name, error))
        console.print(f"{name}: {time.monotonic() - began:.0f} s")
    show(rows, console)
    write(rows, options.json)
    return 0 if all(row["ok"] is not False for row in rows) else 1


def measure(name: str, shrink: int) -> list[dict[str, Any]]:
    """Return a claim's rows; a claim whose ``measure`` takes no ``shrink`` has one size."""
    function = import_module(f"benchmarks.{name}").measure
    sized = {"shrink": shrink} if "shrink" in inspect.signature(function).parameters else {}
    found = function(**sized)
    return [as_dict(row) for row in (asyncio.run(found) if inspect.iscoroutine(found) else found)]


def _not_measured(name: str, error: BenchError) -> dict[str, Any]:
    """Return the row of a claim that was not measured: no number is made up, and it does not count as met."""
    return {
        "name": f"{name}: {error}", "value": None, "unit": "", "peer": None, "peer_value": None, "ratio": None,
        "target": "to be measured", "ok": False,
    }  # fmt: skip


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks", description="Measure claims beside their peers.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to measure: {', '.join(CLAIMS)}; all of them")
    parser.add_argument("--quick", action="store_true", help=f"cut sizes by {QUICK}: it works, but is no proof")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where the rows go; bench.json")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(CLAIMS))
    if unknown:
        parser.error(f"nothing is called {', '.join(unknown)}; choose from {', '.join(CLAIMS)}")
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
