"""What watchers are told, encoded once for all of them, and the endless answer that tells them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from typing import Any, Final

from cultureops.acquisition.live import LiveFeed
from cultureops.alarms.engine import AlarmView, describe
from cultureops.alarms.rule import Exposure
from cultureops.clock import Instant, iso
from cultureops.device.reading import Reading

__all__ = ["KEEP_ALIVE_S", "alarm_row", "encode_alarms", "encode_batches", "encode_readings", "encode_still", "events"]

KEEP_ALIVE_S: Final = 15.0
_RETRY: Final = b"retry: 2000\n\n"


def encode_readings(readings: Sequence[Reading], now: Instant) -> bytes:
    """Encode readings as one server-sent event ``readings``.

    Each is [channel, value or null, quality name, reason text, source time ms].
    """
    rows = [[r.channel, r.value, r.quality.name, r.reason.text, r.source_time] for r in readings]
    return _event("readings", {"now": iso(now), "now_ms": now, "readings": rows})


def encode_alarms(alarms: Sequence[AlarmView], exposed: Exposure, now: Instant) -> bytes:
    """Encode the alarms that are not back to normal as one server-sent event ``alarms``."""
    return _event("alarms", {"now": iso(now), "alarms": [alarm_row(view, exposed, now) for view in alarms]})


def encode_batches(batch_ids: Collection[str], now: Instant) -> bytes:
    """Encode of which batches something was recorded as one server-sent event ``batches``."""
    return _event("batches", {"now": iso(now), "batch_ids": sorted(batch_ids)})


def encode_still(now: Instant) -> bytes:
    """Encode that nothing happened as one server-sent event ``still``: a line that is dead says nothing either."""
    return _event("still", {"now": iso(now), "now_ms": now})


def alarm_row(view: AlarmView, exposed: Exposure, now: Instant) -> dict[str, Any]:
    """Return an alarm as pages and the API show it."""
    batches = view.rule.reached(exposed, view.since, now if view.returned_at is None else view.returned_at)
    return {
        "rule_id": view.rule.id,
        "chamber": view.rule.chamber,
        "channel": view.rule.channel,
        "device": view.rule.device,
        "kind": view.rule.kind.value,
        "priority": view.rule.priority.value,
        "state": view.state.value,
        "is_active": view.is_active,
        "wants_acknowledgement": view.state.wants_acknowledgement,
        "raised_at": iso(view.raised_at),
        "returned_at": None if view.returned_at is None else iso(view.returned_at),
        "acknowledged_by": view.acknowledged_by,
        "waits": view.waits,
        "unheard_since": None if view.unheard_since is None else iso(view.unheard_since),
        "batch_ids": list(batches),
        "text": describe(view.rule, view.value, batches),
        "consequence": view.rule.consequence,
        "response": view.rule.response,
    }


async def events(
    feed: LiveFeed, greeting: Callable[[], bytes], still: Callable[[], bytes], may_watch: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """Yield how things stand, then what happens, until the watcher goes; a quiet line is told that it is still there.

    ``greeting`` is asked once nothing can be missed any more, and again for a watcher that did not keep up, after an
    event ``behind`` that says so. ``may_watch`` is asked before each message: a session that has ended sees no more.
    """
    with feed.subscribe() as subscription:
        yield _RETRY + greeting()
        while True:
            message = await subscription.next(KEEP_ALIVE_S)
            if feed.is_over or not may_watch():
                return
            if missed := subscription.take_missed():
                message = _event("behind", {"missed": missed}) + greeting()
            yield still() if message is None else message


def _event(name: str, data: object) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()
