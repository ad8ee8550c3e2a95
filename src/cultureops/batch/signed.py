"""Signatures of a batch: what a person is shown and signs, and how each signature stands today. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cultureops.access.signature import (
    SIGNATURES,
    Shown,
    Signature,
    check_signatures,
    details_sha256,
    shown,
    signatures_in,
)
from cultureops.batch.batch import Batch, stream_of
from cultureops.batch.commands.base import Command
from cultureops.clock import iso
from cultureops.errors import SignatureInvalid
from cultureops.ledger.event import Event

__all__ = ["RELEASES", "SILENT", "Standing", "Validity", "is_review_signed", "shown_of", "signatures_of"]

SILENT: Final = frozenset({"command_refused", "noted", "reviewed"})
"""Events after which a review still covers the whole record, and that change nothing of what was signed."""
RELEASES: Final = frozenset({"released", "conditionally_released", "exceptionally_released"})
_ABOUT: Final = "deviation_id"


def shown_of(batch: Batch, command: Command) -> Shown:
    """Return exactly what is signed of a batch as it stands, when a command on it is to be carried out."""
    details = details_sha256(command.details.model_dump(mode="json"), command.reason, command.occurred_at)
    return shown(stream_of(batch.id), batch.history, type(command.details).__name__, details)


class Validity(StrEnum):
    """How a signature stands."""

    VALID = "valid"
    CHANGED = "changed"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Standing:
    """One signature and how it stands; ``why`` says in words why it is not valid, empty where it is.

    ``step`` is the type of the signed event, ``version`` and ``position`` its place in the batch's stream and in the
    ledger. The signature is None where what stands in the event is none.
    """

    signature: Signature | None
    step: str
    event_id: str
    version: int
    position: int
    validity: Validity
    why: str = ""

    @property
    def text(self) -> str:
        """The standing as pages and paper show it."""
        return {
            Validity.VALID: "VALID",
            Validity.CHANGED: f"UNSIGNED: {self.why}",
            Validity.INVALID: f"INVALID: {self.why}",
        }[self.validity]


def signatures_of(batch: Batch) -> tuple[Standing, ...]:
    """Return every signature of a batch and how it stands, in the order in which they were given."""
    return tuple(one for event in batch.history if SIGNATURES in event.data for one in _standings(batch, event))


def is_review_signed(batch: Batch) -> bool:
    """Whether the last review carries a signature that is what it says."""
    last = next((event for event in reversed(batch.history) if event.type == "reviewed"), None)
    standings = [] if last is None else _standings(batch, last)
    return bool(standings) and all(one.validity is not Validity.INVALID for one in standings)


def _first_change(event: Event, history: Iterable[Event]) -> Event | None:
    """Return the first later event that changes what an event's signatures cover: a correction, or a late entry.

    A decision on a deviation covers that deviation, every other one the whole record as it was shown.
    """
    return next((other for other in history if _changes(event, other)), None)


def _changes(event: Event, later: Event) -> bool:
    if later.version <= event.version or later.type in SILENT:
        return False
    about = event.data.get(_ABOUT)
    if later.type == "corrected":
        corrected = later.data.get("data")
        named = corrected.get(_ABOUT) if isinstance(corrected, Mapping) else None
        return about is None or about == named
    if about is not None and later.data.get(_ABOUT) != about:
        return False
    return later.occurred_at < event.occurred_at


def _standings(batch: Batch, event: Event) -> list[Standing]:
    where = event.type, event.event_id, event.version, event.position
    try:
        checked = check_signatures(event, batch.history)
        if any(signature.shown.version != event.version - 1 for signature in checked):
            raise SignatureInvalid(f"{event.stream}, position {event.position}: something came before it unseen")
    except SignatureInvalid as problem:
        return [Standing(one, *where, Validity.INVALID, str(problem)) for one in _as_far_as_readable(event)]
    change = _first_change(event, batch.history)
    if change is None:
        return [Standing(one, *where, Validity.VALID) for one in checked]
    return [Standing(one, *where, Validity.CHANGED, _told(change)) for one in checked]


def _as_far_as_readable(event: Event) -> tuple[Signature | None, ...]:
    try:
        return signatures_in(event) or (None,)
    except SignatureInvalid:
        return (None,)


def _told(change: Event) -> str:
    how = "corrected" if change.type == "corrected" else f"{change.type.replace('_', ' ')} entered late"
    return f"{how} since by {change.actor.id} ({change.actor.role}), at {iso(change.recorded_at)}"
