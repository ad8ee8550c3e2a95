"""The alarm performance report: what its JSON holds and its template ``alarm_kpi.typ`` sets."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from cultureops.alarms.kpi import MIN_RECORD_DAYS, AlarmKpi
from cultureops.alarms.kpi_rows import Judgement, kpi_rows, worst_actors
from cultureops.clock import DAY_MS, Instant, iso, local_text
from cultureops.ledger.event import JsonValue
from cultureops.report.document import Imprint

__all__ = ["TEMPLATE", "TITLE", "alarm_kpi_report"]

TEMPLATE: Final = "alarm_kpi"
TITLE: Final = "Alarm system performance"
_RULE: Final = f"rates are judged over {MIN_RECORD_DAYS} days or more"


def alarm_kpi_report(kpi: AlarmKpi, imprint: Imprint) -> dict[str, JsonValue]:
    """Return the report as JSON values; figures carry unit, target and judgement, times are ISO 8601 in UTC.

    Keys ending in ``_text`` say the same for people, times in the imprint's zone.
    """
    days = (kpi.end - kpi.start) / DAY_MS

    def when(at: Instant) -> str:
        return local_text(at, imprint.zone)

    return imprint.data() | {
        "period": {
            "from": iso(kpi.start),
            "to": iso(kpi.end),
            "days": round(days, 3),
            "text": f"{when(kpi.start)} to {when(kpi.end)}",
        },
        "record_since": iso(kpi.record_since),
        "record_since_text": when(kpi.record_since),
        "operators": kpi.operators,
        "terms": asdict(kpi.terms),
        "activations": kpi.activations,
        "realarms": kpi.realarms,
        "is_sufficient": kpi.is_sufficient,
        "sufficiency_text": ""
        if kpi.is_sufficient
        else f"{Judgement.INSUFFICIENT}: {days:.4g} days of record; {_RULE}",
        "kpis": [
            {
                "key": row.key,
                "name": row.name,
                "value": row.value,
                "unit": row.unit,
                "value_text": row.shown,
                "target": row.target,
                "judgement": row.judgement.value,
                "details": list(row.details),
            }
            for row in kpi_rows(kpi)
        ],
        "top": [
            {"rule_id": rule_id, "activations": count, "share_pct": 100 * count / kpi.activations}
            for rule_id, count in kpi.top
        ],
        "worst_actors": [
            {
                "rule_id": actor.rule_id,
                "activations": actor.activations,
                "faults": list(actor.faults),
                "advice": actor.advice,
            }
            for actor in worst_actors(kpi)
        ],
        "floods": [
            {
                "from": iso(flood.since),
                "to": iso(flood.until),
                "alarms": flood.alarms,
                "text": f"{when(flood.since)} to {when(flood.until)}",
            }
            for flood in kpi.floods
        ],
        "stale_days": [{"day": day.day.isoformat(), "rule_ids": list(day.rule_ids)} for day in kpi.stale_days],
        "unacknowledged": list(kpi.unacknowledged),
    }
