"""What the demo prints when the batch is closed: one JSON object."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from cultureops.alarms.events import ALARM_EVENT_TYPES
from cultureops.batch.views import summary
from cultureops.clock import DAY_MS, iso
from cultureops.lab import Lab
from cultureops.ledger.event import Event
from cultureops.ledger.head import Head

__all__ = ["alarm_rows", "summarise"]

_WHOLE_RUN_MS: Final = 400 * DAY_MS


async def summarise(lab: Lab, batch_id: str, verified: Head) -> dict[str, Any]:
    """Say what became of the batch, what went wrong on the way, and where the ledger ends.

    ``verified`` is the head that hashing the stored ledger again has given.
    """
    now = lab.clock.now()
    head = lab.ledger.head()
    batch = lab.batches.get(batch_id)
    gaps = await lab.store.gaps(now - _WHOLE_RUN_MS, now + 1)
    return {
        **(summary(batch, now) if batch is not None else {"batch_id": batch_id, "state": None}),
        "alarms": alarm_rows(lab.ledger.read_all()),
        "readings_stored": lab.store.count(),
        "gaps": [
            {
                "channel": gap.channel,
                "from": iso(gap.from_ms),
                "to": None if gap.to_ms is None else iso(gap.to_ms),
                "reason": gap.reason.text,
            }
            for gap in gaps
        ],
        "ledger_events": head.position,
        "ledger_head": head.hash,
        "verified": verified == head,
    }


def alarm_rows(events: Iterable[Event]) -> list[dict[str, Any]]:
    """Fold alarm events into one row for each activation; it is cleared when its condition was gone."""
    rows: list[dict[str, Any]] = []
    present: dict[str, dict[str, Any]] = {}
    for event in events:
        if event.type not in ALARM_EVENT_TYPES:
            continue
        data: Any = event.data
        if event.type == "alarm_raised":
            present[data["rule_id"]] = {
                "chamber": data["chamber"],
                "channel": data["channel"] or data["device"],
                "kind": data["kind"],
                "raised_at": data["raised_at"],
                "cleared_at": None,
                "batch_ids": data["batch_ids"],
            }
            rows.append(present[data["rule_id"]])
        elif event.type != "alarm_acknowledged" and present[data["rule_id"]]["cleared_at"] is None:
            present[data["rule_id"]]["cleared_at"] = data["at"]
    return rows
