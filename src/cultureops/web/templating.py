"""Pages out of templates, and how numbers and times are written on them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.templating import Jinja2Templates
from markupsafe import Markup
from starlette.responses import Response

from cultureops.access.roles import PEOPLE, Role
from cultureops.clock import DAY_MS, Instant, in_zone, iso
from cultureops.units import label
from cultureops.web.context import WebContext
from cultureops.web.door.csrf import FIELD, token_of
from cultureops.web.door.visitor import Visitor, visitor_of
from cultureops.web.navigation import menu, waiting
from cultureops.web.versioned import versioned_address

__all__ = ["context_of", "fragment", "local", "number", "page", "stamp", "title"]

FAST_FORWARD_MS: Final = 10 * DAY_MS
_PRIVATE: Final = re.compile(r"/(account|accounts|log-in|set-up)(/|$)|.*/sign/")
"""Pages of which nothing may be left in a browser that somebody else uses next."""
_TEMPLATES: Final = Jinja2Templates(Path(__file__).parent / "templates")


def context_of(request: Request) -> WebContext:
    """Return the lab that this request is about."""
    return cast(WebContext, request.app.state.context)


def page(request: Request, template: str, values: Mapping[str, Any], status: int = 200) -> Response:
    """Render a template with what every page needs."""
    context, visitor = context_of(request), visitor_of(request)
    now = context.clock.now()
    common = {
        **_of(visitor),
        **_shell(request, context, visitor),
        "site": context.site_name,
        "simulated": context.simulated,
        "now": now,
        "now_local": local(now, context.zone),
        "zone_name": str(context.zone),
        "offset": utc_offset(now, context.zone),
        "pace": context.pace,
        "works_by_hand": context.bench is not None,
        "progress": _progress(context),
        "path": request.url.path,
        "hub": None if context.hub is None or visitor.identity is None else context.hub(),
        "hub_zone": context.zone,
        "has_keys": bool(context.access.policy.webauthn_origin),
    }
    answer = _TEMPLATES.TemplateResponse(request, template, {**common, **values}, status)
    if _PRIVATE.match(request.url.path):
        answer.headers["cache-control"] = "no-store"
    return answer


def fragment(template: str, macro: str, *values: object) -> str:
    """Render one macro of a template by itself, for a script that puts it into a page."""
    return str(getattr(_TEMPLATES.env.get_template(template).module, macro)(*values))


def _shell(request: Request, context: WebContext, visitor: Visitor) -> dict[str, Any]:
    """Return what stands around a page for somebody who is signed in, or for a display."""
    addresses, identity = request.app.state.addresses, visitor.identity
    if identity is None:
        return {"menu": (), "waiting": 0, "can_scan": False}
    return {
        "menu": menu(addresses, request.url.path, identity.roles, is_display=visitor.is_display),
        "waiting": waiting(context.engine.active()),
        "can_scan": "/scan" in addresses and not visitor.is_display,
    }


def _of(visitor: Visitor) -> dict[str, Any]:
    """Return who looks at a page, and in which roles they may act on it; a display looks only."""
    identity = visitor.identity
    roles = frozenset[Role]() if identity is None or visitor.is_display else identity.roles
    field = '<input type="hidden" name="{}" value="{}">'
    return {
        "identity": identity,
        "is_display": visitor.is_display,
        "acting_roles": sorted(roles & PEOPLE),
        "keeps_accounts": bool(roles & {Role.ADMINISTRATOR, Role.QUALITY_ASSURANCE, Role.QUALIFIED_PERSON}),
        "idle_left_s": visitor.idle_left_s,
        "csrf_field": Markup(field).format(FIELD, token_of(visitor.secret)) if visitor.secret else "",
    }


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
    return f"{in_zone(instant, zone):%Y-%m-%d %H:%M}"


def stamp(instant: Instant, zone: ZoneInfo | str) -> str:
    """Write an instant to the second with zone and offset, as it stands under a signature."""
    there = in_zone(instant, ZoneInfo(zone) if isinstance(zone, str) else zone)
    return f"{there:%Y-%m-%d %H:%M:%S} {zone} (UTC{there.isoformat()[-6:]})"


def utc_offset(instant: Instant, zone: ZoneInfo) -> tuple[int, str]:
    """Return how far the site's clocks are from UTC [min], and as text: ``UTC+01:00``."""
    there = in_zone(instant, zone)
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
_TEMPLATES.env.globals["static"] = versioned_address()
_TEMPLATES.env.filters["title"] = title
_TEMPLATES.env.filters["iso"] = lambda instant: "" if instant is None else iso(instant)
_TEMPLATES.env.filters["unit"] = label
_TEMPLATES.env.filters["number"] = number
_TEMPLATES.env.filters["local"] = local
_TEMPLATES.env.filters["stamp"] = stamp
_TEMPLATES.env.filters["segment"] = lambda text: quote(str(text), safe="")
_TEMPLATES.env.trim_blocks = _TEMPLATES.env.lstrip_blocks = True
