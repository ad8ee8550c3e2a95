"""Readings as InfluxDB line protocol: one line per reading, numbers as fields, text as tags. Pure.

A name that line protocol can't carry (control characters, backslashes, a leading ``#``) is written with ``%HH`` as in
URLs; a ``%`` is written so only where it would read as such. Source:
https://docs.influxdata.com/influxdb/v1/write_protocols/line_protocol_reference/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cultureops.device.channel import ChannelId
from cultureops.telemetry.frame import Columns
from cultureops.telemetry.series_address import carried
from cultureops.telemetry.store import ChannelInfo

__all__ = ["Encoder", "Labels", "escape_measurement", "escape_tag", "head"]

MOST_VALUES: Final = 50_000
_BATCH: Final = "batch:"
_MEASUREMENT: Final = str.maketrans({",": r"\,", " ": r"\ "})
_TAG: Final = str.maketrans({",": r"\,", " ": r"\ ", "=": r"\="})


def escape_measurement(text: str) -> str:
    """Write a measurement's name (not empty)."""
    return carried(text).translate(_MEASUREMENT)


def escape_tag(text: str) -> str:
    """Write a tag's key or value (not empty)."""
    return carried(text).translate(_TAG)


def head(measurement: str, tags: Mapping[str, str]) -> str:
    """Return what stands before the fields, tags sorted by key; an empty tag, which nobody allows, is left out."""
    said = [f"{escape_tag(key)}={escape_tag(value)}" for key, value in sorted(tags.items()) if value]
    return ",".join([escape_measurement(measurement), *said])


@dataclass(frozen=True, slots=True)
class Labels:
    """What tells one lab's channels apart: the site's name, and in which chamber each device looks, if in any."""

    site: str
    chambers: Mapping[str, str | None]

    def head(self, channel: ChannelId, info: ChannelInfo | None) -> str:
        """Return measurement and tags of a channel; a batch's own facts are ``batch_<name>``."""
        owner, _, name = channel.rpartition("/")
        tags = {"site": self.site}
        if owner.startswith(_BATCH):
            name = f"batch_{name}"
            tags["batch"] = owner.removeprefix(_BATCH)
        else:
            tags["device"] = owner
            tags["chamber"] = self.chambers.get(owner) or ""
        if info is not None:
            tags["unit"] = info.unit
            tags["simulated"] = "true" if info.simulated else ""
        return head(name or "unnamed", tags)


class _Fields(dict[float, bytes]):
    """The fields of readings of one quality and reason, by value; an instrument says the same few values all day."""

    def __init__(self, code: int) -> None:
        self._tail = b"quality=%di,reason_code=%di " % (code >> 8, code & 0xFF)

    def __missing__(self, value: float) -> bytes:
        if value != value:
            return self._tail
        if len(self) >= MOST_VALUES:
            self.clear()
        written = self[value] = b"value=%r,%b" % (value, self._tail)
        return written


class _Instants(dict[int, bytes]):
    """Ends of lines by time; the channels of a device share theirs."""

    def __missing__(self, at_ms: int) -> bytes:
        written = self[at_ms] = b"%d\n" % at_ms
        return written


class Encoder:
    """Writes readings as lines; remembers what lines are made of."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._heads: dict[ChannelId, tuple[ChannelInfo | None, bytes]] = {}
        self._fields: dict[int, _Fields] = {}

    def bodies(
        self,
        rows: Columns,
        names: Mapping[int, ChannelId],
        infos: Mapping[ChannelId, ChannelInfo],
        most_lines: int,
    ) -> Iterator[bytes]:
        """Yield the readings in their order as bodies of at most so many lines, times in ms."""
        points = rows.points
        channels = rows.channel.tolist()
        heads = {number: self._head(names[number], infos) for number in set(channels)}
        codes = points.quality.astype("u4") << 8 | points.reason
        for first in range(0, points.size, most_lines):
            part = slice(first, first + most_lines)
            pieces = zip(
                map(heads.__getitem__, channels[part]),
                self._written(points.value[part].tolist(), codes[part]),
                map(_Instants().__getitem__, points.source_ms[part].tolist()),
                strict=True,
            )
            yield b"".join(chain.from_iterable(pieces))[:-1]

    def _written(self, values: list[float], codes: NDArray[np.uint32]) -> list[bytes]:
        """Return each reading's fields: all as if they were of the first one's quality, then the others anew."""
        usual = int(codes[0])
        written = list(map(self._fields_of(usual).__getitem__, values))
        for row in np.flatnonzero(codes != usual).tolist():
            written[row] = self._fields_of(int(codes[row]))[values[row]]
        return written

    def _fields_of(self, code: int) -> _Fields:
        if code not in self._fields:
            self._fields[code] = _Fields(code)
        return self._fields[code]

    def _head(self, channel: ChannelId, infos: Mapping[ChannelId, ChannelInfo]) -> bytes:
        info = infos.get(channel)
        known = self._heads.get(channel)
        if known is None or known[0] != info:
            known = self._heads[channel] = info, f"{self._labels.head(channel, info)} ".encode()
        return known[1]
