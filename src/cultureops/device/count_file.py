"""Result files of cell counters that lie anywhere, as opposed to a counter's own export folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from cultureops.device.driver import CountResult

__all__ = ["CountReader"]

CountReader: TypeAlias = Callable[[bytes, str], tuple[CountResult, ...] | None]
"""``read(contents, file)``: the counts by their order in the file, or None where its contents are of another kind.

Contents decide, never the name. Raises ProtocolError, one line, for a file that it knows and can't read; then nothing
of it is used.
"""
