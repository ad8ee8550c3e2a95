"""How well the record keeps to ALCOA++: what contradicts each letter, counted, with the first places. Pure.

Attributable, legible, contemporaneous, original, accurate, complete, consistent, enduring, available, traceable
(EMA/INS/GCP/112288/2023). ``docs/reference/alcoa.md`` says which requirement each letter is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from cultureops.access.signature import SIGNATURES, signatures_in
from cultureops.batch.batch import batch_of
from cultureops.batch.signed_steps import wants_signature
from cultureops.clock import MINUTE_MS, Instant
from cultureops.conduct import is_late
from cultureops.errors import SignatureInvalid
from cultureops.ledger.event import Event, JsonValue, Source

__all__ = ["Alcoa", "Letter", "Violation", "Violations"]

MOST_PLACES: Final = 20


class Letter(StrEnum):
    """What a record must be."""

    ATTRIBUTABLE = "attributable"
    LEGIBLE = "legible"
    CONTEMPORANEOUS = "contemporaneous"
    ORIGINAL = "original"
    ACCURATE = "accurate"
    COMPLETE = "complete"
    CONSISTENT = "consistent"
    ENDURING = "enduring"
    AVAILABLE = "available"
    TRACEABLE = "traceable"


class Violation(StrEnum):
    """What is counted."""

    NO_ACCOUNT = "done in a name that has no account"
    SHARED_ID = "one account in use from two sources at once"
    UNSIGNED = "decision without a signature"
    UNREADABLE_SIGNATURE = "signature that can't be read"
    LATE = "entered more than 5 min after it happened"
    CLOCK = "recorded by a clock that nothing steers"
    BY_HAND = "count entered by hand where an instrument measures"
    SIMULATED = "result of a simulated source"
    UNEXPLAINED = "correction without a reason"
    REFUSED_FILE = "result file that could not be read"
    GAP = "device silent"
    BACKWARDS = "clock set back between two events"
    BACKUP = "backup that failed"
    UNREAD = "event that this program can't read"


_LETTERS: Final[Mapping[Violation, Letter]] = {
    Violation.NO_ACCOUNT: Letter.ATTRIBUTABLE,
    Violation.SHARED_ID: Letter.ATTRIBUTABLE,
    Violation.UNSIGNED: Letter.ATTRIBUTABLE,
    Violation.UNREADABLE_SIGNATURE: Letter.LEGIBLE,
    Violation.LATE: Letter.CONTEMPORANEOUS,
    Violation.CLOCK: Letter.CONTEMPORANEOUS,
    Violation.BY_HAND: Letter.ORIGINAL,
    Violation.SIMULATED: Letter.ORIGINAL,
    Violation.UNEXPLAINED: Letter.TRACEABLE,
    Violation.REFUSED_FILE: Letter.ACCURATE,
    Violation.GAP: Letter.COMPLETE,
    Violation.BACKWARDS: Letter.CONSISTENT,
    Violation.BACKUP: Letter.ENDURING,
    Violation.UNREAD: Letter.AVAILABLE,
}


@dataclass(frozen=True, slots=True)
class Violations:
    """How often one thing was found, and the positions of the first that were."""

    kind: Violation
    letter: Letter
    count: int
    positions: tuple[int, ...]

    def data(self) -> dict[str, JsonValue]:
        """Return it as JSON values."""
        return {
            "letter": self.letter.value,
            "violation": self.kind.value,
            "count": self.count,
            "positions": list(self.positions),
        }


@dataclass
class Alcoa:
    """Counts violations over the events of a ledger, taken in order; ``simulated`` are the devices that are.

    Events before the first account was made are nobody's in particular: an account is asked for from then on.
    """

    simulated: frozenset[str] = frozenset()
    events: int = 0
    gap_minutes: float = 0.0
    _found: dict[Violation, list[int]] = field(default_factory=dict)
    _counts: dict[Violation, int] = field(default_factory=dict)
    _accounts: set[str] = field(default_factory=set)
    _sessions: dict[str, dict[str, str]] = field(default_factory=dict)
    _silent: dict[str, Instant] = field(default_factory=dict)
    _recorded_at: Instant = 0

    def take(self, events: Iterable[Event]) -> None:
        """Take events in the order of their positions."""
        for event in events:
            self.apply(event)

    def apply(self, event: Event) -> None:
        """Take one more event."""
        self.events += 1
        self._judge_time(event)
        self._judge_person(event)
        self._judge_signatures(event)
        self._judge_source(event)
        if event.type == "corrected" and not event.reason.strip():
            self._note(Violation.UNEXPLAINED, event)
        if event.type == "backup_failed":
            self._note(Violation.BACKUP, event)

    def violations(self) -> tuple[Violations, ...]:
        """Return all that is counted, also what was never found."""
        return tuple(
            Violations(kind, letter, self._counts.get(kind, 0), tuple(self._found.get(kind, ())))
            for kind, letter in _LETTERS.items()
        )

    def note_unread(self, count: int, positions: Iterable[int]) -> None:
        """Take what could not be read at all."""
        self._counts[Violation.UNREAD] = count
        self._found[Violation.UNREAD] = list(positions)[:MOST_PLACES]

    def _note(self, kind: Violation, event: Event) -> None:
        self._counts[kind] = self._counts.get(kind, 0) + 1
        found = self._found.setdefault(kind, [])
        if len(found) < MOST_PLACES:
            found.append(event.position)

    def _judge_time(self, event: Event) -> None:
        if is_late(event):
            self._note(Violation.LATE, event)
        if event.clock_quality is not None and event.clock_quality.value == "unsynced":
            self._note(Violation.CLOCK, event)
        if event.recorded_at < self._recorded_at:
            self._note(Violation.BACKWARDS, event)
        self._recorded_at = event.recorded_at

    def _judge_person(self, event: Event) -> None:
        if event.type == "account_created":
            self._accounts.add(event.stream.removeprefix("account:"))
        elif self._accounts and self._is_strange(event):
            self._note(Violation.NO_ACCOUNT, event)
        session = event.data.get("session_id")
        if not isinstance(session, str) or not event.stream.startswith("account:"):
            return
        here = self._sessions.setdefault(event.stream, {})
        if event.type == "signed_in":
            source = str(event.data.get("source", ""))
            if any(other != source for other in here.values()):
                self._note(Violation.SHARED_ID, event)
            here[session] = source
        elif event.type in ("signed_out", "session_ended"):
            here.pop(session, None)

    def _is_strange(self, event: Event) -> bool:
        """Whether a person did something in a name that is no account's; a refusal is how the program answers that."""
        is_by_a_person = event.source is Source.HUMAN and event.actor.id != _SYSTEM
        return is_by_a_person and event.actor.id not in self._accounts and not event.type.endswith("refused")

    def _judge_signatures(self, event: Event) -> None:
        if batch_of(event.stream) is not None and wants_signature(event) and not event.data.get(SIGNATURES):
            self._note(Violation.UNSIGNED, event)
        try:
            signatures_in(event)
        except SignatureInvalid:
            self._note(Violation.UNREADABLE_SIGNATURE, event)

    def _judge_source(self, event: Event) -> None:
        device = event.data.get("device")
        if event.type == "count_accepted" or (event.type == "counted" and event.source is Source.HUMAN):
            self._note(Violation.BY_HAND, event)
        if event.type in ("counted", "confluence_observed") and device in self.simulated:
            self._note(Violation.SIMULATED, event)
        if event.type == "result_file_rejected":
            self._note(Violation.REFUSED_FILE, event)
        if event.type == "device_lost" and isinstance(device, str):
            self._note(Violation.GAP, event)
            self._silent.setdefault(device, event.occurred_at)
        elif event.type.startswith("device_") and isinstance(device, str) and device in self._silent:
            self.gap_minutes += max(0, event.occurred_at - self._silent.pop(device)) / MINUTE_MS


_SYSTEM: Final = "cultureops"
