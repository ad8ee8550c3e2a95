"""Pages out of templates, and how numbers and times are written on them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.templating import Jinja2Templates
from starlette.responses import Response

from cultureops.clock import DAY_MS, Instant, iso
from cultureops.units import label
from cultureops.web.context import WebContext

__all__ = ["context_of", "local", "number", "page", "title"]

FAST_FORWARD_MS: Final = 10 * DAY_MS
_TEMPLATES: Final = Jinja2Templates(Path(__file__).parent / "templates")


def context_of(request: Request) -> WebContext:
    """Return the lab that this request is about."""
    return cast(WebContext, request.app.state.context)


def page(request: Request, template: str, values: Mapping[str, Any], status: int = 200) -> Response:
    """Render a template with what every page needs."""
    context = context_of(request)
    now = context.clock.now()
    common = {
        "site": context.site_name,
        "simulated": context.simulated,
        "now": now,
        "now_local": local(now, context.zone),
        "zone_name": str(context.zone),
        "offset": utc_offset(now, context.zone),
        "pace": context.pace,
        "progress": _progress(context),
        "path": request.url.path,
    }
    return _TEMPLATES.TemplateResponse(request, template, {**common, **values}, status)


def _progress(context: WebContext) -> dict[str, float] | None:
    """Return until when lab time is fast-forwarded, how long that takes in all [ms], and how much is done [%]."""
    found = None if context.pace is None else context.pace.progress()
    if found is None:
        return None
    now, until = found
    return {"until": until, "total_ms": FAST_FORWARD_MS, "pct": max(0.0, 100 - 100 * (until - now) / FAST_FORWARD_MS)}


def local(instant: Instant | None, zone: ZoneInfo) -> str:
    """Write an instant in the site's zone, to the minute."""
    if instant is None:
        return ""
    return f"{datetime.fromtimestamp(instant / 1000, UTC).astimezone(zone):%Y-%m-%d %H:%M}"


def utc_offset(instant: Instant, zone: ZoneInfo) -> tuple[int, str]:
    """Return how far the site's clocks are from UTC [min], and as text: ``UTC+01:00``."""
    there = datetime.fromtimestamp(instant / 1000, UTC).astimezone(zone)
    return round((there.utcoffset() or timedelta()).total_seconds() / 60), f"UTC{there.isoformat()[-6:]}"


def number(value: float | None, decimals: int) -> str:
    """Write a value at its resolution; no value is a dash."""
    return "–" if value is None else f"{value:.{decimals}f}"


def title(name: str) -> str:
    """Write a channel's standard name as people do: ``co2`` is CO₂, ``temp_a`` is Temp A."""
    if name in _FORMULAS:
        return _FORMULAS[name]
    return name.replace("_", " ").capitalize()


_FORMULAS: Final = {"co2": "CO₂", "o2": "O₂", "temp_a": "Temp A", "temp_b": "Temp B"}
_TEMPLATES.env.filters["title"] = title
_TEMPLATES.env.filters["iso"] = lambda instant: "" if instant is None else iso(instant)
_TEMPLATES.env.filters["unit"] = label
_TEMPLATES.env.filters["number"] = number
_TEMPLATES.env.filters["local"] = local
_TEMPLATES.env.filters["segment"] = lambda text: quote(str(text), safe="")
_TEMPLATES.env.trim_blocks = _TEMPLATES.env.lstrip_blocks = True
