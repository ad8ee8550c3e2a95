"""What a controller noted by itself while nobody listened, read out afterwards: its log of events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

__all__ = ["EventLog", "EventLogReader", "LoggedEvent"]


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """One event of the log.

    ``line`` counts from 1; ``at_local`` is the controller's own time (ISO 8601 without offset); ``channel`` is the
    standard name of the channel it is about, empty where there is none. A code that nobody published is kept, with
    ``is_known`` False.
    """

    line: int
    at_local: str
    code: str
    text: str
    channel: str = ""
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class EventLog:
    """A whole log in file order: its events, how many lines were read, and which file it was."""

    events: tuple[LoggedEvent, ...]
    n_rows: int
    source_file: str
    source_sha256: str


EventLogReader: TypeAlias = Callable[[bytes, str, Path], EventLog]
"""``read(contents, file, mapping)``; raises ConfigError or ProtocolError, one line, and then nothing was read."""
