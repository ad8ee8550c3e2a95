"""The periodic evaluation (EU GMP Annex 11 clause 11): what a period's records say of the system. Pure.

It judges nothing: whoever in quality assurance signs it does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from cultureops.access.signature import SIGNATURES
from cultureops.audit.wording import details_of, subject_of, what_of
from cultureops.batch.batch import batch_of
from cultureops.clock import Instant, iso
from cultureops.conduct import is_late
from cultureops.ledger.event import Event, JsonValue

__all__ = ["SIGNED_EVENT", "STREAM", "Evaluated"]

STREAM: Final = "evaluation"
SIGNED_EVENT: Final = "evaluation_signed"
MOST_LISTED: Final = 500
_CHANGES: Final = ("recipe:", "site", "equipment:", "node")
_ACCESS: Final = ("sign_in_refused", "signature_refused", "locked", "source_slowed", "signed_in", "access_recovered")
_ACCESS_CHANGES: Final = (
    *("account_created", "role_granted", "role_revoked", "disabled", "reinstated", "invited", "unlocked"),
    *("access_policy_changed", "access_reviewed", "token_issued", "token_revoked"),
)
_BATCHES: Final = (
    *("batch_created", "released", "conditionally_released", "exceptionally_released", "rejected", "recalled"),
    *("destroyed", "closed"),
)
_DEVIATIONS: Final = ("deviation_opened", "deviation_closed", "action_planned")
_CLOCK: Final = ("clock_jumped", "clock_stepped")


@dataclass
class Evaluated:
    """What the events of ``[start, end)`` [ms UTC, by time of recording] add up to; take all events in order."""

    start: Instant
    end: Instant
    counts: Counter[str] = field(default_factory=Counter)
    access_changes: list[Event] = field(default_factory=list)
    changes: list[Event] = field(default_factory=list)
    backups: list[Event] = field(default_factory=list)
    clock: list[Event] = field(default_factory=list)
    alarms: Counter[str] = field(default_factory=Counter)

    def take(self, events: Iterable[Event]) -> None:
        """Take events in the order of their positions."""
        for event in events:
            self.apply(event)

    def apply(self, event: Event) -> None:
        """Take one more event; what lies outside of the period counts nothing."""
        if not self.start <= event.recorded_at < self.end:
            return
        self.counts["events"] += 1
        self.counts["late entries"] += is_late(event)
        self.counts["corrections"] += event.type == "corrected"
        self.counts["refusals"] += event.type.endswith("refused")
        signed = event.data.get(SIGNATURES)
        self.counts["signatures"] += len(signed) if isinstance(signed, list | tuple) else 0
        if event.type in (*_ACCESS, *_DEVIATIONS) or (batch_of(event.stream) and event.type in _BATCHES):
            self.counts[event.type] += 1
        if event.type in _ACCESS_CHANGES:
            self.access_changes.append(event)
        elif event.stream.startswith(_CHANGES):
            self.changes.append(event)
        elif event.stream == "backup":
            self.backups.append(event)
        elif event.type in _CLOCK:
            self.clock.append(event)
        elif event.type == "alarm_raised":
            self.alarms[event.stream.removeprefix("alarm:")] += 1

    def data(self) -> dict[str, JsonValue]:
        """Return it as JSON values; long lists are cut and say how long they were."""
        return {
            "audit_trail": {name: self.counts[name] for name in _TRAIL},
            "batches": {name: self.counts[name] for name in _BATCHES},
            "deviations": {name: self.counts[name] for name in _DEVIATIONS},
            "access": {name: self.counts[name] for name in _ACCESS},
            "access_changes": _listed(self.access_changes),
            "changes": _listed(self.changes),
            "backups": _listed(self.backups),
            "clock": _listed(self.clock),
            "alarms": {
                "raised": self.alarms.total(),
                "most": [{"rule_id": rule, "raised": times} for rule, times in self.alarms.most_common(10)],
            },
        }


_TRAIL: Final = ("events", "corrections", "late entries", "refusals", "signatures")


def _listed(events: list[Event]) -> dict[str, JsonValue]:
    return {"count": len(events), "rows": [_row(event) for event in events[:MOST_LISTED]]}


def _row(event: Event) -> dict[str, JsonValue]:
    return {
        "position": event.position,
        "recorded_at": iso(event.recorded_at),
        "what": what_of(event),
        "about": subject_of(event),
        "details": details_of(event)[:400],
        "who": f"{event.actor.id} ({event.actor.role})",
        "reason": event.reason,
    }
