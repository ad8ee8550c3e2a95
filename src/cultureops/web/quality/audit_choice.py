"""What can be chosen from on the page of the audit trail: the types, streams, people and batches there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cultureops.access.events import AccessEvent
from cultureops.alarms.events import ALARM_EVENT_TYPES
from cultureops.batch.events import EVENTS as OF_BATCHES
from cultureops.equipment.events import EVENTS as OF_EQUIPMENT
from cultureops.material.events import EVENTS as OF_LOTS
from cultureops.web.context import WebContext

__all__ = ["Choices", "choices_of"]

_KINDS: Final[Mapping[str, Sequence[str]]] = {
    "Batches": sorted(OF_BATCHES),
    "Alarms": sorted(ALARM_EVENT_TYPES),
    "Equipment": sorted(OF_EQUIPMENT),
    "Lots": sorted(OF_LOTS),
    "Accounts": sorted(kind.value for kind in AccessEvent),
}
_WORDS: Final[Mapping[str, str]] = {
    "batch": "batches",
    "lot": "lots",
    "alarm": "alarms",
    "device": "devices",
    "account": "accounts",
    "recipe": "recipes",
}


@dataclass(frozen=True, slots=True)
class Choices:
    """Groups of event types with (type, words), beginnings of streams with words, user names, batch ids."""

    kinds: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    streams: tuple[tuple[str, str], ...]
    people: tuple[str, ...]
    batches: tuple[str, ...]


def choices_of(context: WebContext, kind: str, stream: str) -> Choices:
    """Return what there is to choose from; what is chosen already is among it."""
    groups = [(title, tuple((one, _words(one)) for one in kinds)) for title, kinds in _KINDS.items()]
    if kind and not any(kind == one for kinds in _KINDS.values() for one in kinds):
        groups.append(("Others", ((kind, _words(kind)),)))
    found = {_beginning(name) for name in context.ledger.streams()} | ({stream} if stream else set())
    streams = tuple(sorted(((one, _WORDS.get(one.rstrip(":"), one.rstrip(":"))) for one in found), key=lambda o: o[1]))
    people = tuple(sorted(account.username for account in context.access.accounts.all()))
    return Choices(tuple(groups), streams, people, tuple(batch.id for batch in context.batches.batches()))


def _beginning(stream: str) -> str:
    """Return how the names of a stream's kind begin."""
    kind, colon, _ = stream.partition(":")
    return kind + colon


def _words(kind: str) -> str:
    return kind.replace("_", " ")
