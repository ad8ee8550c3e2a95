"""The clocks and due steps of all batches as readings for the alarm engine, told when they cross a limit.

Everything is a function of the batches and of now, so that a restart changes nothing. A second's tick looks only at
batches that have changed and at those whose next limit is reached, however many are open. While a batch's recipe or
record can't be read nobody knows what its clocks show: nothing is told of them, and every alarm stays as it stands.
"""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from cultureops.alarms.alarm import StoredAlarm
from cultureops.alarms.rule import BatchRef, Level, Priority, Rule
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
    """What the engine is to be told at one instant, in this order: new rules, rules that say something else now, and
    readings.

    ``over`` are the rules that nothing stands behind any more: each may be taken away, and forgotten, once its alarm is
    NORMAL.
    """

    rules: tuple[Rule, ...]
    replaced: tuple[Rule, ...]
    readings: tuple[Reading, ...]
    over: frozenset[str]


@dataclass(slots=True)
class _Followed:
    """One batch: what is watched of it, and when something of it reaches a limit next (None: never by itself)."""

    batch: Batch
    gauges: Mapping[ChannelId, Gauge]
    next_at: Instant | None = None

    @property
    def is_readable(self) -> bool:
        """Whether its clocks and due steps are known."""
        return not any(gauge.is_steady for gauge in self.gauges.values())

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
        self._rules: dict[BatchRef, dict[str, Rule]] = {}
        self._over: dict[str, BatchRef] = {}
        self._to_clear: set[ChannelId] = set()
        self._limits_ahead: list[tuple[Instant, str]] = []

    def note(self, batch: Batch) -> None:
        """Take a batch as it stands after an event; costs nothing until the next step."""
        self._changed[batch.id] = batch

    def begin(self, now: Instant, standing: Iterable[StoredAlarm]) -> tuple[Rule, ...]:
        """Return the rules for a start, before the engine restores the alarms that were ``standing``.

        A rule that can't be made for such an alarm is recalled from the record: to be cleared by the next ``step``
        where its batch tells that nothing stands behind it any more, and to stay until its batch can tell.
        """
        rules = [rule for batch in self._changed.values() for rule in self._follow(batch, now)[0]]
        for alarm in standing:
            recalled = recalled_rule(alarm.rule_id, alarm.rule)
            if recalled is None or recalled.batch is None:
                continue
            known = self._rules.setdefault(recalled.batch, {})
            if recalled.id not in known:
                known[recalled.id] = recalled
                rules.append(recalled)
        return tuple(rules)

    def step(self, now: Instant) -> ProcessStep:
        """Return what changed by ``now`` [ms UTC]; a batch that can't be watched becomes an alarm of its own."""
        rules: list[Rule] = []
        replaced: list[Rule] = []
        readings = self._reached(now)
        for batch in self._changed.values():
            new, other = self._follow(batch, now)
            rules += new
            replaced += other
            readings += self._followed[batch.id].readings(now)
        self._changed.clear()
        readings += (_reading(channel, 0.0, now) for channel in sorted(self._to_clear))
        self._to_clear.clear()
        return ProcessStep(tuple(rules), tuple(replaced), tuple(readings), frozenset(self._over))

    def forget(self, rule_id: str) -> None:
        """Take note that the engine has taken a rule of ``over`` away."""
        if (batch_id := self._over.pop(rule_id, None)) is not None:
            del self._rules[batch_id][rule_id]

    def _reached(self, now: Instant) -> list[Reading]:
        """Return what the batches show of which something has reached a limit."""
        readings: list[Reading] = []
        while self._limits_ahead and self._limits_ahead[0][0] <= now:
            at, batch_id = heapq.heappop(self._limits_ahead)
            followed = self._followed[batch_id]
            if followed.next_at != at or batch_id in self._changed:
                continue
            if not followed.is_readable:
                self._changed[batch_id] = followed.batch  # perhaps it can be watched by now
                continue
            readings += followed.beyond(now)
            self._await(followed, now)
        return readings

    def _follow(self, batch: Batch, now: Instant) -> tuple[list[Rule], list[Rule]]:
        """Watch a batch as it is now; return the rules that the engine does not have, and those it has otherwise."""
        followed = _Followed(batch, {gauge.channel: gauge for gauge in self._gauges_of(batch)})
        self._followed[batch.id] = followed
        known = self._rules.setdefault(batch.id, {})
        rules = {rule.id: rule for gauge in followed.gauges.values() for rule in gauge.rules}
        if followed.is_readable:
            for rule in known.values():
                if rule.id not in rules and rule.id not in self._over:
                    self._over[rule.id] = batch.id
                    self._to_clear.update(rule.channels)
        self._to_clear.difference_update(followed.gauges)
        new = [rule for rule in rules.values() if rule.id not in known]
        replaced = [rule for rule in rules.values() if known.get(rule.id, rule) != rule]
        for rule_id in rules:
            self._over.pop(rule_id, None)
        known.update(rules)
        self._await(followed, now)
        return new, replaced

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
