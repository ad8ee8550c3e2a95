"""The alarm system's performance over a period, by ISA-18.2 (clause 16, table 7) and IEC 62682: figures, no judgement.

Pure. ``kpi_rows`` judges the figures and puts them into words.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

from cultureops.alarms.events import RecordedEvent
from cultureops.alarms.history import Annunciation, Span, alarm_history
from cultureops.alarms.load import Flood, bins_over, floods, in_bursts, most_within
from cultureops.alarms.rule import Priority
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Instant, iso
from cultureops.errors import ConfigError

__all__ = ["MIN_RECORD_DAYS", "AlarmKpi", "Durations", "KpiTerms", "StaleDay", "alarm_kpi"]

MIN_RECORD_DAYS: Final = 30
_WINDOW_MS: Final = 10 * MINUTE_MS
_MOST_IN_WINDOW: Final = 10
_MOST_IN_HOUR: Final = 30
_STALE_MS: Final = DAY_MS
_TOP: Final = 10


@dataclass(frozen=True, slots=True)
class KpiTerms:
    """What the words mean where the standard leaves it open; the defaults are proposed ones (DEF).

    Chattering: ``chatter_least`` activations within ``chatter_within_s``. Fleeting: gone in less than ``fleeting_part``
    of the time to respond, which is ``respond_within_s`` where neither rule nor event says. A flood ends when 10 min
    hold fewer than ``flood_ends_below`` [OWN]. A suppression is long after ``shift_s``.
    """

    chatter_least: int = 3
    chatter_within_s: float = 60.0
    fleeting_part: float = 0.25
    respond_within_s: float = 1800.0
    flood_ends_below: int = 5
    shift_s: float = 28_800.0


@dataclass(frozen=True, slots=True)
class Durations:
    """How long something took [s]: how often it was measured, mean and 95th percentile (nearest rank)."""

    count: int
    mean_s: float | None
    p95_s: float | None


@dataclass(frozen=True, slots=True)
class StaleDay:
    """A calendar day, or the part of it inside the period, and the alarms that were stale at some time of it."""

    day: date
    rule_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AlarmKpi:
    """Figures of one period [start, end) [ms UTC]; rates, counts of windows and floods are per operator.

    ``start`` is not before ``record_since``: time without a record is not time without alarms. ``by_rule``,
    ``chattering`` and ``fleeting`` count the activations of each rule, those in bursts, and those that were fleeting.
    ``long_suppressed`` were shelved or out of service for more than a shift, ``unauthorised`` without person or reason.
    ``to_acknowledge`` counts from the activation to the first acknowledgement, ``to_annunciate`` from the condition to
    the activation, on-delay included.
    """

    start: Instant
    end: Instant
    operators: int
    terms: KpiTerms
    record_since: Instant
    activations: int
    realarms: int
    windows: int
    windows_over: int
    hours: int
    hours_over: int
    most_in_window: float
    floods: tuple[Flood, ...]
    by_rule: Mapping[str, int]
    chattering: Mapping[str, int]
    fleeting: Mapping[str, int]
    stale_days: tuple[StaleDay, ...]
    priorities: Mapping[Priority, int]
    to_acknowledge: Durations
    to_annunciate: Durations
    unacknowledged: tuple[str, ...]
    long_suppressed: tuple[Span, ...]
    unauthorised: tuple[tuple[str, Instant], ...]

    @property
    def is_sufficient(self) -> bool:
        """Whether the period is long enough for its rates to mean something."""
        return self.end - self.start >= MIN_RECORD_DAYS * DAY_MS

    @property
    def per_hour(self) -> float:
        """Activations an hour and operator."""
        return self.activations / self.operators * HOUR_MS / (self.end - self.start)

    @property
    def flood_pct(self) -> float:
        """Share of the period in flood [%]."""
        return 100 * sum(flood.until - flood.since for flood in self.floods) / (self.end - self.start)

    @property
    def top(self) -> tuple[tuple[str, int], ...]:
        """The ten rules with most activations, most first."""
        return tuple(sorted(self.by_rule.items(), key=lambda row: (-row[1], row[0]))[:_TOP])

    @property
    def top_pct(self) -> float | None:
        """The top contributors' share of all activations [%]; None where there are none."""
        return 100 * sum(count for _, count in self.top) / self.activations if self.activations else None


_TERMS: Final = KpiTerms()


