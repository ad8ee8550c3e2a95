"""What the ledger keeps: events, and the one way each of them is written as bytes.

Bytes are JSON in the canonical form of RFC 8785, so that the same event always has the same hash. Times stand
in them as ISO 8601 text in UTC with milliseconds.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeAlias

import rfc8785

from cultureops.clock import Instant, iso, parse_iso
from cultureops.errors import ConfigError, StorageError, Unreadable
from cultureops.kernel_clock import ClockQuality
from cultureops.ledger.upcast import upcast

__all__ = [
    "MAX_INTEGER",
    "Actor",
    "Event",
    "JsonValue",
    "NewEvent",
    "Source",
    "check_stream",
    "decode",
    "draft",
    "recorded_data",
    "seal",
]

JsonValue: TypeAlias = "bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"

MAX_INTEGER: Final = 2**53 - 1
"""Beyond this a JSON number loses digits (RFC 8785 section 3.2.2.3, RFC 7493 section 2.2)."""

_MAX_DEPTH: Final = 32
_MAX_NAME: Final = 200
_LAST_INSTANT: Final = 253_402_300_799_999
_ALGORITHM: Final = "sha256"
_CLAIM_KEYS: Final = frozenset({"claims", "releases"})


class Source(StrEnum):
    """Where a fact came from."""

    HUMAN = "human"
    DEVICE = "device"
    IMPORT = "import"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it, as an account or device token, and in which role."""

    id: str
    role: str


@dataclass(frozen=True, slots=True)
class NewEvent:
    """A fact to be recorded.

    ``occurred_at`` [ms UTC] defaults to the time of recording; ``data`` holds JSON values only, a missing
    number is None. What is not JSON, not finite or beyond 2^53 is refused when the event is appended.

    ``claims`` are names that no other event may hold from then on, until the same stream ``releases`` them; releases
    come first.
    """

    type: str
    data: Mapping[str, JsonValue]
    actor: Actor
    source: Source
    occurred_at: Instant | None = None
    reason: str = ""
    schema_version: int = 1
    claims: tuple[str, ...] = ()
    releases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """A recorded fact.

    ``position`` counts all events of the ledger from 1, ``version`` those of the stream from 1, neither with
    gaps. ``data`` and ``schema_version`` are as this program reads them, ``recorded_data`` tells what was written.
    ``clock_quality`` says what ``recorded_at`` is worth, None where that is not real time or was not noted.
    ``canonical`` are the hashed bytes, ``hash`` the chain's hash at this position (hex),
    ``previous_stream_hash`` that of the stream's event before (hex).
    """

    position: int
    stream: str
    version: int
    event_id: str
    type: str
    data: Mapping[str, JsonValue]
    actor: Actor
    source: Source
    occurred_at: Instant
    recorded_at: Instant
    reason: str
    schema_version: int
    origin: str
    previous_stream_hash: str
    canonical: bytes
    hash: str
    claims: tuple[str, ...] = ()
    releases: tuple[str, ...] = ()
    clock_quality: ClockQuality | None = None


def check_stream(stream: str) -> str:
    """Return a usable stream name [1..200 printable characters]; raise StorageError otherwise."""
    return _name(stream, "stream name")


def draft(
    new: NewEvent, stream: str, event_id: str, recorded_at: Instant, origin: str, quality: ClockQuality | None = None
) -> dict[str, Any]:
    """Check a new event and copy it as plain JSON fields, all but its place in the ledger.

    Raises StorageError naming the stream, the event and the field.
    """
    where = f"stream {stream!r}, event {new.type!r}: "
    occurred_at = recorded_at if new.occurred_at is None else new.occurred_at
    if not isinstance(new.data, Mapping):
        raise StorageError(f"{where}data: {type(new.data).__name__} where a mapping is expected")
    if not _is_integer(new.schema_version) or not 1 <= new.schema_version <= MAX_INTEGER:
        raise StorageError(f"{where}schema_version: {new.schema_version!r} is not an integer from 1")
    fields: dict[str, Any] = {
        "algorithm": _ALGORITHM,
        "event_id": _name(event_id, f"{where}event_id"),
        "type": _name(new.type, f"{where}type"),
        "data": _plain(new.data, f"{where}data", 0),
        "actor": {
            "id": _name(new.actor.id, f"{where}actor id"),
            "role": _name(new.actor.role, f"{where}actor role"),
        },
        "source": _source(new.source, where),
        "occurred_at": _stamp(occurred_at, f"{where}occurred_at"),
        "recorded_at": _stamp(recorded_at, f"{where}recorded_at"),
        "reason": _text(new.reason, f"{where}reason"),
        "schema_version": new.schema_version,
        "origin": _name(origin, f"{where}origin"),
    }
    # Left out when empty: events without claims have the bytes, and so the hashes, that they always had.
    for key, names in (("claims", new.claims), ("releases", new.releases)):
        if checked := _names(names, f"{where}{key}"):
            fields[key] = checked
    if quality is not None:
        fields["clock_quality"] = quality.value
    return fields


