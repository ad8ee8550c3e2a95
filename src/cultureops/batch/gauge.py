"""A quantity of a batch that grows with time by itself, and the rules on it; the pattern of every process alarm."""

from __future__ import annotations

import math
import re
import zlib
from dataclasses import dataclass
from typing import Final

from cultureops.alarms.recorded import UNKNOWN_RULE, RecordedRule
from cultureops.alarms.rule import AlarmClass, Kind, Level, Priority, Rule
from cultureops.batch.batch import stream_of
from cultureops.clock import Instant
from cultureops.device.channel import ChannelId, channel_id

__all__ = ["CRITICAL_SHELF_S", "Gauge", "ProcessLimits", "process_channel", "process_rule", "recalled_rule", "slug"]

CRITICAL_SHELF_S: Final = 900.0
"""How long what endangers cells by the minute may be shelved at most [s]."""

_RULE_ID: Final = re.compile(r"batch:([^/]+)/(clock|due|waiting|record)/([a-z0-9_]+)(/warning)?")
_LONGEST_SLUG: Final = 48
_QUANTITIES: Final = {("due", True): "window", ("due", False): "late"}
"""What a warning and an alarm look at, by subject, where it is not called like the subject."""


@dataclass(frozen=True, slots=True)
class ProcessLimits:
    """When a person is told before it is too late; all are proposals of ours [OWN], which a site may change.

    ``warning_pct`` [%] of a limit or of a step's window is when its warning comes; ``due_grace_h`` [h] is how long a
    step without a latest time may wait, ``reading_grace_h`` [h] how long a culture that is read after so many days.
    """

    warning_pct: float = 80.0
    due_grace_h: float = 4.0
    reading_grace_h: float = 24.0


@dataclass(frozen=True, slots=True)
class Gauge:
    """One quantity of a batch, and the rules on it: 0 until ``zero_at`` [ms UTC], then it grows by 1 in ``unit_ms``.

    A gauge that ``is_steady`` stands at 1.
    """

    channel: ChannelId
    rules: tuple[Rule, ...]
    zero_at: Instant
    unit_ms: float
    is_steady: bool = False

    @property
    def limits(self) -> tuple[float, ...]:
        """Where its rules raise."""
        return tuple(rule.limit for rule in self.rules if rule.limit is not None)

    @property
    def least_limit(self) -> float:
        """Where the first of its rules raises."""
        return min(self.limits)

    def value(self, now: Instant) -> float:
        """Return what it shows, in its rules' unit."""
        return 1.0 if self.is_steady else max(0.0, (now - self.zero_at) / self.unit_ms)

    def reaches(self, limit: float) -> Instant:
        """Return the first instant [ms UTC] at which it shows a value."""
        return self.zero_at if self.is_steady else self.zero_at + math.ceil(limit * self.unit_ms)


def slug(text: str) -> str:
    """Write a step's name for an id in small letters, digits and underscores; a checksum stands for what is lost."""
    plain = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    if len(plain) <= _LONGEST_SLUG and plain == text.replace(" ", "_"):
        return plain
    return f"{plain[:_LONGEST_SLUG].rstrip('_')}_{zlib.crc32(text.encode()):08x}".lstrip("_")


def process_channel(batch_id: str, quantity: str, step: str) -> ChannelId:
    """Name a quantity of a batch's step, e.g. ``batch:B-1/clock_thaw_to_first_wash``; ``step`` is a slug."""
    return channel_id(stream_of(batch_id), f"{quantity}_{step}")


def process_rule(
    batch_id: str,
    subject: str,
    step: str,
    *,
    limit: float,
    unit: str,
    level: Level,
    cause: str,
    consequence: str,
    response: str,
    channel: ChannelId | None = None,
    priority: Priority = Priority.LOW,
    gmp_critical: bool = False,
    respond_within_s: float = 8 * 3600.0,
    shelve_max_s: float = 3600.0,
) -> Rule:
    """Return a rule on a quantity of a batch, ``batch:<id>/<subject>/<step>`` with ``/warning`` where it is one.

    It belongs to no chamber: the batch it endangers is its own.
    """
    stream = stream_of(batch_id)
    return Rule(
        id=f"{stream}/{subject}/{step}" + ("/warning" if level is Level.WARNING else ""),
        chamber="",
        channel=channel or process_channel(batch_id, subject, step),
        device=stream,
        kind=Kind.HIGH,
        limit=limit,
        unit=unit,
        deadband=0.0,
        on_delay_s=0.0,
        off_delay_s=0.0,
        misses=0,
        priority=priority,
        gmp_critical=gmp_critical,
        consequence=consequence,
        response=response,
        level=level,
        alarm_class=AlarmClass.PROCESS,
        cause=cause,
        respond_within_s=respond_within_s,
        shelve_max_s=shelve_max_s,
        group=stream,
        batch=batch_id,
    )


def recalled_rule(rule_id: str, known: RecordedRule = UNKNOWN_RULE) -> Rule | None:
    """Return a rule for an alarm of a batch that stands in the ledger while its own rule can't be made.

    That is so when nothing stands behind the alarm any more, and when nobody can tell. It is what the record says of
    it, so that the alarm stays what people were told; what is not on record is taken for the worst. None for any other
    rule's id.
    """
    if (match := _RULE_ID.fullmatch(rule_id)) is None:
        return None
    batch_id, subject, step, warning = match.groups()
    is_warning = warning is not None
    return process_rule(
        batch_id,
        subject,
        step,
        limit=1.0 if known.limit is None else known.limit,
        unit=known.unit,
        level=Level.WARNING if is_warning else Level.ALARM,
        cause=f"Batch {batch_id}: {step.replace('_', ' ')}.",
        consequence="Cells may suffer with every minute; what exactly, the record of the batch says.",
        response="See what the record of the batch says of this step, and watch its time by hand. Acknowledge with "
        "what was done.",
        channel=known.channel or process_channel(batch_id, _QUANTITIES.get((subject, is_warning), subject), step),
        priority=known.priority,
        gmp_critical=known.gmp_critical,
        respond_within_s=known.respond_within_s,
        shelve_max_s=CRITICAL_SHELF_S,
    )