def alarm_kpi(
    events: Iterable[RecordedEvent],
    start: Instant,
    end: Instant,
    record_since: Instant,
    *,
    operators: int = 1,
    zone: tzinfo = UTC,
    respond_within_s: Mapping[str, float] | None = None,
    terms: KpiTerms = _TERMS,
) -> AlarmKpi:
    """Count the alarms of a period [start, end) [ms UTC] that ``operators`` [from 1] shared.

    ``events`` are those of the whole ledger, in its order: what began before the period may still stand in it.
    ``record_since`` is when the record begins; an earlier ``start`` is moved to it. ``respond_within_s`` gives the time
    to respond by rule id, before what the event says and ``terms``. Days are those of ``zone``.

    An activation is announced anew (ISA-18.2 cl. 16); re-alarms count apart. Periods of 10 min and hours are bins from
    ``start``. The most in 10 min, floods and chattering come from sliding windows, which reach back before it.
    Fleeting: nobody acted before it was gone. Stale: announced for more than 24 h without a break. A duration below
    zero, by a clock set back, is left out.

    Raises ConfigError for no operators or a period that is empty or before the record; StorageError as
    ``alarm_history`` does.
    """
    if operators < 1:
        raise ConfigError(f"{operators} operators; alarms are counted for each, give 1 or more")
    if end <= start:
        raise ConfigError(f"the period from {iso(start)} to {iso(end)} is empty; give an end after its start")
    if end <= record_since:
        raise ConfigError(f"the record begins at {iso(record_since)}; give a period that ends after it")
    start = max(start, record_since)
    history = alarm_history(events, end)
    times = [activation.at for activation in history.activations]
    recent = history.activations[bisect_left(times, start) :]
    within = respond_within_s or {}
    windows_over, windows = bins_over(times, start, end, _WINDOW_MS, _MOST_IN_WINDOW * operators)
    hours_over, hours = bins_over(times, start, end, HOUR_MS, _MOST_IN_HOUR * operators)
    return AlarmKpi(
        start=start,
        end=end,
        operators=operators,
        terms=terms,
        record_since=record_since,
        activations=len(recent),
        realarms=sum(at >= start for at in history.realarms),
        windows=windows,
        windows_over=windows_over,
        hours=hours,
        hours_over=hours_over,
        most_in_window=most_within(times, start, _WINDOW_MS) / operators,
        floods=_floods(times, start, end, operators, terms),
        by_rule=Counter(activation.rule_id for activation in recent),
        chattering=_chattering(history.activations, start, terms),
        fleeting=Counter(activation.rule_id for activation in recent if _is_fleeting(activation, within, terms)),
        stale_days=_stale_days(history.standing, start, end, zone),
        priorities=Counter(activation.priority for activation in recent),
        to_acknowledge=_durations(
            activation.acknowledged_at - activation.at
            for activation in recent
            if activation.acknowledged_at is not None
        ),
        to_annunciate=_durations(
            activation.at - activation.since for activation in recent if activation.since is not None
        ),
        unacknowledged=history.unacknowledged,
        long_suppressed=tuple(span for span in history.suppressed if _is_long(span, start, end, terms)),
        unauthorised=tuple(row for row in history.unauthorised if row[1] >= start),
    )


def _floods(
    times: Sequence[Instant], start: Instant, end: Instant, operators: int, terms: KpiTerms
) -> tuple[Flood, ...]:
    """Return the parts of floods inside the period."""
    found = floods(times, end, _WINDOW_MS, _MOST_IN_WINDOW * operators, terms.flood_ends_below * operators)
    return tuple(Flood(max(flood.since, start), flood.until, flood.alarms) for flood in found if flood.until > start)


def _chattering(activations: Sequence[Annunciation], start: Instant, terms: KpiTerms) -> dict[str, int]:
    within_ms = round(terms.chatter_within_s * SECOND_MS)
    times: defaultdict[str, list[Instant]] = defaultdict(list)
    for activation in activations:
        times[activation.rule_id].append(activation.at)
    counts = {
        rule_id: sum(at >= start for at in in_bursts(own, within_ms, terms.chatter_least))
        for rule_id, own in times.items()
    }
    return {rule_id: count for rule_id, count in counts.items() if count}


def _is_fleeting(activation: Annunciation, respond_within_s: Mapping[str, float], terms: KpiTerms) -> bool:
    if activation.returned_at is None:
        return False
    if activation.acted_at is not None and activation.acted_at <= activation.returned_at:
        return False
    within_s = respond_within_s.get(activation.rule_id, activation.respond_within_s or terms.respond_within_s)
    return activation.returned_at - activation.at < within_s * SECOND_MS * terms.fleeting_part


def _stale_days(spans: Sequence[Span], start: Instant, end: Instant, zone: tzinfo) -> tuple[StaleDay, ...]:
    """Return the days of the period on which alarms were stale, with which."""
    found: defaultdict[date, set[str]] = defaultdict(set)
    for span in spans:
        since = max(span.since + _STALE_MS, start)
        until = end if span.until is None else span.until
        if since >= until:
            continue
        day, last = _day(since, zone), _day(until - 1, zone)
        while day <= last:
            found[day].add(span.rule_id)
            day += timedelta(days=1)
    return tuple(StaleDay(day, tuple(sorted(found[day]))) for day in sorted(found))


def _day(at: Instant, zone: tzinfo) -> date:
    return datetime.fromtimestamp(at / 1000, zone).date()


def _is_long(span: Span, start: Instant, end: Instant, terms: KpiTerms) -> bool:
    until = end if span.until is None else span.until
    return until > start and until - span.since > terms.shift_s * SECOND_MS


def _durations(found_ms: Iterable[int]) -> Durations:
    sorted_ms = sorted(duration for duration in found_ms if duration >= 0)
    if not sorted_ms:
        return Durations(0, None, None)
    rank = math.ceil(0.95 * len(sorted_ms))
    return Durations(len(sorted_ms), sum(sorted_ms) / len(sorted_ms) / 1000, sorted_ms[rank - 1] / 1000)