def seal(fields: dict[str, Any], stream: str, position: int, version: int, previous_stream_hash: bytes) -> bytes:
    """Give a drafted event its place and return its canonical bytes (RFC 8785)."""
    place = {
        "stream": stream,
        "position": position,
        "version": version,
        "previous_stream_hash": previous_stream_hash.hex(),
    }
    return rfc8785.dumps(fields | place)


def decode(canonical: bytes, chain_hash: bytes) -> Event:
    """Read an event from its canonical bytes; raise Unreadable when they don't hold exactly one event."""
    try:
        fields = (_DECODER if _LONG_NUMBER.search(canonical) else _PLAIN_DECODER).decode(canonical.decode())
        algorithm = fields.pop("algorithm")
        if algorithm != _ALGORITHM:
            raise Unreadable(f"hashed by {algorithm!r}, only {_ALGORITHM} is known here; use a newer cultureops")
        fields["actor"] = Actor(**fields["actor"])
        fields["source"] = Source(fields["source"])
        fields["occurred_at"] = parse_iso(fields["occurred_at"])
        fields["recorded_at"] = parse_iso(fields["recorded_at"])
        for key in _CLAIM_KEYS & fields.keys():
            fields[key] = _read_names(fields[key])
        if "clock_quality" in fields:
            fields["clock_quality"] = ClockQuality(fields["clock_quality"])
        fields["schema_version"], fields["data"] = upcast(fields["type"], fields["schema_version"], fields["data"])
        return Event(**fields, canonical=canonical, hash=chain_hash.hex())
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, ConfigError) as error:
        raise Unreadable(f"not an event of this ledger: {type(error).__name__}: {error}") from None


def recorded_data(event: Event) -> Mapping[str, JsonValue]:
    """Return an event's data as it was written, whatever form of it this program reads."""
    found: Mapping[str, JsonValue] = _DECODER.decode(event.canonical.decode())["data"]
    return found


def _number(digits: str) -> int | float:
    """Read whole numbers beyond 2^53 as the floats they were written from."""
    number = int(digits)
    return number if abs(number) <= MAX_INTEGER else float(number)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(parse_int=_number, parse_constant=_refuse_constant)
_PLAIN_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant)
_LONG_NUMBER: Final = re.compile(rb"[0-9]{16}")
"""Fewer digits never go beyond 2^53, and need not be looked at one by one."""


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise StorageError(f"{where}: {type(value).__name__} where text is expected")
    text = str.__str__(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise StorageError(f"{where}: {text!r} holds half a character; decode it properly first") from None
    return text


def _name(value: object, where: str) -> str:
    text = _text(value, where)
    if not text.strip() or not text.isprintable() or len(text) > _MAX_NAME:
        raise StorageError(f"{where}: {text[:40]!r} is not a name of 1 to {_MAX_NAME} printable characters")
    return text


def _names(values: object, where: str) -> list[str]:
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise StorageError(f"{where}: {type(values).__name__} where a tuple of names is expected")
    names = [_name(value, where) for value in values]
    if len(set(names)) < len(names):
        raise StorageError(f"{where}: a name stands twice in {names[:5]}; name each once")
    return names


def _read_names(stored: object) -> tuple[str, ...]:
    if not isinstance(stored, list) or not stored or not all(isinstance(name, str) for name in stored):
        raise ValueError("claims and releases are lists of names")
    if len(set(stored)) < len(stored):
        raise ValueError("a name is claimed or released twice")
    return tuple(stored)


def _source(value: str, where: str) -> str:
    try:
        return Source(value).value
    except ValueError:
        raise StorageError(f"{where}source: {value!r} is none of {', '.join(Source)}") from None


def _stamp(instant: object, where: str) -> str:
    if not isinstance(instant, int) or isinstance(instant, bool) or not 0 <= instant <= _LAST_INSTANT:
        raise StorageError(f"{where}: {instant!r} is not a time in whole milliseconds from 1970 to 9999")
    return iso(instant)


def _plain(value: object, where: str, depth: int) -> Any:
    """Copy a JSON value as plain dicts, lists, strings and numbers."""
    if depth > _MAX_DEPTH:
        raise StorageError(f"{where}: nested deeper than {_MAX_DEPTH} levels; flatten the data")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, where)
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise StorageError(f"{where}: {value} is beyond 2^53 and would lose digits; record it as text")
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise StorageError(f"{where}: {value} is not a finite number; record None and the reason instead")
        return float(value)
    if isinstance(value, Mapping):
        return {_key(key, where): _plain(item, f"{where}.{key}", depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{where}[{index}]", depth + 1) for index, item in enumerate(value)]
    raise StorageError(f"{where}: {type(value).__name__} is not a JSON value; record text or numbers")


def _key(key: object, where: str) -> str:
    if not isinstance(key, str):
        raise StorageError(f"{where}: key {key!r} is not text")
    return _text(key, where)
