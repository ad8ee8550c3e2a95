"""What is known of a piece of equipment or a lot when somebody is about to do something to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from cultureops.conduct import ABSENT
from cultureops.field import Details
from cultureops.material.events import LotQuarantined, LotRecalled, LotReceived, LotRejected
from cultureops.material.use import uses_of
from cultureops.units import UCUM
from cultureops.web.context import WebContext
from cultureops.web.upkeep.desk import Kind

__all__ = ["address_of", "batches_with", "choices_for", "known_for", "state_of", "warning_of"]


def address_of(kind: Kind, subject_id: str) -> str:
    """Return where something has its page."""
    return f"/{kind.value}/{quote(subject_id, safe='')}"


def state_of(context: WebContext, kind: Kind, subject_id: str) -> str:
    """Return how something stands, in the words of its rules."""
    now = context.clock.now()
    if kind is Kind.LOT:
        lot = context.lots.fact(subject_id, now)
        return ABSENT if lot is None else lot.status.value
    equipment = context.equipment.fact(subject_id, now)
    return ABSENT if equipment is None else equipment.service.value


def batches_with(context: WebContext, lot_id: str) -> tuple[str, ...]:
    """Return the batches whose record names a lot."""
    history = (event for batch in context.batches.batches() for event in batch.history)
    return tuple(dict.fromkeys(use.batch_id for use in uses_of(lot_id, history)))


def warning_of(context: WebContext, step: type[Details], subject_id: str) -> str:
    """Say before it is done what a step means for batches; empty where it means nothing for them."""
    if step not in (LotQuarantined, LotRecalled, LotRejected):
        return ""
    touched = batches_with(context, subject_id)
    if not touched:
        return "No batch on record names this lot."
    return f"Used by {', '.join(touched)}: each record is told at once, with a deviation that holds up its release."


def known_for(step: type[Details]) -> dict[str, Any]:
    """Return what a form is filled with at first."""
    return {"unit": "mL"} if step is LotReceived else {}


def choices_for(step: type[Details]) -> Mapping[str, Sequence[str]]:
    """Return what can be chosen where a step takes one of several."""
    return {"unit": tuple(UCUM)} if step is LotReceived else {}
