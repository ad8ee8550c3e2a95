"""What programs read: chambers, channels, batches, alarms, what is due."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, HTTPException, Query, Request, Response

from cultureops.access.roles import PEOPLE
from cultureops.acquisition.supervisor import MeasuredChannel
from cultureops.batch.batch import stream_of
from cultureops.batch.due import due_list
from cultureops.batch.identification import HANDS_ON
from cultureops.batch.rules import RULES
from cultureops.batch.signed import signatures_of
from cultureops.batch.state import State
from cultureops.clock import iso, parse_iso
from cultureops.errors import ConfigError
from cultureops.web.api.answer import (
    BatchAnswer,
    ChamberAnswer,
    ChannelAnswer,
    DueAnswer,
    EquipmentAnswer,
    EventAnswer,
    Latest,
    LotAnswer,
    Series,
    StepAnswer,
    batch_answer,
    due_answer,
    equipment_answer,
    etag_of,
    event_answer,
    lot_answer,
)
from cultureops.web.chamber.chart import MOST_POINTS, channel_chart
from cultureops.web.context import WebContext
from cultureops.web.quality.signing import standing_row
from cultureops.web.routes.batch import batch_named
from cultureops.web.stream import alarm_row
from cultureops.web.templating import context_of

__all__ = ["router"]

router = APIRouter(prefix="/api", generate_unique_id_function=lambda route: route.name)
MOST_EVENTS: Final = 500
LAST_VERSION: Final = 2**53


@router.get("/health", tags=["Lab"])
async def health(request: Request) -> Mapping[str, object]:
    """Whether readings and records really arrive: last durable frame, ledger head, failures, missed polls."""
    return context_of(request).health()


@router.get("/gateways", tags=["Lab"])
async def gateways(request: Request) -> Mapping[str, object]:
    """How the gateways of a hub stand: in reach, what is still to come, clock, log, problems; empty without any."""
    context = context_of(request)
    views = () if context.gateways is None else context.gateways()
    return {"now": iso(context.clock.now()), "gateways": [view.data() for view in views]}


@router.get("/latest", tags=["Chambers"])
async def latest(request: Request) -> Latest:
    """The last reading of each channel."""
    store, now = context_of(request).store, context_of(request).clock.now()
    infos = store.channels()
    rows = {
        name: {
            "value": row.value,
            "unit": infos[name].unit,
            "quality": row.quality.name,
            "reason": row.reason.text,
            "at": iso(row.source_time),
            "simulated": infos[name].simulated,
        }
        for name, row in store.latest().items()
    }
    return Latest.model_validate({"now": iso(now), "readings": rows})


@router.get("/chambers", tags=["Chambers"])
async def chambers(request: Request) -> list[ChamberAnswer]:
    """Every chamber: what looks into it, what stands in it, what alarms."""
    context, now = context_of(request), context_of(request).clock.now()
    ringing = context.engine.active()
    return [
        ChamberAnswer(
            chamber=chamber.id,
            title=chamber.title,
            chamber_class=chamber.chamber_class,
            channels=[row.id for row in context.channels.values() if row.chamber == chamber.id],
            batches=list(context.batches.inside(chamber.id, now)),
            alarms=[view.rule.id for view in ringing if view.rule.chamber == chamber.id],
        )
        for chamber in context.chambers.values()
    ]


@router.get("/channels", tags=["Chambers"])
async def channels(request: Request) -> list[ChannelAnswer]:
    """Every measured channel with its last reading."""
    context = context_of(request)
    return [_channel(context, row) for row in context.channels.values()]


def _channel(context: WebContext, row: MeasuredChannel) -> ChannelAnswer:
    reading = context.store.latest().get(row.id)
    return ChannelAnswer(
        channel=row.id,
        chamber=row.chamber,
        device=row.device,
        unit=row.channel.unit,
        kind=row.channel.kind.name.lower(),
        verified=row.channel.verified,
        simulated=row.simulated,
        value=None if reading is None else reading.value,
        quality="BAD" if reading is None else reading.quality.name,
        reason="nothing read yet" if reading is None else reading.reason.text,
        at=None if reading is None else iso(reading.source_time),
    )


@router.get("/channels/{device}/{name}/series", tags=["Chambers"])
async def series(
    request: Request,
    device: str,
    name: str,
    start: Annotated[str, Query(max_length=40, description="ISO 8601 with offset, e.g. 2026-01-05T08:00:00Z")],
    end: Annotated[str, Query(max_length=40, description="ISO 8601 with offset, after start")],
    points: Annotated[int, Query(ge=1, le=10_000, description="stretches at most")] = MOST_POINTS,
) -> Series:
    """One channel between two instants: minimum, maximum and mean of each stretch."""
    context, channel = context_of(request), f"{device}/{name}"
    if channel not in context.channels:
        raise HTTPException(404, f"there is no channel {channel[:120]!r}; /api/channels lists them")
    try:
        begin, until = parse_iso(start), parse_iso(end)
    except ConfigError as error:
        raise HTTPException(400, str(error)) from None
    if until <= begin:
        raise HTTPException(400, "end must lie after start")
    return Series.model_validate(await channel_chart(context, channel, begin, until, points))


@router.get("/batches", tags=["Batches"])
async def batches(request: Request) -> list[BatchAnswer]:
    """Every batch in short."""
    context, now = context_of(request), context_of(request).clock.now()
    return [batch_answer(batch, now) for batch in context.batches.batches()]


@router.get("/batches/{batch_id}", tags=["Batches"])
async def batch(request: Request, response: Response, batch_id: str) -> BatchAnswer:
    """One batch in short; the answer's ``ETag`` is what ``If-Match`` names when a step is entered."""
    found = batch_named(request, batch_id)
    response.headers["etag"] = etag_of(found)
    return batch_answer(found, context_of(request).clock.now())


