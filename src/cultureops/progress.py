"""Showing on standard error, where somebody watches it, that work takes a while."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

__all__ = ["patience", "steps"]


def patience(doing: str) -> AbstractContextManager[object]:
    """Show that work goes on, nobody knows how long."""
    from rich.console import Console

    console = Console(stderr=True)
    return console.status(f"{doing} ...") if console.is_terminal else nullcontext()


@contextmanager
def steps(doing: str) -> Iterator[Callable[[int, int], None]]:
    """Show how many steps of how many are done, as often as what this gives is called with both."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn(doing), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(doing)
        yield lambda done, total: progress.update(task, completed=done, total=total)
