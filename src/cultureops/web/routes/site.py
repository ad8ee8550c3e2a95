"""The site file under change control, and who is told of alarms."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from cultureops.access.roles import PEOPLE, Role
from cultureops.clock import DAY_MS
from cultureops.errors import BatchError, ConfigError
from cultureops.web.door.visitor import needing
from cultureops.web.form.fields import Reason
from cultureops.web.templating import context_of, page
from cultureops.web.upkeep.desk import Kind
from cultureops.web.upkeep.pending import Pending, begin

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
READERS = PEOPLE | {Role.ADMINISTRATOR}


@router.get("/site")
async def site_page(request: Request) -> Response:
    """The text that the lab runs on, and how the file differs from it."""
    return await _page(request)


async def _page(request: Request, said: str = "", reason: str = "") -> Response:
    person, context = needing(request, READERS), context_of(request)
    values = {
        "file": await context.upkeep.site_file(),
        "may_approve": Role.QUALITY_ASSURANCE in person.roles,
        "said": said,
        "reason": reason,
        "zone": context.zone,
    }
    return page(request, "site.html", values, 400 if said else 200)


@router.post("/site/approve")
async def approve(request: Request, reason: Reason = "") -> Response:
    """Show what is to be signed so that the lab runs on the site file as it is, from its next start."""
    needing(request, (Role.QUALITY_ASSURANCE,))
    if not reason.strip():
        return await _page(request, "say why the lab is to run on it")
    upkeep = context_of(request).upkeep
    try:
        command, file = await upkeep.approving_site(reason.strip()), await upkeep.site_file()
    except (BatchError, ConfigError) as problem:
        return await _page(request, str(problem), reason)
    told = (
        ("Changed lines", "\n".join(file.diff) if file is not None and file.diff else "none"),
        ("Comes into force", "when cultureops is started again"),
    )
    rule = upkeep.site_rule
    title = "The lab runs on this site file"
    return await begin(request, Pending(Kind.SITE, command, rule, Role.QUALITY_ASSURANCE, title, told, "/site"))


@router.get("/roster")
async def roster_page(request: Request) -> Response:
    """Who is told of alarms, by which routes, who is on call now and in the next days."""
    needing(request, READERS)
    context, now = context_of(request), context_of(request).clock.now()
    notify = context.notify
    shifts, policies = [], []
    if notify is not None:
        roster, levels = notify.roster, notify.policies
        shifts = [(at, roster.on_call(at)) for at in range(now, now + 7 * DAY_MS, DAY_MS // 2)]
        policies = [("GMP-critical", levels.critical), *((str(p.value), one) for p, one in levels.by_priority.items())]
    values = {
        "notify": notify,
        "days": shifts,
        "policies": policies,
        "zone": context.zone,
        "status": context.health().get("notify"),
    }
    return page(request, "roster.html", values)