@router.get("/batches/{batch_id}/events", tags=["Batches"])
async def events(
    request: Request,
    batch_id: str,
    after: Annotated[int, Query(ge=0, le=LAST_VERSION, description="the version that is known already")] = 0,
    most: Annotated[int, Query(ge=1, le=MOST_EVENTS)] = MOST_EVENTS,
) -> list[EventAnswer]:
    """The record of a batch, event by event in its order; go on with ``after`` = the last version."""
    ledger, stream = context_of(request).ledger, stream_of(batch_named(request, batch_id).id)

    def read() -> list[EventAnswer]:
        found = ledger.read(stream, after)
        return [event_answer(event) for event, _ in zip(found, range(most), strict=False)]

    return await asyncio.to_thread(read)


@router.get("/batches/{batch_id}/signatures", tags=["Batches"])
async def signatures(request: Request, batch_id: str) -> list[dict[str, Any]]:
    """Every signature of a batch as it stands: who, when with zone, in which role, what it means."""
    return [standing_row(one) for one in signatures_of(batch_named(request, batch_id))]


@router.get("/due", tags=["Batches"])
async def due(request: Request) -> list[DueAnswer]:
    """What is due over all batches, soonest first."""
    context = context_of(request)
    going = [(batch, context.recipes.of(batch)) for batch in context.batches.batches() if batch.ended_at is None]
    return [due_answer(row.batch_id, row.due) for row in due_list(going)]


@router.get("/steps", tags=["Batches"])
async def steps(request: Request) -> list[StepAnswer]:
    """Every step of a batch: where it is allowed, and what it needs."""
    return [
        StepAnswer(
            step=details.__name__,
            about=(details.__doc__ or "").partition("\n")[0],
            states=[str(state) for state in State if state in rule.states],
            roles=sorted(rule.roles & PEOPLE),
            second_person=sorted(rule.witnesses),
            is_signed=rule.signed is not None,
            is_hands_on=details in HANDS_ON,
        )
        for details, rule in RULES.items()
        if rule.roles & PEOPLE
    ]


@router.get("/lots", tags=["Lab"])
async def lots(request: Request) -> list[LotAnswer]:
    """Every lot of material."""
    context, now = context_of(request), context_of(request).clock.now()
    known = (context.lots.fact(name, now) for name in context.lots.ids())
    return [lot_answer(lot) for lot in known if lot is not None]


@router.get("/equipment", tags=["Lab"])
async def equipment(request: Request) -> list[EquipmentAnswer]:
    """Every chamber, room and device: whether it may be used, and until when it is calibrated."""
    context, now = context_of(request), context_of(request).clock.now()
    known = (context.equipment.fact(name, now) for name in context.equipment.ids())
    return [equipment_answer(state, now) for state in known if state is not None]


@router.get("/alarms", tags=["Alarms"])
async def alarms(request: Request) -> list[dict[str, Any]]:
    """Every alarm that is not back to normal, and what it has meant for each batch so far."""
    context, now = context_of(request), context_of(request).clock.now()
    return [
        alarm_row(view, context.batches.exposed, now)
        | {"exposures": [batch.as_json for batch in await context.endangered(view, now)]}
        for view in (*context.engine.active(), *context.engine.suppressed())
    ]
