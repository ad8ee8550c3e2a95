"""The bench of a demo by hand: what one sees and does with one's hands, and letting lab time pass."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Form, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from cultureops.access.roles import PEOPLE
from cultureops.errors import CultureOpsError
from cultureops.web.bench import Bench
from cultureops.web.door.visitor import needing
from cultureops.web.form.fields import Word
from cultureops.web.templating import context_of, page

__all__ = ["router"]

router = APIRouter(prefix="/bench", include_in_schema=False)
_ASKED: Final = frozenset({"until", "chamber", "volume_ml", "sample_id"})


@router.get("")
async def bench_page(request: Request) -> Response:
    """What lies on the bench, what the laboratory has answered, and what hands can do."""
    return await _shown(request, _bench(request))


@router.post("")
async def act(request: Request, act: Annotated[str, Form(max_length=40)], batch_id: Word = "") -> Response:
    """Do something with one's hands; nothing of it is on record until somebody enters it."""
    bench = _bench(request)
    form = await request.form()
    fields = {name: text for name in _ASKED if isinstance(text := form.get(name, ""), str)}
    try:
        await bench.act(act, batch_id, fields)
    except CultureOpsError as problem:
        return await _shown(request, bench, str(problem))
    return RedirectResponse("/bench", 303)


def _bench(request: Request) -> Bench:
    """Return the bench for whoever handles what is on it."""
    bench = context_of(request).bench
    if bench is None:
        raise HTTPException(404, "there is no such page here")
    needing(request, PEOPLE)
    return bench


async def _shown(request: Request, bench: Bench, said: str = "") -> Response:
    context = context_of(request)
    values = {"bench": await bench.view(), "zone": context.zone, "said": said}
    return page(request, "bench.html", values, 409 if said else 200)
