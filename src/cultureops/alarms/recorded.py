"""What the record of an alarm says of its rule, for one whose rule can't be made anew at present."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cultureops.alarms.rule import Priority
from cultureops.device.channel import ChannelId
from cultureops.ledger.event import JsonValue

__all__ = ["UNKNOWN_RULE", "RecordedRule", "recorded_rule"]


@dataclass(frozen=True, slots=True)
class RecordedRule:
    """The part of a rule that every event of its alarm repeats; ``limit`` is in ``unit``, a UCUM code.

    What nobody knows is taken for the worst: high, GMP-critical, to be answered within minutes.
    """

    channel: ChannelId | None = None
    limit: float | None = None
    unit: str = "1"
    priority: Priority = Priority.HIGH
    gmp_critical: bool = True
    respond_within_s: float = 300.0


UNKNOWN_RULE: Final = RecordedRule()


def recorded_rule(data: Mapping[str, JsonValue]) -> RecordedRule:
    """Read the data of an alarm's event; a field that lacks or can't be read is taken for the worst."""
    worst = UNKNOWN_RULE
    channel, unit, priority = data.get("channel"), data.get("unit"), data.get("priority")
    limit, respond_within_s = _number(data.get("limit")), _number(data.get("respond_within_s"))
    is_timely = respond_within_s is not None and respond_within_s > 0
    return RecordedRule(
        channel=channel if isinstance(channel, str) and channel else None,
        limit=limit,
        unit=unit if isinstance(unit, str) and unit else worst.unit,
        priority=Priority(priority) if priority in tuple(Priority) else worst.priority,
        gmp_critical=data.get("gmp_critical") is not False,
        respond_within_s=respond_within_s if respond_within_s is not None and is_timely else worst.respond_within_s,
    )


def _number(found: JsonValue) -> float | None:
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        return None
    return float(found)
