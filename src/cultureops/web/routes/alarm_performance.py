"""How much the alarms trouble people: the KPIs of ISA-18.2 as a page, and to take home as CSV."""

from __future__ import annotations

import asyncio
import io
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from cultureops.alarms.kpi import AlarmKpi
from cultureops.alarms.kpi_rows import kpi_rows, worst_actors
from cultureops.alarms.rule import Priority
from cultureops.clock import DAY_MS, iso
from cultureops.csv_text import CsvWriter
from cultureops.web.alarm.bars import bar
from cultureops.web.download import attachment
from cultureops.web.templating import context_of, page

__all__ = ["router"]

router = APIRouter(prefix="/alarms", include_in_schema=False)
KPI_DAYS: Final = 30
SPANS: Final = (1, 7, 30, 90, 365)
TARGETS: Final = ((Priority.HIGH, 5.0), (Priority.MEDIUM, 15.0), (Priority.LOW, 80.0))
_COLUMNS: Final = ("from", "to", "key", "figure", "value", "unit", "target", "judgement", "alarms")

Days = Annotated[int, Query(ge=1, le=366)]


@router.get("/performance")
async def performance_page(request: Request, days: Days = KPI_DAYS) -> Response:
    """The KPIs of ISA-18.2 over the last days."""
    kpi = await _kpi(request, days)
    most = max((count for _, count in kpi.top), default=0)
    values = {
        "kpi": kpi,
        "rows": kpi_rows(kpi),
        "worst": worst_actors(kpi),
        "top": [(rule_id, count, bar(count, most)) for rule_id, count in kpi.top],
        "priorities": [
            (priority, kpi.priorities.get(priority, 0), _share(kpi, priority), target,
             bar(_share(kpi, priority), 100, target))
            for priority, target in TARGETS
        ],
        "days": days,
        "spans": SPANS,
        "zone": context_of(request).zone,
    }  # fmt: skip
    return page(request, "performance.html", values)


@router.get("/performance.csv")
async def performance_csv(request: Request, days: Days = KPI_DAYS) -> Response:
    """The same figures as CSV."""
    kpi, out = await _kpi(request, days), io.StringIO(newline="")
    writer = CsvWriter(out, _COLUMNS, has_bom=True)
    for row in kpi_rows(kpi):
        judged = (row.target, row.judgement.value, "; ".join(row.details))
        writer.write((iso(kpi.start), iso(kpi.end), row.key, row.name, row.value, row.unit, *judged))
    name = f"alarm-performance-{iso(kpi.end)[:10]}-{days}-days.csv"
    return attachment(out.getvalue().encode(), name, "text/csv; charset=utf-8")


async def _kpi(request: Request, days: int) -> AlarmKpi:
    context = context_of(request)
    now = context.clock.now()
    return await asyncio.to_thread(context.performance, now - days * DAY_MS, now)


def _share(kpi: AlarmKpi, priority: Priority) -> float | None:
    return 100 * kpi.priorities.get(priority, 0) / kpi.activations if kpi.activations else None
