"""Acting on alarms by program, in the name of an account."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from cultureops.access.roles import Role
from cultureops.alarms import Act
from cultureops.alarms.command import MOST_MINUTES, AlarmCommand, Order
from cultureops.batch.field import Text, Time
from cultureops.web.door.asking import SecondPerson, actor_in, second_person
from cultureops.web.stream import alarm_row
from cultureops.web.templating import context_of

__all__ = ["router"]

router = APIRouter(prefix="/api/alarms", tags=["Alarms"], generate_unique_id_function=lambda route: route.name)


class AlarmOrder(BaseModel):
    """What is asked of an alarm, and why; ``raised_at`` is the activation that was seen: one raised anew is refused."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[Text, Field(min_length=1)]
    role: Role | None = None
    raised_at: Time | None = Field(None, description="the activation that was seen, ISO 8601 or ms UTC")
    minutes: float = Field(0.0, ge=0, le=MOST_MINUTES, allow_inf_nan=False, description="how long a shelving lasts")
    one_shot: bool = Field(False, description="a shelving that ends with the condition")
    second_person: SecondPerson | None = None


class AlarmDone(BaseModel):
    """The alarm after it; null when it is back to normal."""

    alarm: dict[str, Any] | None


@router.post("/{rule_id:path}/{order}")
async def act(
    request: Request, rule_id: Annotated[str, Path(max_length=400)], order: Order, asked: AlarmOrder
) -> AlarmDone:
    """Acknowledge, reset, shelve, take out of service or release an alarm."""
    context, actor = context_of(request), actor_in(request, asked.role)
    context.access.permit(actor)
    second = ""
    if asked.second_person is not None:
        second = (await second_person(request, asked.second_person, frozenset())).id
    deed = Act(actor.id, asked.reason, second, actor.role)
    now = context.clock.now()
    view = await context.command(
        AlarmCommand(order, rule_id, deed, now, asked.minutes, asked.one_shot, asked.raised_at)
    )
    return AlarmDone(alarm=None if view is None else alarm_row(view, context.batches.exposed, context.clock.now()))
