"""What each topic says: JSON objects whose keys are always there, null where there is nothing to say."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum

from cultureops.alarms.alarm import AlarmView
from cultureops.alarms.rule import BatchRef, Rule
from cultureops.alarms.state import State
from cultureops.clock import Instant, iso
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Quality, Reading
from cultureops.telemetry import ChannelInfo

__all__ = ["Presence", "alarm_message", "reading_message", "status_message"]


class Presence(StrEnum):
    """Whether somebody keeps the topics up to date."""

    ONLINE = "online"
    STOPPED = "stopped"
    LOST = "lost"


def reading_message(channel: ChannelId, info: ChannelInfo, reading: Reading | None) -> bytes:
    """Say the last value of a channel; None is a channel that was never read."""
    return _encoded(
        {
            "channel": channel,
            "value": None if reading is None else reading.value,
            "unit": info.unit,
            "quality": (Quality.BAD if reading is None else reading.quality).name,
            "reason": "nothing read yet" if reading is None else reading.reason.text,
            "source_time": None if reading is None else iso(reading.source_time),
            "received_time": None if reading is None else iso(reading.received_time),
            "simulated": info.simulated,
        }
    )


def alarm_message(rule: Rule, view: AlarmView | None, cause: str | None, batches: Sequence[BatchRef]) -> bytes:
    """Say where an alarm stands; None is NORMAL. ``cause`` is that of the last transition, if there ever was one."""
    state = State.NORMAL if view is None else view.state
    returned_at = None if view is None else view.returned_at
    return _encoded(
        {
            "rule_id": rule.id,
            "chamber": rule.chamber,
            "channel": rule.channel,
            "device": rule.device,
            "kind": rule.kind.value,
            "level": rule.level.value,
            "alarm_class": rule.alarm_class.value,
            "limit": rule.limit,
            "unit": rule.unit,
            "priority": rule.priority.value,
            "gmp_critical": rule.gmp_critical,
            "state": state.value,
            "is_active": view is not None and view.is_active,
            "wants_acknowledgement": state.wants_acknowledgement,
            "raised_at": None if view is None else iso(view.raised_at),
            "returned_at": None if returned_at is None else iso(returned_at),
            "acknowledged_by": None if view is None else view.acknowledged_by,
            "cause": cause,
            "batch_ids": list(batches),
            "consequence": rule.consequence,
            "response": rule.response,
            "respond_within_s": rule.respond_within_s,
        }
    )


def status_message(presence: Presence, at: Instant | None, online_since: Instant, site: str) -> bytes:
    """Say whether the topics are kept up to date; ``at`` is None in a last will: nobody knows when it will be said."""
    return _encoded(
        {
            "state": "online" if presence is Presence.ONLINE else "offline",
            "reason": "" if presence is Presence.ONLINE else presence.value,
            "time": None if at is None else iso(at),
            "online_since": iso(online_since),
            "site": site,
        }
    )


def _encoded(said: Mapping[str, object]) -> bytes:
    return json.dumps(said, separators=(",", ":")).encode()
