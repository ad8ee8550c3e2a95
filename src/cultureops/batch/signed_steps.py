"""Which events of a batch must carry a signature."""

from __future__ import annotations

from typing import Final

from cultureops.batch.events import EVENTS
from cultureops.batch.rules import RULES
from cultureops.ledger.event import Event, Source

__all__ = ["wants_signature"]

_SIGNED: Final = frozenset(
    name
    for name, kind in EVENTS.items()
    for command, rule in RULES.items()
    if rule.signed is not None and issubclass(kind, command)
)


def wants_signature(event: Event) -> bool:
    """Whether an event of a batch is a decision that a person has to sign."""
    return event.source is Source.HUMAN and event.type in _SIGNED
