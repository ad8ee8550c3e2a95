"""What an event says, in words: the narrative of batches and alarms, or type and fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from cultureops.access.signature import SIGNATURES
from cultureops.batch.batch import batch_of
from cultureops.batch.events import read_event
from cultureops.batch.narrative import tell
from cultureops.errors import BatchError
from cultureops.ledger.event import Event, JsonValue

__all__ = ["details_of", "fields_of", "subject_of", "what_of"]

LONGEST_VALUE: Final = 200
_UNTOLD: Final = frozenset({SIGNATURES, "checks"})
_SUBJECTS: Final = {
    "batch": "batch",
    "lot": "lot",
    "equipment": "equipment",
    "alarm": "alarm",
    "device": "device",
    "account": "account",
    "recipe": "recipe",
}


def what_of(event: Event) -> str:
    """Return an event's type in words: ``medium_changed`` is Medium changed."""
    return event.type.replace("_", " ").capitalize()


def subject_of(event: Event) -> str:
    """Return what an event is about, e.g. ``batch B-1``, ``lot MED-7``, ``alarm incubator_1/co2/low``."""
    kind, colon, name = event.stream.partition(":")
    return f"{_SUBJECTS.get(kind, kind)} {name}" if colon else event.stream


def details_of(event: Event) -> str:
    """Return what happened, in a line or a few; never raises for what this program can't read."""
    if batch_of(event.stream) is not None:
        try:
            recorded = read_event(event.type, {k: v for k, v in event.data.items() if k != SIGNATURES})
            collected = ", ".join(f"{one.field} from {one.channel}" for one in recorded.collected)
            return tell(recorded) + (f"; machine-collected: {collected}" if collected else "")
        except (BatchError, TypeError, ValueError, KeyError):
            pass
    if event.type.startswith("alarm_") and isinstance(text := event.data.get("text"), str) and text:
        return text
    return "; ".join(f"{name}: {value}" for name, value in fields_of(event))


def fields_of(event: Event) -> Iterator[tuple[str, str]]:
    """Yield each field of an event and its value as text; what is long is cut and says so."""
    for name, value in event.data.items():
        if name not in _UNTOLD and value not in ("", None):
            yield name.replace("_", " "), shortened(_text(value))


def shortened(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}… ({len(text)} characters)"


def _text(value: JsonValue) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(item)}" for name, item in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_text(item) for item in value)
    return str(value)
