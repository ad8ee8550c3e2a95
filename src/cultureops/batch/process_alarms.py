"""The clocks and due steps of all batches as readings for the alarm engine, told when they cross a limit.

Everything is a function of the batches and of now, so that a restart changes nothing. A second's tick looks only at
batches that have changed and at those whose next limit is reached, however many are open.
"""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from cultureops.alarms.rule import Level, Priority, Rule
from cultureops.batch.batch import Batch
from cultureops.batch.clock_gauges import clock_ends, clock_gauges
from cultureops.batch.due_gauges import due_gauges
from cultureops.batch.gauge import Gauge, ProcessLimits, process_channel, process_rule, recalled_rule
from cultureops.batch.recipe_schema import Recipe
from cultureops.clock import MINUTE_MS, Instant
from cultureops.config import Table
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.errors import CultureOpsError

__all__ = ["ProcessLimits", "ProcessStep", "ProcessWatch", "process_limits_from", "process_rules"]

RETOLD_MS: Final = MINUTE_MS
"""How often a value beyond a limit is told anew, so that the list of alarms shows how it grows: each batch at its own
moment, so that no tick has to tell them all."""


def process_limits_from(table: Table | None) -> ProcessLimits:
    """Read the site file's ``[process_alarms]``, or take the defaults; raises ConfigError with file and line."""
    known = ProcessLimits()
    if table is None:
        return known
    limits = ProcessLimits(
        warning_pct=table.number("warning_pct", known.warning_pct, minimum=10, maximum=99),
        due_grace_h=table.number("due_grace_h", known.due_grace_h, minimum=0.25, maximum=168),
        reading_grace_h=table.number("reading_grace_h", known.reading_grace_h, minimum=0.25, maximum=168),
    )
    table.done()
    return limits


def process_rules(batch: Batch, recipe: Recipe, limits: ProcessLimits) -> tuple[Rule, ...]:
    """Return the rules on a batch as it stands."""
    return tuple(rule for gauge in _gauges(batch, recipe, limits) for rule in gauge.rules)


def _gauges(batch: Batch, recipe: Recipe, limits: ProcessLimits) -> tuple[Gauge, ...]:
    return (
        *clock_gauges(batch, recipe, limits),
        *due_gauges(batch, recipe, limits, clock_ends(batch, recipe)),
    )


def _unwatched(batch: Batch, problem: str) -> Gauge:
    """Return the alarm of a batch whose clocks and due steps can't be watched: nobody else would tell."""
    rule = process_rule(
        batch.id,
        "record",
        "unreadable",
        limit=1.0,
        unit="1",
        level=Level.ALARM,
        cause=f"Batch {batch.id} can't be watched: {problem}"[:1_000],
        consequence="No clock and no due step of this batch is watched.",
        response="Watch its times by hand; make its recipe or its record readable with quality assurance.",
        priority=Priority.HIGH,
        respond_within_s=1800.0,
    )
    return Gauge(process_channel(batch.id, "record", "unreadable"), (rule,), batch.since, 1.0, is_steady=True)


@dataclass(frozen=True, slots=True)
class ProcessStep:
    """What the engine is to be told at one instant, in this order: new rules, then readings.

    ``over`` are the rules that nothing stands behind any more: each may be taken away, and forgotten, once its alarm is
    NORMAL.
    """

    rules: tuple[Rule, ...]
    readings: tuple[Reading, ...]
    over: frozenset[str]


@dataclass(slots=True)
class _Followed:
    """One batch: what is watched of it, and when something of it reaches a limit next (None: never by itself)."""

    batch: Batch
    gauges: Mapping[ChannelId, Gauge]
    next_at: Instant | None = None

    def readings(self, now: Instant) -> list[Reading]:
        """Return what all of it shows."""
        return [_reading(gauge.channel, gauge.value(now), now) for gauge in self.gauges.values()]

    def beyond(self, now: Instant) -> list[Reading]:
        """Return what shows a limit or more; the rest has been told, is still below, and only grows."""
        return [
            _reading(gauge.channel, value, now)
            for gauge in self.gauges.values()
            if (value := gauge.value(now)) >= gauge.least_limit
        ]


