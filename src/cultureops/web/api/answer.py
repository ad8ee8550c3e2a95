"""What the API answers: one model a kind of answer, so that the description says what really comes.

Times are ISO 8601 text in UTC unless a name ends with ``_ms``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from cultureops.batch.batch import Batch
from cultureops.batch.due import Due
from cultureops.batch.signed import signatures_of
from cultureops.batch.views import summary
from cultureops.clock import Instant, iso
from cultureops.equipment.state import EquipmentState
from cultureops.ledger.event import Event
from cultureops.material.lot import LotState

__all__ = [
    "BatchAnswer",
    "ChamberAnswer",
    "ChannelAnswer",
    "DueAnswer",
    "EquipmentAnswer",
    "EventAnswer",
    "Latest",
    "LotAnswer",
    "Problem",
    "Recorded",
    "Series",
    "StepAnswer",
    "batch_answer",
    "due_answer",
    "equipment_answer",
    "etag_of",
    "event_answer",
    "lot_answer",
]


class Problem(BaseModel):
    """What went wrong, in words (RFC 9457)."""

    model_config = ConfigDict(extra="forbid")

    type: str
    title: str
    status: int
    detail: str = Field(description="what was expected, and what to do next")


class ChannelAnswer(BaseModel):
    """One measured channel and its last reading; a failure is a reading without a value, and says why."""

    channel: str
    chamber: str | None
    device: str
    unit: str
    kind: str
    verified: bool = Field(description="false: address or meaning is second-hand")
    simulated: bool
    value: float | None
    quality: str
    reason: str
    at: str | None = Field(description="when the instrument says it was so; null: never read")


class ReadingNow(BaseModel):
    """The last reading of one channel."""

    value: float | None
    unit: str
    quality: str
    reason: str
    at: str
    simulated: bool


class Latest(BaseModel):
    """The last reading of each channel, by its name."""

    now: str
    readings: dict[str, ReadingNow]


class Series(BaseModel):
    """One channel in stretches of ``width_ms``, each with minimum, maximum and mean; null where there is no value."""

    channel: str
    unit: str
    verified: bool
    simulated: bool
    width_ms: int
    x: list[int] = Field(description="where each stretch begins [ms UTC]")
    minimum: list[float | None]
    maximum: list[float | None]
    mean: list[float | None]
    bad: list[int] = Field(description="readings without a usable value in each stretch")


class ChamberAnswer(BaseModel):
    """One chamber, what looks into it and what stands in it."""

    chamber: str
    title: str
    chamber_class: str
    channels: list[str]
    batches: list[str]
    alarms: list[str] = Field(description="rules whose alarm is not back to normal")


class DueAnswer(BaseModel):
    """What is due, from when on, and at the latest."""

    batch_id: str
    what: str
    role: str
    at: str
    latest: str | None


class CountAnswer(BaseModel):
    """What a passage brought."""

    passage: int
    at: str
    viable_cells: int
    viability_pct: float
    sample_id: str


class DoseAnswer(BaseModel):
    """One filled dose."""

    route: str
    viable_cells: int
    volume_ml: float


class BatchAnswer(BaseModel):
    """One batch in short; ``version`` is what ``If-Match`` names when a step is entered."""

    batch_id: str
    version: int
    patient_token: str
    recipe: str
    state: str
    chamber: str | None
    days: float
    passages: int
    counts: list[CountAnswer]
    viability_pct: float | None
    cumulative_population_doublings: float
    doses: list[DoseAnswer]
    open_deviations: list[str]
    unsound_signatures: int = Field(description="signatures that do not stand as they were given")


class EventAnswer(BaseModel):
    """One event of a batch's record, as the ledger holds it."""

    position: int
    version: int
    event_id: str
    type: str
    data: dict[str, Any]
    actor: str
    role: str
    source: str
    occurred_at: str
    recorded_at: str
    reason: str
    hash: str


class LotAnswer(BaseModel):
    """One lot of material as it stands; only what is released may be used."""

    lot: str
    status: str
    reason: str
    material: str
    supplier: str
    quantity: float
    unit: str
    expires_at: str
    certificate: str
    received_at: str


class EquipmentAnswer(BaseModel):
    """One chamber, room or device as a piece of equipment."""

    equipment: str
    kind: str
    title: str
    service: str
    calibrated_until: str | None
    certificate: str
    calibration_is_over: bool


class StepAnswer(BaseModel):
    """One step that can be entered: in which states of a batch, by which roles, and what it needs besides."""

    step: str
    about: str
    states: list[str]
    roles: list[str]
    second_person: list[str] = Field(description="roles of the second person, empty where none is needed")
    is_signed: bool = Field(description="signed by a person on its page; not taken by the API")
    is_hands_on: bool = Field(description="needs `identified`: the container and the patient's token as scanned")


class Recorded(BaseModel):
    """A step that is on record; ``already`` when this very entry was there before."""

    batch: BatchAnswer
    position: int = Field(description="where the ledger holds it")
    already: bool
    warnings: list[str]


def batch_answer(batch: Batch, now: Instant) -> BatchAnswer:
    """Return a batch as the API tells it."""
    said: Mapping[str, Any] = summary(batch, now)
    return BatchAnswer(
        **said,
        version=batch.version,
        patient_token=batch.patient_token,
        chamber=batch.chamber,
        open_deviations=[deviation.id for deviation in batch.open_deviations],
        unsound_signatures=sum(standing.text != "VALID" for standing in signatures_of(batch)),
    )


def due_answer(batch_id: str, due: Due) -> DueAnswer:
    """Return what is due as the API tells it."""
    latest = None if due.latest is None else iso(due.latest)
    return DueAnswer(batch_id=batch_id, what=due.text, role=due.role, at=iso(due.at), latest=latest)


def lot_answer(lot: LotState) -> LotAnswer:
    """Return a lot as the API tells it."""
    return LotAnswer(
        lot=lot.id,
        status=lot.status.value,
        reason=lot.reason,
        material=lot.material,
        supplier=lot.supplier,
        quantity=lot.quantity,
        unit=lot.unit,
        expires_at=iso(lot.expires_at),
        certificate=lot.certificate,
        received_at=iso(lot.received_at),
    )


def equipment_answer(state: EquipmentState, now: Instant) -> EquipmentAnswer:
    """Return a piece of equipment as the API tells it."""
    return EquipmentAnswer(
        equipment=state.id,
        kind=state.kind,
        title=state.title,
        service=state.service.value,
        calibrated_until=None if state.calibrated_until is None else iso(state.calibrated_until),
        certificate=state.certificate,
        calibration_is_over=state.calibration_ended(now),
    )


def event_answer(event: Event) -> EventAnswer:
    """Return an event as the API tells it."""
    return EventAnswer(
        position=event.position,
        version=event.version,
        event_id=event.event_id,
        type=event.type,
        data=dict(event.data),
        actor=event.actor.id,
        role=event.actor.role,
        source=event.source.value,
        occurred_at=iso(event.occurred_at),
        recorded_at=iso(event.recorded_at),
        reason=event.reason,
        hash=event.hash,
    )


def etag_of(batch: Batch) -> str:
    """Return the tag of a batch's record as it stands (RFC 9110, section 8.8.3)."""
    return f'"{batch.version}"'
