"""What a logger kept while nobody listened, read out afterwards: a trace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias
from zoneinfo import ZoneInfo

from cultureops.clock import Instant
from cultureops.device.channel import Channel
from cultureops.device.driver import Identity
from cultureops.device.reading import Sample
from cultureops.errors import ConfigError

__all__ = ["MappingMismatch", "Trace", "TraceReader", "TraceRow"]


class MappingMismatch(ConfigError):
    """The file is of another kind than the mapping describes; as a file of its own kind it may be sound."""


@dataclass(frozen=True, slots=True)
class TraceRow:
    """What the logger noted at one time [ms UTC], one sample for each channel in their order."""

    source_time: Instant
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """One file of a logger, its rows by ascending time and at least one; ``mapping`` names how it was read."""

    identity: Identity
    channels: tuple[Channel, ...]
    rows: tuple[TraceRow, ...]
    mapping: str
    source_file: str
    source_sha256: str


TraceReader: TypeAlias = Callable[[bytes, str, str, ZoneInfo | None], Trace]
"""``read(contents, file, mapping, zone)``.

``zone`` is the one that the logger's clock was set to; None where only the offset that the file states is known. Raises
ConfigError naming file and line for the first thing that is not as the mapping says, MappingMismatch where that is the
kind of file.
"""
