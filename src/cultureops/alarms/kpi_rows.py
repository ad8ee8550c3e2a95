"""The alarm KPIs as people read them: each with unit, target and a judgement in words, and the alarms to work on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cultureops.alarms.kpi import AlarmKpi
from cultureops.alarms.rule import Priority
from cultureops.alarms.text import duration
from cultureops.clock import HOUR_MS, MINUTE_MS

__all__ = ["Judgement", "KpiRow", "WorstActor", "kpi_rows", "worst_actors"]


class Judgement(StrEnum):
    """What a figure means beside its target; INSUFFICIENT: too short a record to say, NONE: there is no target."""

    ACCEPTABLE = "acceptable"
    MANAGEABLE = "manageable"
    TOO_MANY = "too many"
    REVIEW = "review"
    INSUFFICIENT = "insufficient"
    NONE = ""


@dataclass(frozen=True, slots=True)
class KpiRow:
    """One figure: ``value`` in ``unit``, None where nothing was measured; ``details`` name the alarms that make it."""

    key: str
    name: str
    value: float | None
    unit: str
    target: str
    judgement: Judgement
    details: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """The value with its unit, for people; ``-`` where nothing was measured."""
        if self.value is None:
            return "-"
        return duration(self.value) if self.unit == "s" else f"{self.value:.4g} {self.unit}".rstrip()


@dataclass(frozen=True, slots=True)
class WorstActor:
    """An alarm to work on: its activations in the period, what is wrong with it, and what to do."""

    rule_id: str
    activations: int
    faults: tuple[str, ...]
    advice: str


_TARGETS: Final = ((Priority.LOW, 80), (Priority.MEDIUM, 15), (Priority.HIGH, 5))
_MOST_STALE: Final = 4


def kpi_rows(kpi: AlarmKpi) -> tuple[KpiRow, ...]:
    """Return every figure with its target and judgement.

    Rates, shares and loads are judged over 30 days or more and are ``insufficient`` below; what calls for an act by
    itself, such as a chattering alarm, is judged at once. Targets: ISA-18.2 table 7 and its IEC form; where they give
    two bounds, up to the first is acceptable, up to the second manageable. [OWN]: priorities are judged by the same
    two steps, up to the share and up to twice the share.
    """
    return (*_load_rows(kpi), *_priority_rows(kpi), *_quality_rows(kpi), *_people_rows(kpi))


def _load_rows(kpi: AlarmKpi) -> tuple[KpiRow, ...]:
    top = _counted(kpi.top)

    def rate(key: str, name: str, value: float | None, unit: str, target: str, *bounds: float) -> KpiRow:
        """``bounds``: up to the first acceptable, up to the second, if given, manageable."""
        return KpiRow(key, name, value, unit, target, _rated(kpi, value, *bounds), top if key == "top_10" else ())

    def below(key: str, name: str, value: float, target: str) -> KpiRow:
        judgement = _of_rate(kpi, value, lambda: Judgement.ACCEPTABLE if value < 1 else Judgement.TOO_MANY)
        return KpiRow(key, name, value, "%", target, judgement)

    realarms = kpi.realarms / kpi.operators * HOUR_MS / (kpi.end - kpi.start)
    window = 10 * MINUTE_MS / HOUR_MS
    return (
        rate("per_hour", "alarms an hour and operator", kpi.per_hour, "/h", "about 6, at most about 12", 6, 12),
        rate("per_10_min", "alarms in 10 min, mean", kpi.per_hour * window, "", "about 1, at most about 2", 1, 2),
        KpiRow(
            "realarms", "re-alarms an hour and operator", realarms, "/h", "",
            _of_rate(kpi, realarms, lambda: Judgement.NONE),
        ),
        below("windows_over_10", "10-min periods with more than 10", _pct(kpi.windows_over, kpi.windows), "< 1"),
        below("hours_over_30", "hours with more than 30", _pct(kpi.hours_over, kpi.hours), "< 1"),
        rate("most_in_10_min", "most in 10 min", kpi.most_in_window, "", "at most 10", 10),
        below("in_flood", "time in flood", kpi.flood_pct, "< 1"),
        rate("top_10", "share of the 10 most frequent", kpi.top_pct, "%", "about 1, at most 5", 1, 5),
    )  # fmt: skip


def _priority_rows(kpi: AlarmKpi) -> tuple[KpiRow, ...]:
    rows = []
    for priority, share in _TARGETS:
        value = _pct(kpi.priorities.get(priority, 0), kpi.activations) if kpi.activations else None
        if priority is Priority.LOW:  # what is left by the others: many low ones are no fault
            judgement = _of_rate(kpi, value, lambda: Judgement.NONE)
        else:
            judgement = _rated(kpi, value, share, 2 * share)
        name = f"of {priority} priority"
        rows.append(KpiRow(f"priority_{priority}", name, value, "%", f"about {share}", judgement))
    return tuple(rows)


def _quality_rows(kpi: AlarmKpi) -> tuple[KpiRow, ...]:
    def none(key: str, name: str, details: tuple[str, ...], bad: Judgement = Judgement.TOO_MANY) -> KpiRow:
        judgement = bad if details else Judgement.ACCEPTABLE
        return KpiRow(key, name, len(details), "", "0", judgement, details)

    terms = kpi.terms
    chatter = f"{terms.chatter_least} or more in {terms.chatter_within_s:g} s"
    worst = max((len(day.rule_ids) for day in kpi.stale_days), default=0)
    stale = tuple(f"{day.day.isoformat()}: {', '.join(day.rule_ids)}" for day in kpi.stale_days)
    return (
        none("chattering", f"chattering alarms, {chatter}", _counted(kpi.chattering.items())),
        none("fleeting", "fleeting alarms, gone before anyone could act", _counted(kpi.fleeting.items())),
        KpiRow(
            "stale", "stale alarms, over 24 h, most on a day", worst, "", "< 5 on any day",
            Judgement.ACCEPTABLE if worst <= _MOST_STALE else Judgement.TOO_MANY, stale,
        ),
        none(
            "long_suppressed", f"suppressed for more than a shift of {terms.shift_s / 3600:g} h",
            tuple(span.rule_id for span in kpi.long_suppressed), Judgement.REVIEW,
        ),
        none("unauthorised", "suppressed without person or reason", tuple(rule_id for rule_id, _ in kpi.unauthorised)),
    )  # fmt: skip


def _people_rows(kpi: AlarmKpi) -> tuple[KpiRow, ...]:
    def lasted(key: str, name: str, value: float | None) -> KpiRow:
        return KpiRow(key, name, value, "s", "", Judgement.NONE)

    return (
        lasted("acknowledge_mean", "time to acknowledge, mean", kpi.to_acknowledge.mean_s),
        lasted("acknowledge_p95", "time to acknowledge, 95th percentile", kpi.to_acknowledge.p95_s),
        KpiRow(
            "unacknowledged", "not acknowledged at the end", len(kpi.unacknowledged), "", "", Judgement.NONE,
            kpi.unacknowledged,
        ),
        lasted("annunciate_mean", "from condition to alarm, delay included, mean", kpi.to_annunciate.mean_s),
        lasted("annunciate_p95", "from condition to alarm, 95th percentile", kpi.to_annunciate.p95_s),
    )  # fmt: skip


_ADVICE: Final = {
    "chattering": "raise its deadband or off-delay, or mend the sensor",
    "fleeting": "raise its on-delay, or make it an event where nobody need act",
    "stale": "mend the cause or the sensor, or take it out of service with a reason",
    "suppressed for more than a shift": "review whether it may stay suppressed",
    "suppressed without person or reason": "find out who suppressed it and why",
}


def worst_actors(kpi: AlarmKpi) -> tuple[WorstActor, ...]:
    """Return the alarms that somebody must work on, the most frequent first, with what is wrong and what to do."""
    accused = {
        "chattering": set(kpi.chattering),
        "fleeting": set(kpi.fleeting),
        "stale": {rule_id for day in kpi.stale_days for rule_id in day.rule_ids},
        "suppressed for more than a shift": {span.rule_id for span in kpi.long_suppressed},
        "suppressed without person or reason": {rule_id for rule_id, _ in kpi.unauthorised},
    }
    found = []
    for rule_id in set().union(*accused.values()):
        faults = tuple(fault for fault, rule_ids in accused.items() if rule_id in rule_ids)
        advice = "; ".join(_ADVICE[fault] for fault in faults)
        found.append(WorstActor(rule_id, kpi.by_rule.get(rule_id, 0), faults, advice))
    return tuple(sorted(found, key=lambda actor: (-actor.activations, actor.rule_id)))


def _rated(kpi: AlarmKpi, value: float | None, acceptable: float, manageable: float | None = None) -> Judgement:
    def judge() -> Judgement:
        if value is None or value <= acceptable:
            return Judgement.ACCEPTABLE
        return Judgement.MANAGEABLE if manageable is not None and value <= manageable else Judgement.TOO_MANY

    return _of_rate(kpi, value, judge)


def _of_rate(kpi: AlarmKpi, value: float | None, judge: Callable[[], Judgement]) -> Judgement:
    if not kpi.is_sufficient:
        return Judgement.INSUFFICIENT
    return Judgement.NONE if value is None else judge()


def _counted(rows: Iterable[tuple[str, int]]) -> tuple[str, ...]:
    return tuple(f"{rule_id}: {count}" for rule_id, count in sorted(rows, key=lambda row: (-row[1], row[0])))


def _pct(part: int, whole: int) -> float:
    return 100 * part / whole
