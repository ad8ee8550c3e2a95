"""What the ledger keeps of notifications, and what a restarted lab takes from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from cultureops.clock import Instant, iso, parse_iso
from cultureops.errors import ConfigError
from cultureops.field import printable
from cultureops.ledger.event import Actor, Event, JsonValue, NewEvent, Source
from cultureops.notify.incident import Call, Key, News

__all__ = ["FAILED", "GIVEN_UP", "SENT", "STREAM", "Attempt", "Memory", "delivery_event", "told_in"]

STREAM: Final = "notify"
SENT: Final = "notification_sent"
FAILED: Final = "notification_failed"
GIVEN_UP: Final = "notification_given_up"

_SYSTEM: Final = Actor("cultureops", "system")
_LONGEST_REASON: Final = 500


class Attempt(NamedTuple):
    """One attempt to reach a person: by which route (empty: by none any more), its number, when and why."""

    route: str
    number: int
    queued_at: Instant
    at: Instant
    reason: str


def delivery_event(kind: str, calls: Sequence[Call], attempt: Attempt) -> NewEvent:
    """Write what became of a message; the ledger adds when it took note, which may be later.

    ``calls`` are what the message said, at least one, all to one person. ``level`` counts from 1 and is None for
    news that follow an earlier message, such as an acknowledgement.
    """
    first = calls[0]
    level = max((call.key.level + 1 for call in calls if call.key.policy), default=None)
    told: list[JsonValue] = [
        {
            "rule_id": call.rule.id,
            "opened_at": iso(call.opened_at),
            "raised_at": iso(call.raised_at),
            "news": call.news.value,
            "policy": call.key.policy,
            "level": call.key.level + 1 if call.key.policy else None,
            "stands": call.stands,
        }
        for call in calls
    ]
    data: dict[str, JsonValue] = {
        "rule_ids": [call.rule.id for call in calls],
        "raised_at": iso(first.raised_at),
        "person": first.person,
        "route": attempt.route,
        "level": level,
        "attempt": attempt.number,
        "queued_at": iso(attempt.queued_at),
        "at": iso(attempt.at),
        "reason": printable(attempt.reason)[:_LONGEST_REASON],
        "roster_gap": any(call.is_gap for call in calls),
        "mute_overridden": any(call.is_muted for call in calls),
        "told": told,
    }
    return NewEvent(kind, data, _SYSTEM, Source.SYSTEM, attempt.at)


def told_in(event: Event) -> Iterator[tuple[str, str]]:
    """Yield of which alarms a message told that was sent: rule and when it was raised [ISO 8601]."""
    told = event.data.get("told")
    for row in told if isinstance(told, list | tuple) else ():
        if isinstance(row, dict):
            yield _told_text(row.get("rule_id")), _told_text(row.get("raised_at"))


class Memory:
    """What the ledger's past says of alarms that may still be open: when each was opened, and who has heard of it."""

    def __init__(self) -> None:
        self._opened: dict[str, Instant] = {}
        self._heard: dict[str, list[tuple[Instant, Key, Instant, bool]]] = {}

    def recall(self, event: Event) -> None:
        """Take an event of the ledger's past, in its order."""
        if event.type == SENT:
            self._recall_sent(event)
        elif event.type in ("alarm_raised", "alarm_realarmed"):
            rule_id, at = _told_text(event.data.get("rule_id")), _instant(event.data.get("at"))
            if event.data.get("from_state") not in ("RTN_UNACK", "LATCH_UNACK") or rule_id not in self._opened:
                self._opened[rule_id] = at
                self._heard.pop(rule_id, None)
        elif event.type in ("alarm_acknowledged", "alarm_cleared", "alarm_shelved", "alarm_taken_out"):
            self._heard.pop(_told_text(event.data.get("rule_id")), None)

    def opened_at(self, rule_id: str, raised_at: Instant) -> Instant:
        """Return when the incident of an alarm began that was last raised at ``raised_at``."""
        return self._opened.get(rule_id, raised_at)

    def heard(self, rule_id: str, opened_at: Instant) -> list[tuple[Key, Instant, bool]]:
        """Return who has heard of an incident: by which policy and level, when, and whether that it stands."""
        return [(key, at, stands) for began, key, at, stands in self._heard.get(rule_id, ()) if began == opened_at]

    def _recall_sent(self, event: Event) -> None:
        person, at, told = event.data.get("person"), _instant(event.data.get("at")), event.data.get("told")
        if not isinstance(told, list | tuple):
            return
        for row in told:
            if not isinstance(row, dict) or row.get("news") == News.ENDED:
                continue
            level = row.get("level")
            key = Key(_told_text(row.get("policy")), level - 1 if isinstance(level, int) else 0, _told_text(person))
            heard = self._heard.setdefault(_told_text(row.get("rule_id")), [])
            heard.append((_instant(row.get("opened_at")), key, at, row.get("stands") is not False))


def _told_text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _instant(value: object) -> Instant:
    """Read a time; what is none counts as long ago: the message is sent again rather than left out."""
    try:
        return parse_iso(value) if isinstance(value, str) else 0
    except ConfigError:
        return 0
