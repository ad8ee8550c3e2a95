"""The audit trail: of everything, or of one batch; a form chooses, a link takes it home."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter, HTTPException, Query, Request
from starlette.responses import Response

from cultureops.access.roles import PEOPLE, Role
from cultureops.audit import AuditRow, Chosen, Only, Page, Trail
from cultureops.audit.export import FORMATS, export_parts
from cultureops.clock import with_offset
from cultureops.errors import ConfigError
from cultureops.web.door.visitor import needing
from cultureops.web.download import attachment
from cultureops.web.form.local_time import as_typed, instant_of
from cultureops.web.quality.audit_choice import choices_of
from cultureops.web.routes.batch import batch_named
from cultureops.web.templating import context_of, page

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
PAGE: Final = 100
_KINDS: Final = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl; charset=utf-8"}
_PAGES: Final = {"batch": "/batches/", "alarm": "/alarms/one?rule="}
"""Where the subjects of some streams have pages, by the beginning of the stream's name."""
_READERS: Final = PEOPLE | {Role.ADMINISTRATOR}

Words = Annotated[str, Query(max_length=200)]
Cursor = Annotated[int | None, Query(ge=0, le=2**53)]


def _chosen(request: Request, batch_id: str = "") -> Chosen:
    """Read the form; raises HTTPException in words where it asks for what can't be."""
    asked: dict[str, Any] = {name: request.query_params.get(name, "").strip() for name in _FIELDS}
    zone = context_of(request).zone
    asked["only"] = [value for value in request.query_params.getlist("only") if value]
    try:
        for name, words in (("since", "recorded from"), ("until", "recorded before")):
            asked[name] = instant_of(asked[name], zone, words)
        return Chosen.of(asked | ({"batch": batch_id} if batch_id else {}))
    except ConfigError as error:
        raise HTTPException(400, str(error)) from None


_FIELDS: Final = ("batch", "person", "role", "kind", "stream", "since", "until", "text")


@router.get("/audit")
async def audit_page(request: Request, cursor: Cursor = None, order: Words = "newest") -> Response:
    """The audit trail of everything."""
    return await _page(request, _chosen(request), cursor, order, "")


@router.get("/batches/{batch_id}/audit")
async def batch_audit_page(request: Request, batch_id: str, cursor: Cursor = None, order: Words = "newest") -> Response:
    """The audit trail of one batch."""
    batch = batch_named(request, batch_id)
    return await _page(request, _chosen(request, batch.id), cursor, order, batch.id)


@router.get("/audit/export.{kind}")
async def export(request: Request, kind: str) -> Response:
    """Write what was chosen as CSV or JSON lines, with the ledger's head."""
    needing(request, _READERS)
    if kind not in FORMATS:
        raise HTTPException(404, f"the audit trail is exported as {' or '.join(FORMATS)}")
    context, chosen = context_of(request), _chosen(request)
    head = context.ledger.head()
    trail = Trail(context.ledger, head.position)
    parts = export_parts(trail, chosen, head, context.zone, kind, has_bom=kind == "csv")
    name = f"audit-{chosen.batch or context.site_name}-{head.position}.{kind}"
    return attachment((part.encode() for part in parts), name, _KINDS[kind])


async def _page(request: Request, chosen: Chosen, cursor: int | None, order: str, batch_id: str) -> Response:
    needing(request, _READERS)
    context, oldest_first = context_of(request), order == "oldest"
    head = context.ledger.head()
    trail = Trail(context.ledger, head.position)
    found: Page = await asyncio.to_thread(trail.page, chosen, PAGE, cursor, oldest_first=oldest_first)
    asked = _asked(chosen)
    values = {
        "rows": found.rows,
        "chosen": chosen,
        "only": tuple(Only),
        "roles": tuple(Role),
        "order": "oldest" if oldest_first else "newest",
        "batch_id": batch_id,
        "head": head,
        "more": None if found.cursor is None else _query(asked, order=order, cursor=found.cursor),
        "is_continued": cursor is not None,
        "exports": [(kind, f"/audit/export.{kind}?{_query(asked)}") for kind in FORMATS],
        "since": as_typed(chosen.since, context.zone),
        "until": as_typed(chosen.until, context.zone),
        "choices": choices_of(context, chosen.kind, chosen.stream),
        "is_chosen": bool(asked.keys() - {"batch"} if batch_id else asked),
        "zone": context.zone,
        "when": with_offset,
        "link_of": _link_of,
    }
    return page(request, "audit.html", values)


def _asked(chosen: Chosen) -> dict[str, Any]:
    return dict(chosen.data())


def _query(asked: Mapping[str, Any], **more: Any) -> str:
    return urlencode({**asked, **more}, doseq=True)


def _link_of(row: AuditRow) -> str:
    """Return where the subject of a row has a page of its own, empty where it has none."""
    kind, _, name = row.stream.partition(":")
    address = _PAGES.get(kind)
    return "" if address is None else address + quote(name, safe="")
