"""The access review: who may do what, read and signed by QA at intervals (draft EU Annex 11, section 11.11)."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from cultureops.access import Meaning, Role
from cultureops.access.review import AccessReview
from cultureops.errors import AccessError
from cultureops.web.door.visitor import needing, visitor_of
from cultureops.web.form.fields import Code, Reason, Secret, Word
from cultureops.web.routes.accounts import KEEPERS
from cultureops.web.templating import context_of, page

__all__ = ["router"]

router = APIRouter(prefix="/access-review", include_in_schema=False)
MOST_SHOWN: Final = 50
_Shown = dict[str, tuple[AccessReview, str]]


@router.get("")
async def review_page(request: Request) -> Response:
    """Every account with what wants a decision about it."""
    person = needing(request, KEEPERS)
    values = {"may_sign": Role.QUALITY_ASSURANCE in person.roles}
    return _page(request, context_of(request).access.review(), values)


@router.post("/shown")
async def shown_page(request: Request, conclusion: Reason) -> Response:
    """Exactly what is signed: the report as it stands now, and what the reviewer concludes."""
    return await _offered(request, conclusion.strip())


@router.post("")
async def sign(request: Request, offer: Word, password: Secret = "", code: Code = "") -> Response:
    """Sign the review that was shown."""
    person, access = needing(request, (Role.QUALITY_ASSURANCE,)), context_of(request).access
    report, conclusion = _shown(request).get(offer, (access.review(), ""))
    try:
        signature = await access.sign(offer, password, code, visitor_of(request).source, person.session_id)
        await access.record_review(report, conclusion, signature)
    except AccessError as refused:
        return await _offered(request, conclusion, str(refused))
    return RedirectResponse("/access-review", 303)


async def _offered(request: Request, conclusion: str, said: str = "") -> Response:
    person, access = needing(request, (Role.QUALITY_ASSURANCE,)), context_of(request).access
    report, reviews = access.review(), _shown(request)
    shown = access.shown_for_review(report, conclusion)
    offer = await access.offer(person.username, Role.QUALITY_ASSURANCE, Meaning.REVIEWED, shown, person.session_id)
    while len(reviews) >= MOST_SHOWN:
        del reviews[next(iter(reviews))]
    reviews[offer.id] = report, conclusion
    values = {"offer": offer, "shown": shown, "conclusion": conclusion, "said": said}
    return _page(request, report, values, 409 if said else 200)


def _shown(request: Request) -> _Shown:
    """Return the reviews that were shown to be signed, by their offers; what is signed is what was shown."""
    state = request.app.state
    if not hasattr(state, "reviews"):
        state.reviews = {}
    reviews: _Shown = state.reviews
    return reviews


def _page(request: Request, report: AccessReview, values: dict[str, Any], status: int = 200) -> Response:
    context = context_of(request)
    more = {"report": report, "reviewed_by": context.access.accounts.reviewed_by, "zone": context.zone}
    return page(request, "access_review.html", more | values, status)
