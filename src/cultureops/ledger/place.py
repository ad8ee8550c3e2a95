"""Where an event stands and which names it takes, read from its canonical bytes without the rest.

Canonical JSON (RFC 8785) has its keys in order, so what the chain needs stands before and behind ``data``, each key in
its place. This reads an event in a fifth of the time; what does not look exactly so is left to ``event.decode``.
"""

from __future__ import annotations

import json
import re
from typing import Final, NamedTuple

from cultureops.ledger.event import Event, decode

__all__ = ["Place", "place_of", "read_place"]

_TEXT: Final = rb'"(?:[^"\\]|\\.)*"'
_NAMES: Final = rb"\[" + _TEXT + rb"(?:," + _TEXT + rb")*\]"
_BEFORE: Final = re.compile(
    rb'\{"actor":\{"id":' + _TEXT + rb',"role":' + _TEXT + rb'\},"algorithm":"sha256",'
    rb'(?:"claims":(' + _NAMES + rb'),)?(?:"clock_quality":"[a-z]{1,12}",)?"data":\{'
)  # fmt: skip
_BEHIND: Final = re.compile(
    rb',"origin":' + _TEXT + rb',"position":(\d{1,16}),"previous_stream_hash":"([0-9a-f]{64})","reason":' + _TEXT
    + rb',"recorded_at":"[0-9T:.Z-]{24}",(?:"releases":(' + _NAMES + rb'),)?"schema_version":\d{1,16},'
    rb'"source":"[a-z]{1,9}","stream":(' + _TEXT + rb'),"type":' + _TEXT + rb',"version":(\d{1,16})\}\Z'
)  # fmt: skip
_ORIGIN: Final = b',"origin":"'


class Place(NamedTuple):
    """An event's place, and the names that it claims and releases."""

    position: int
    stream: str
    version: int
    previous_stream_hash: str
    claims: tuple[str, ...]
    releases: tuple[str, ...]


def place_of(event: Event) -> Place:
    """Return the place of an event that has been read whole."""
    return Place(
        event.position, event.stream, event.version, event.previous_stream_hash, event.claims, event.releases
    )  # fmt: skip


def read_place(canonical: bytes, chain_hash: bytes) -> Place:
    """Read the place of an event; raises Unreadable where the bytes don't hold one."""
    before = _BEFORE.match(canonical)
    # No key of data can be taken for this one: behind it, to the end, stand all that are behind it in an event.
    behind = None if before is None else _BEHIND.match(canonical, canonical.rfind(_ORIGIN))
    if before is None or behind is None:
        return place_of(decode(canonical, chain_hash))
    position, previous, releases, stream, version = behind.groups()
    try:
        return Place(
            int(position),
            stream[1:-1].decode() if b"\\" not in stream else json.loads(stream),
            int(version),
            previous.decode(),
            _names(before[1]),
            _names(releases),
        )
    except ValueError:
        return place_of(decode(canonical, chain_hash))


def _names(found: bytes | None) -> tuple[str, ...]:
    if found is None:
        return ()
    names = tuple(json.loads(found))
    if len(set(names)) < len(names):
        raise ValueError("a name stands twice")
    return names