class ProcessWatch:
    """Follows the processes of all batches; ``recipe_of`` finds the recipe a batch pins, or raises ConfigError."""

    def __init__(self, recipe_of: Callable[[Batch], Recipe], limits: ProcessLimits) -> None:
        self._recipe_of, self._limits = recipe_of, limits
        self._changed: dict[str, Batch] = {}
        self._followed: dict[str, _Followed] = {}
        self._rules: dict[str, Rule] = {}
        self._over: set[str] = set()
        self._to_clear: set[ChannelId] = set()
        self._limits_ahead: list[tuple[Instant, str]] = []

    def note(self, batch: Batch) -> None:
        """Take a batch as it stands after an event; costs nothing until the next step."""
        self._changed[batch.id] = batch

    def begin(self, now: Instant, standing: Iterable[str]) -> tuple[Rule, ...]:
        """Return the rules for a start, before the engine restores the alarms that were ``standing`` by rule id.

        Where nothing stands behind such an alarm any more its rule is there to be cleared, by the next ``step``.
        """
        rules = [rule for batch in self._changed.values() for rule in self._follow(batch, now)]
        for rule_id in standing:
            if rule_id not in self._rules and (rule := recalled_rule(rule_id)) is not None:
                rules.append(rule)
                self._rules[rule_id] = rule
                self._over.add(rule_id)
                self._to_clear.update(rule.channels)
        return tuple(rules)

    def step(self, now: Instant) -> ProcessStep:
        """Return what changed by ``now`` [ms UTC]; a batch that can't be watched becomes an alarm of its own."""
        rules: list[Rule] = []
        readings = self._reached(now)
        for batch in self._changed.values():
            rules += self._follow(batch, now)
            readings += self._followed[batch.id].readings(now)
        self._changed.clear()
        readings += (_reading(channel, 0.0, now) for channel in sorted(self._to_clear))
        self._to_clear.clear()
        return ProcessStep(tuple(rules), tuple(readings), frozenset(self._over))

    def forget(self, rule_id: str) -> None:
        """Take note that the engine has taken a rule of ``over`` away."""
        if rule_id in self._over:
            self._over.remove(rule_id)
            del self._rules[rule_id]

    def _reached(self, now: Instant) -> list[Reading]:
        """Return what the batches show of which something has reached a limit."""
        readings: list[Reading] = []
        while self._limits_ahead and self._limits_ahead[0][0] <= now:
            at, batch_id = heapq.heappop(self._limits_ahead)
            followed = self._followed[batch_id]
            if followed.next_at != at or batch_id in self._changed:
                continue
            if any(gauge.is_steady for gauge in followed.gauges.values()):
                self._changed[batch_id] = followed.batch  # perhaps it can be watched by now
                continue
            readings += followed.beyond(now)
            self._await(followed, now)
        return readings

    def _follow(self, batch: Batch, now: Instant) -> list[Rule]:
        """Watch a batch as it is now, and return the rules that the engine does not have."""
        before = self._followed.get(batch.id)
        followed = _Followed(batch, {gauge.channel: gauge for gauge in self._gauges_of(batch)})
        self._followed[batch.id] = followed
        if before is not None:
            gone = before.gauges.keys() - followed.gauges.keys()
            self._to_clear |= gone
            self._over.update(rule.id for channel in gone for rule in before.gauges[channel].rules)
        self._to_clear.difference_update(followed.gauges)
        new: list[Rule] = []
        for rule in (rule for gauge in followed.gauges.values() for rule in gauge.rules):
            self._over.discard(rule.id)
            if rule.id not in self._rules:
                self._rules[rule.id] = rule
                new.append(rule)
        self._await(followed, now)
        return new

    def _gauges_of(self, batch: Batch) -> tuple[Gauge, ...]:
        try:
            return _gauges(batch, self._recipe_of(batch), self._limits)
        except (CultureOpsError, ValueError) as problem:
            return (_unwatched(batch, str(problem)),)

    def _await(self, followed: _Followed, now: Instant) -> None:
        """Note when something of the batch has to be told next."""
        nexts: list[Instant] = []
        retold_at = now + RETOLD_MS - (now + zlib.crc32(followed.batch.id.encode())) % RETOLD_MS
        for gauge in followed.gauges.values():
            value = gauge.value(now)
            for limit in gauge.limits:
                nexts.append(retold_at if value >= limit else max(now + 1, gauge.reaches(limit)))
        followed.next_at = min(nexts, default=None)
        if followed.next_at is not None:
            heapq.heappush(self._limits_ahead, (followed.next_at, followed.batch.id))


def _reading(channel: ChannelId, value: float, now: Instant) -> Reading:
    return Reading(channel, value, Quality.GOOD, Reason.NONE, now, now)
