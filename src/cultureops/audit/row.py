"""One event as a row of the audit trail: who, what, old and new, when, why, from where, signed by whom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from cultureops.access.signature import Signature, signatures_in
from cultureops.audit.change import Change, changes_of
from cultureops.audit.wording import details_of, subject_of, what_of
from cultureops.clock import Instant
from cultureops.conduct import is_late
from cultureops.errors import SignatureInvalid
from cultureops.ledger.event import Event

__all__ = ["AuditRow", "Names", "audit_row"]

Names: TypeAlias = Callable[[str], str]
"""The printed name of an account, empty where there is none."""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One event of the ledger, in words; times are ms UTC.

    ``signatures`` are as they stand in the event; ``unsound`` says why they can't be read, empty where they can.
    """

    position: int
    hash: str
    stream: str
    version: int
    event_id: str
    kind: str
    what: str
    subject: str
    details: str
    changes: tuple[Change, ...]
    actor_id: str
    printed_name: str
    role: str
    witness_id: str
    witness_name: str
    source: str
    occurred_at: Instant
    recorded_at: Instant
    is_late: bool
    reason: str
    signatures: tuple[Signature, ...] = ()
    unsound: str = ""

    @property
    def is_refusal(self) -> bool:
        """Whether somebody asked for what must not happen."""
        return self.kind.endswith("refused")


def audit_row(event: Event, earlier: Sequence[Event] = (), names: Names = lambda _: "") -> AuditRow:
    """Return an event as a row; ``earlier`` are the events before it in its stream, as ``changes_of`` needs them."""
    signatures: tuple[Signature, ...] = ()
    unsound = ""
    try:
        signatures = signatures_in(event)
    except SignatureInvalid as error:
        unsound = str(error)
    witness = event.data.get("witness_id")
    witness_id = witness if isinstance(witness, str) else ""
    return AuditRow(
        position=event.position,
        hash=event.hash,
        stream=event.stream,
        version=event.version,
        event_id=event.event_id,
        kind=event.type,
        what=what_of(event),
        subject=subject_of(event),
        details=details_of(event),
        changes=changes_of(event, earlier),
        actor_id=event.actor.id,
        printed_name=names(event.actor.id),
        role=event.actor.role,
        witness_id=witness_id,
        witness_name=names(witness_id) if witness_id else "",
        source=event.source.value,
        occurred_at=event.occurred_at,
        recorded_at=event.recorded_at,
        is_late=is_late(event),
        reason=event.reason,
        signatures=signatures,
        unsound=unsound,
    )
