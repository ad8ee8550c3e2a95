"""Changes from the suspension to the patient."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from cultureops.batch import events as happened
from cultureops.batch.batch import Batch
from cultureops.batch.changes.base import Change, enter, take_out
from cultureops.batch.events import Recorded
from cultureops.batch.parts import DOSES, DoseRecord, Occupancy, Resuspension
from cultureops.batch.state import State
from cultureops.ledger.event import Event

__all__ = ["PRODUCT"]


def _resuspended(batch: Batch, recorded: happened.Resuspended, event: Event) -> Batch:
    made = Resuspension(event.occurred_at, recorded.viable_cells, recorded.volume_ml, recorded.expires_at)
    return batch.changed(state=State.RESUSPENDED, since=event.occurred_at, resuspension=made)


def _doses_id(batch: Batch) -> str:
    return batch.id + DOSES


def _formulated(batch: Batch, recorded: happened.Formulated, event: Event) -> Batch:
    at = event.occurred_at
    stays = batch.occupancies
    if recorded.stored_in is not None:
        stays += (Occupancy(_doses_id(batch), recorded.stored_in, at),)
    return batch.changed(
        state=State.FORMULATED,
        since=at,
        formulated_at=at,
        is_stored=recorded.stored_in is not None,
        doses=tuple(
            DoseRecord(dose.route, dose.viable_cells, dose.volume_ml, dose.container) for dose in recorded.doses
        ),
        weight_kg=recorded.weight_kg,
        occupancies=stays,
    )


def _reviewed(batch: Batch, recorded: happened.Reviewed, event: Event) -> Batch:
    return batch.changed(
        state=batch.state if recorded.is_interim else State.REVIEWED,
        since=event.occurred_at,
        reviewed_version=recorded.reviewed_version,
        reviewers=batch.reviewers | {event.actor.id},
        assessed=batch.assessed | {assessment.subject for assessment in recorded.assessments},
    )


def _released(batch: Batch, recorded: Recorded, event: Event) -> Batch:
    return batch.changed(state=State.RELEASED, since=event.occurred_at, released_by=event.actor.id)


def _conditionally_released(batch: Batch, recorded: happened.ConditionallyReleased, event: Event) -> Batch:
    return _released(batch, recorded, event).changed(state=State.CONDITIONALLY_RELEASED, is_conditional=True)


def _exceptionally_released(batch: Batch, recorded: happened.ExceptionallyReleased, event: Event) -> Batch:
    return _released(batch, recorded, event).changed(excepted_gates=frozenset(recorded.failed_gates))


def _shipped(batch: Batch, recorded: happened.Shipped, event: Event) -> Batch:
    at = event.occurred_at
    stays = take_out(batch.occupancies, at, {_doses_id(batch)})
    return batch.changed(state=State.SHIPPED, since=at, shipped_at=at, occupancies=stays)


def _arrived(batch: Batch, recorded: happened.ReceivedAtSite, event: Event) -> Batch:
    at = event.occurred_at
    return batch.changed(
        state=State.RECEIVED_AT_SITE, since=at, arrived_at=at, out_of_range_min=recorded.out_of_range_min
    )


def _administered(batch: Batch, recorded: happened.Administered, event: Event) -> Batch:
    doses = tuple(
        replace(dose, given_at=recorded.started_at) if dose.container == recorded.container else dose
        for dose in batch.doses
    )
    return batch.changed(state=State.ADMINISTERED, since=event.occurred_at, doses=doses)


PRODUCT: Final[dict[type[Recorded], Change]] = {
    happened.Resuspended: _resuspended,
    happened.Formulated: _formulated,
    happened.Reviewed: _reviewed,
    happened.Released: _released,
    happened.ConditionallyReleased: _conditionally_released,
    happened.ExceptionallyReleased: _exceptionally_released,
    happened.Rejected: enter(State.REJECTED, ends=True),
    happened.Shipped: _shipped,
    happened.ReceivedAtSite: _arrived,
    happened.Administered: _administered,
    happened.Closed: enter(State.CLOSED, ends=True),
}
