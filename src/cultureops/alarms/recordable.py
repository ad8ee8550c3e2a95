"""An alarm's event as the ledger will take it: what can't be recorded of it never costs the rest, or another event."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from cultureops.errors import StorageError
from cultureops.ledger.event import Actor, JsonValue, NewEvent, check_stream, draft

__all__ = ["NAMELESS", "SYSTEM", "recordable"]

SYSTEM: Final = Actor("cultureops", "system")
NAMELESS: Final = "alarm:nameless"
"""Where an alarm is recorded whose own name no stream can have."""
_AROUND: Final = ("actor", "occurred_at", "reason")
_MOST_WORDS: Final = 300


def recordable(stream: str, new: NewEvent) -> tuple[str, NewEvent]:
    """Return an event and its stream as the ledger takes them: itself where nothing is wrong with its content.

    Otherwise each field that the ledger refuses is null, ``not_recorded`` says why, and so does the text; an actor or
    a time of whom or which it can't be said is left to the system and to the time of recording.
    """
    if not _refusal(stream, new):
        return stream, new
    bare = NewEvent(new.type, {}, SYSTEM, new.source)
    where = stream if not _refusal(stream, bare) else NAMELESS
    fits: dict[str, JsonValue] = {}
    refused: dict[str, str] = {}
    for key, value in new.data.items():
        why = _refusal(where, replace(bare, data={key: value}))
        fits[key] = None if why else value
        if why:
            refused[key] = why[:_MOST_WORDS]
    around: dict[str, Any] = {name: getattr(new, name) for name in _AROUND}
    for name in _AROUND:
        if why := _refusal(where, replace(bare, **{name: around[name]})):
            around[name] = getattr(bare, name)
            refused[name] = why[:_MOST_WORDS]
    if where != stream:
        refused["stream"] = f"{stream!r:.100} is no name of a stream"
    said = fits.get("text") or f"{fits.get('rule_id')}: {new.type}"
    fits |= {"not_recorded": dict(refused), "text": f"{said}; could not be recorded: {', '.join(sorted(refused))}"}
    return where, replace(bare, data=fits, **around)


def _refusal(stream: str, new: NewEvent) -> str:
    """Say why the ledger would refuse an event for what it says, whatever its disk can take; empty when it wouldn't."""
    try:
        draft(new, check_stream(stream), "none yet", 0, "none yet")
    except StorageError as error:
        return str(error)
    return ""
