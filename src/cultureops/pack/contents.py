"""What belongs into the pack of a batch. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from cultureops.attachments import KEPT
from cultureops.attachments import STREAM as ATTACHMENTS
from cultureops.batch.batch import stream_of
from cultureops.batch.projection import channel_rows
from cultureops.dossier import Dossier
from cultureops.field import printable
from cultureops.ledger.event import Event
from cultureops.ledger.key_chain import STREAM as KEYS
from cultureops.pack.readings import Window, merged

__all__ = ["Contents", "contents_of", "named_files"]

_FILE_KEYS: Final = ("source_sha256", "image_sha256", "trace_sha256")

Read = Callable[[str], Iterable[Event]]
"""Gives a stream's events."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The events of a pack by position, the stretches of readings, and the raw files by SHA-256 with their names.

    ``batch_version`` is that of the batch's last event: its own record is whole from 1 to there.
    """

    batch_id: str
    batch_version: int
    title: str
    events: tuple[Event, ...]
    windows: tuple[Window, ...]
    files: Mapping[str, str]


def contents_of(dossier: Dossier, read: Read) -> Contents:
    """Choose what a reader needs of a dossier, and of the ledger's own streams: its keys, and what raw files it kept.

    The events that anchor readings are added once the readings are known.
    """
    batch, own = dossier.batch, (*dossier.events, *dossier.related)
    named = {sha256 for event in own for sha256 in named_files(event)}
    kept = [event for event in read(ATTACHMENTS) if event.type == KEPT and event.data.get("sha256") in named]
    events = {event.position: event for event in (*own, *read(KEYS), *kept)}
    return Contents(
        batch_id=batch.id,
        batch_version=dossier.events[-1].version,
        title=printable(f"batch {batch.id} of {batch.patient_token}, {batch.recipe.label}"),
        events=tuple(events[position] for position in sorted(events)),
        windows=merged([*_chambers(dossier), *_own_channels(dossier)]),
        files={str(event.data["sha256"]): str(event.data.get("source_file", "")) for event in kept},
    )


def named_files(event: Event) -> Iterator[str]:
    """Yield the SHA-256 [hex] of every raw file that an event rests on."""
    yield from (value for key in _FILE_KEYS if isinstance(value := event.data.get(key), str))


def _chambers(dossier: Dossier) -> Iterator[Window]:
    for one in dossier.stays:
        for row in dossier.place.channels:
            if row.chamber == one.stay.chamber:
                yield Window(row.id, one.stay.placed, one.until + 1)


def _own_channels(dossier: Dossier) -> Iterator[Window]:
    """Yield the culture facts that are kept as readings, from the first to the last that happened."""
    times = [event.occurred_at for event in dossier.events if event.stream == stream_of(dossier.batch.id)]
    for channel in channel_rows(dossier.batch.id):
        yield Window(channel, min(times), max(times) + 1)
