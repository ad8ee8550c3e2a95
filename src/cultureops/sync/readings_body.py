"""Readings on the way to the hub: a JSON head with two cursors and the channels' names, then packed frames,
each behind its length [u32 big-endian]. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from cultureops.clock import Instant
from cultureops.device.channel import ChannelId, Kind
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.errors import Unreadable
from cultureops.ledger.event import JsonValue
from cultureops.sync.hello import cursor_of
from cultureops.sync.wire import Fields, Malformed, dumps, loads, with_head, without_head
from cultureops.telemetry.follow import Cursor, Extract
from cultureops.telemetry.frame import MAX_READINGS, Columns, Rows, decode, encode
from cultureops.telemetry.store import ChannelInfo

__all__ = ["ReadingsBody", "cursor_answer", "read_cursor_answer"]

LATEST: Final[Instant] = 7_258_118_400_000
"""2200-01-01: a time behind it is no time of a reading, however wrong a clock was."""

_MOST_CHANNELS: Final = 20_000
_MOST_FRAMES: Final = 4
"""A quarter of a million readings are what one request may make of the hub's memory."""
_LENGTH_BYTES: Final = 4
_MOST_DECIMALS: Final = 15


@dataclass(frozen=True, slots=True)
class ReadingsBody:
    """Readings behind the cursor ``after`` that the hub holds; with them it holds ``next``."""

    after: Cursor
    next: Cursor
    channels: Mapping[ChannelId, ChannelInfo]
    readings: tuple[Reading, ...]

    @staticmethod
    def written(after: Cursor, extract: Extract, infos: Mapping[ChannelId, ChannelInfo]) -> bytes:
        """Write what was read from a store for the wire."""
        rows = extract.rows
        size = rows.channel.size
        numbers = np.unique(rows.channel).tolist()
        names = {number: extract.names[number] for number in numbers}
        head: dict[str, JsonValue] = {
            "after": after.to_text(),
            "next": extract.next.to_text(),
            "channels": {str(number): _info(name, infos[name]) for number, name in names.items()},
        }
        parts = (rows.at(np.arange(at, min(at + MAX_READINGS, size))) for at in range(0, size, MAX_READINGS))
        return with_head(head, b"".join(_with_length(_frame(part)) for part in parts))

    @classmethod
    def read(cls, body: bytes) -> ReadingsBody:
        """Read what ``written`` returned; raises Malformed."""
        head, rest = without_head(body, "readings")
        after, following = cursor_of(head, "after"), cursor_of(head, "next")
        channels = head.fields("channels")
        rows = {_number(key): channels.fields(key) for key in channels.keys(_MOST_CHANNELS, 10)}
        names = {number: ChannelId(fields.text("name")) for number, fields in rows.items()}
        infos = {names[number]: _read_info(fields) for number, fields in rows.items()}
        return cls(after, following, infos, tuple(_readings(_frames(rest), names)))


def cursor_answer(cursor: Cursor) -> bytes:
    """Write how far the hub holds a gateway's readings."""
    return dumps({"readings_cursor": cursor.to_text()})


def read_cursor_answer(body: bytes) -> Cursor:
    """Read what ``cursor_answer`` returned; raises Malformed."""
    return cursor_of(loads(body, "answer"), "readings_cursor")


def _frame(rows: Columns) -> bytes:
    points = rows.points
    source_ms = points.source_ms
    return encode(
        Rows(
            channel=rows.channel.tolist(),
            value=points.value.tolist(),
            quality=points.quality.tolist(),
            reason=points.reason.tolist(),
            source_ms=source_ms,
            received_ms=points.received_ms,
            from_ms=int(source_ms.min()),
            to_ms=int(source_ms.max()),
        )
    )


def _with_length(frame: bytes) -> bytes:
    return len(frame).to_bytes(_LENGTH_BYTES, "big") + frame


def _frames(rest: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and bytes of each frame."""
    at, number = 0, 1
    while at < len(rest):
        end = at + _LENGTH_BYTES + int.from_bytes(rest[at : at + _LENGTH_BYTES], "big")
        if end > len(rest) or number > _MOST_FRAMES:
            raise Malformed(f"readings: frame {number} is cut off, or one too many")
        yield number, rest[at + _LENGTH_BYTES : end]
        at, number = end, number + 1


def _readings(frames: Iterator[tuple[int, bytes]], names: Mapping[int, ChannelId]) -> Iterator[Reading]:
    """Unpack frames and doubt every column of them."""
    for frame in frames:
        yield from _readings_of(frame, names)


def _readings_of(frame: tuple[int, bytes], names: Mapping[int, ChannelId]) -> tuple[Reading, ...]:
    try:
        rows = decode([frame])
    except Unreadable as error:
        raise Malformed(f"readings: {error}") from None
    points = rows.points
    for name, instants in (("source", points.source_ms), ("received", points.received_ms)):
        if int(instants.min()) < 0 or int(instants.max()) >= LATEST:
            raise Malformed(f"readings: a {name} time is none from 1970 to 2199")
    try:
        return tuple(
            Reading(names[channel], None if value != value else value, _QUALITY[quality], _REASON[reason], at, received)
            for channel, value, quality, reason, at, received in zip(
                rows.channel.tolist(), points.value.tolist(), points.quality.tolist(), points.reason.tolist(),
                points.source_ms.tolist(), points.received_ms.tolist(), strict=True,
            )
        )  # fmt: skip
    except KeyError as error:
        raise Malformed(f"readings: channel, quality or reason {error} is not known here") from None
    except ValueError as error:
        raise Malformed(f"readings: {error}") from None


_QUALITY: Final = {int(quality): quality for quality in Quality}
_REASON: Final = {int(reason): reason for reason in Reason}


def _info(name: ChannelId, info: ChannelInfo) -> dict[str, JsonValue]:
    return {
        "name": name,
        "unit": info.unit,
        "decimals": info.decimals,
        "kind": info.kind.value,
        "verified": info.verified,
        "simulated": info.simulated,
    }


def _read_info(fields: Fields) -> ChannelInfo:
    try:
        kind = Kind(fields.text("kind"))
    except ValueError:
        raise Malformed(f"readings.channels: {fields.text('kind')!r} is no kind of channel") from None
    decimals = fields.integer("decimals", 0, _MOST_DECIMALS)
    return ChannelInfo(fields.prose("unit", 50), decimals, kind, fields.flag("verified"), fields.flag("simulated"))


def _number(key: str) -> int:
    if not key.isascii() or not key.isdigit():
        raise Malformed(f"readings.channels: {key!r} is no number of a channel")
    return int(key)
