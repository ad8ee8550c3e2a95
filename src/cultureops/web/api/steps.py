"""Entering steps of batches by program: one address a step, so that the description knows each step's fields.

What is signed is signed by people on its page: no token signs. ``If-Match`` says which version of the record was read,
``Idempotency-Key`` names an entry, so that one whose answer was lost can be sent again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Final, Generic, TypeVar
from uuid import uuid4

from fastapi import APIRouter, Header, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from cultureops.access.roles import PEOPLE, Role
from cultureops.batch.batch import Batch
from cultureops.batch.commands import Collected, Command, CreateBatch, Identified, ObserveConfluence
from cultureops.batch.entry import entry_claim
from cultureops.batch.events import read_event
from cultureops.batch.field import BatchId, Details, Text, Time
from cultureops.batch.identification import HANDS_ON
from cultureops.batch.rules import RULES
from cultureops.errors import AlreadyRecorded
from cultureops.ledger.event import Event
from cultureops.web.api.answer import Recorded, batch_answer, etag_of
from cultureops.web.door.asking import SecondPerson, actor_in, second_person
from cultureops.web.routes.batch import batch_named
from cultureops.web.step.table import BY_INSTRUMENT
from cultureops.web.templating import context_of

__all__ = ["router"]

router = APIRouter(prefix="/api/batches", tags=["Steps"], generate_unique_id_function=lambda route: route.name)
D = TypeVar("D", bound=Details)

_ETAG: Final = re.compile(r'"([0-9]{1,9})"')
_READ: Final = "the ETag of the batch as it was read; needed, so that nobody acts on a record they have not seen"
_NAMED: Final = "names this entry: sent twice, it is recorded once"
IfMatch = Annotated[str | None, Header(max_length=100, description=_READ)]
Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=200, description=_NAMED)]


class Order(BaseModel):
    """What comes with every step."""

    model_config = ConfigDict(extra="forbid")

    role: Role | None = Field(None, description="in which of your roles; the first that handles records, unless said")
    reason: Text = Field("", description="needed for a late entry, and where the step asks for one")
    occurred_at: Time | None = Field(None, description="when it happened, ISO 8601 or ms UTC; now, unless said")


class NewBatch(Order):
    """A batch to be opened."""

    batch_id: BatchId
    details: CreateBatch


class StepOrder(Order, Generic[D]):
    """One step to be recorded."""

    details: D
    identified: Identified | None = Field(None, description="what was scanned before the step; hands-on steps need it")
    collected: tuple[Collected, ...] = Field(
        (), description="fields taken from an instrument as they were", max_length=50
    )
    second_person: SecondPerson | None = None


@router.post("", status_code=201)
async def create(request: Request, response: Response, order: NewBatch, key: Key = None) -> Recorded:
    """Open a batch for one patient by one approved recipe."""
    actor = actor_in(request, order.role)
    command = Command(
        order.batch_id, order.details, order.occurred_at, order.reason, entry=_entry(key, actor.id, "CreateBatch")
    )
    return await _recorded(request, response, command, context_of(request).execute(command, actor))


def _route(step: type[D]) -> Callable[..., Awaitable[Recorded]]:
    """Make the route of one step."""

    async def enter(
        request: Request,
        response: Response,
        batch_id: str,
        order: StepOrder[D],
        if_match: IfMatch = None,
        key: Key = None,
    ) -> Recorded:
        batch_id, version = batch_named(request, batch_id).id, _version_read(if_match)
        if step in HANDS_ON and order.identified is None:
            raise HTTPException(422, f"{step.__name__} needs `identified`: the container and the token as scanned")
        if isinstance(order.details, ObserveConfluence) and (order.details.evidence or order.details.image_sha256):
            raise HTTPException(422, f"details.evidence: an image is read on /batches/{batch_id}/images, never told")
        actor, witness = actor_in(request, order.role, RULES[step].roles), None
        if order.second_person is not None:
            witness = await second_person(request, order.second_person, RULES[step].witnesses)
        command = Command(
            batch_id,
            order.details,
            order.occurred_at,
            order.reason,
            _entry(key, actor.id, batch_id, step.__name__),
            order.identified,
            order.collected,
            version,
        )
        return await _recorded(request, response, command, context_of(request).execute(command, actor, witness))

    enter.__name__ = step.__name__
    enter.__doc__ = (step.__doc__ or "").partition("\n")[0]
    enter.__annotations__["order"] = StepOrder[step]  # type: ignore[valid-type]
    return enter


_ENTERED: Final[tuple[type[Details], ...]] = tuple(
    step for step, rule in RULES.items() if rule.signed is None and rule.roles & PEOPLE and step not in BY_INSTRUMENT
)
for _step in _ENTERED:
    router.post(f"/{{batch_id}}/steps/{_step.__name__}")(_route(_step))


@router.post("/{batch_id}/steps/{step}", include_in_schema=False)
async def not_here(request: Request, batch_id: str, step: str) -> None:
    """What is no step, or is signed."""
    actor_in(request, None)
    batch = batch_named(request, batch_id)
    if any(known.__name__ == step for known in BY_INSTRUMENT):
        raise HTTPException(403, f"{step} comes with the instrument's own file; nobody enters it for the instrument")
    if any(known.__name__ == step for known in RULES):
        raise HTTPException(403, f"{step} is signed by a person, on /batches/{batch.id}/sign/{step}")
    raise HTTPException(404, f"{step[:40]!r} is no step of a batch; /api/steps lists them")


def _version_read(if_match: str | None) -> int | None:
    """Return the version of the record that was read, None where any will do (RFC 9110, 13.1.1; RFC 6585, 3)."""
    if if_match is None:
        raise HTTPException(428, "send If-Match with the ETag of the batch: read it first, then enter the step")
    if if_match.strip() == "*":
        return None
    if (tag := _ETAG.fullmatch(if_match.strip())) is None:
        raise HTTPException(412, f"If-Match: {if_match[:40]!r} is no ETag of a batch; read the batch again")
    return int(tag[1])


def _entry(key: str | None, *of: str) -> str:
    """Return the id under which an entry is claimed: one of its own unless its sender has named it.

    A name is its sender's own, for one step of one batch: others count their entries from one as well.
    """
    if key is None:
        return uuid4().hex
    return hashlib.sha256("\n".join((*of, key)).encode("utf-8", "surrogatepass")).hexdigest()


async def _recorded(request: Request, response: Response, command: Command, execute: Awaitable[Batch]) -> Recorded:
    context, already = context_of(request), False
    try:
        batch = await execute
    except AlreadyRecorded:
        batch, already = batch_named(request, command.batch_id), True
    held = context.ledger.holder(entry_claim(command.entry))
    assert held is not None, "what was recorded has claimed its entry"
    event = next(event for event in batch.history if event.position == held.position)
    if already and not _says(event, command):
        raise HTTPException(422, "this Idempotency-Key names an entry that says something else; give each its own")
    response.headers["etag"] = etag_of(batch)
    response.headers["location"] = f"/api/batches/{batch.id}"
    return Recorded(
        batch=batch_answer(batch, context.clock.now()),
        position=event.position,
        already=already,
        warnings=list(read_event(event.type, event.data).warnings),
    )


def _says(event: Event, command: Command) -> bool:
    """Whether an event has recorded what a command asks for."""
    wanted = json.loads(json.dumps(dict(command.details.model_dump(mode="json", exclude_defaults=True))))
    known = json.loads(json.dumps(dict(event.data)))
    return all(known.get(name) == value for name, value in wanted.items())
