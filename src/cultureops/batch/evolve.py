"""How events change a batch. Pure: nothing is judged here, what was recorded has happened."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar

from cultureops.batch import events as happened
from cultureops.batch.batch import (
    AlarmExposure,
    Batch,
    Confluence,
    CountRecord,
    DoseRecord,
    HeldCount,
    Occupancy,
    PassageRecord,
    QcReading,
    QcSample,
    RecipeRef,
    Refusal,
    Resuspension,
    State,
    Vessels,
    batch_of,
)
from cultureops.batch.events import Recorded, read_event
from cultureops.clock import Instant
from cultureops.errors import BatchError
from cultureops.ledger.event import Event

__all__ = ["evolve", "fold"]

SILENT: Final = frozenset({"command_refused", "noted", "reviewed"})
"""Events after which a review still covers the whole record."""


def fold(events: Iterable[Event]) -> Batch | None:
    """Return the batch that a stream's events amount to, None for an empty stream."""
    batch: Batch | None = None
    for event in events:
        batch = evolve(batch, event)
    return batch


def evolve(batch: Batch | None, event: Event) -> Batch:
    """Return the batch after one more event of its stream; raises BatchError for an event not of a batch.

    A correction folds the whole history anew with the corrected event, so that every derived figure follows.
    """
    recorded = read_event(event.type, event.data)
    if isinstance(recorded, happened.Corrected):
        if batch is None:
            raise BatchError(f"{event.stream}: a correction of nothing; the stream's first event is missing")
        return _refold((*batch.history, event))
    return _apply(batch, event, recorded)


def _refold(history: tuple[Event, ...]) -> Batch:
    corrected: dict[str, Mapping[str, Any]] = {
        str(event.data["event_id"]): event.data["data"]  # type: ignore[misc]
        for event in history
        if event.type == "corrected"
    }
    batch: Batch | None = None
    for event in history:
        batch = _apply(batch, event, read_event(event.type, corrected.get(event.event_id, event.data)))
    assert batch is not None
    return batch


def _apply(batch: Batch | None, event: Event, recorded: Recorded) -> Batch:
    if isinstance(recorded, happened.BatchCreated):
        return _create(event, recorded)
    if batch is None:
        raise BatchError(f"{event.stream}: begins with {event.type!r}, expected batch_created")
    after = _CHANGES.get(type(recorded), _unchanged)(batch, recorded, event)
    return replace(
        after,
        version=event.version,
        history=(*batch.history, event),
        changed_version=batch.changed_version if event.type in SILENT else event.version,
        operators=_operators(batch, event, recorded),
    )


def _operators(batch: Batch, event: Event, recorded: Recorded) -> frozenset[str]:
    if event.actor.role != "OP":
        return batch.operators
    witness = {recorded.witness_id} if recorded.witness_id else set()
    return batch.operators | {event.actor.id} | witness


def _create(event: Event, recorded: happened.BatchCreated) -> Batch:
    batch_id = batch_of(event.stream)
    if batch_id is None:
        raise BatchError(f"stream {event.stream!r} is not a batch's; expected batch:<id>")
    return Batch(
        id=batch_id,
        patient_token=recorded.patient_token,
        recipe=RecipeRef(recorded.recipe, recorded.recipe_version, recorded.recipe_sha256),
        state=State.CREATED,
        version=event.version,
        created_at=event.occurred_at,
        since=event.occurred_at,
        history=(event,),
        changed_version=event.version,
        operators=frozenset({event.actor.id}) if event.actor.role == "OP" else frozenset(),
    )


def _unchanged(batch: Batch, recorded: Recorded, event: Event) -> Batch:
    return batch


def _consented(batch: Batch, recorded: happened.ConsentRecorded, event: Event) -> Batch:
    return replace(batch, is_eligible=recorded.eligible)


def _isolated(batch: Batch, recorded: happened.Isolated, event: Event) -> Batch:
    return replace(batch, state=State.ISOLATED, since=event.occurred_at, mnc_count=recorded.mnc_count)


def _seeded(batch: Batch, recorded: happened.Seeded, event: Event) -> Batch:
    at = event.occurred_at
    return replace(
        batch,
        state=State.CULTURE,
        since=at,
        passage=recorded.passage,
        culture_started_at=at,
        passage_started_at=at,
        seeded_cells=recorded.cells_total,
        vessels=Vessels(recorded.vessels, recorded.vessel_type, recorded.n_vessels, recorded.area_cm2),
        medium_changed_at=None,
        occupancies=(*batch.occupancies, Occupancy(recorded.vessels, recorded.chamber, at)),
    )


def _medium_changed(batch: Batch, recorded: happened.MediumChanged, event: Event) -> Batch:
    return replace(batch, medium_changed_at=event.occurred_at)


def _confluence_observed(batch: Batch, recorded: happened.ConfluenceObserved, event: Event) -> Batch:
    seen = Confluence(event.occurred_at, recorded.passage, recorded.confluence_pct)
    return replace(batch, confluences=(*batch.confluences, seen))


def _counted(batch: Batch, recorded: happened.Counted | happened.CountAccepted, event: Event) -> Batch:
    count = CountRecord(
        sample_id=recorded.sample_id,
        at=event.occurred_at,
        passage=recorded.passage,
        stage=recorded.stage,
        replicate=recorded.replicate,
        viability_pct=recorded.viability_pct,
        viable_density_1e6_per_ml=recorded.viable_density_1e6_per_ml,
        device=recorded.device,
    )
    held = tuple(waiting for waiting in batch.held_counts if waiting.sample_id != recorded.sample_id)
    return replace(batch, counts=(*batch.counts, count), held_counts=held)


def _count_held(batch: Batch, recorded: happened.CountHeld, event: Event) -> Batch:
    held = HeldCount(recorded.sample_id, event.occurred_at, recorded.device, recorded.reasons)
    return replace(batch, held_counts=(*batch.held_counts, held))


def _take_out(occupancies: tuple[Occupancy, ...], at: Instant) -> tuple[Occupancy, ...]:
    return tuple(replace(stay, taken=at) if stay.taken is None else stay for stay in occupancies)


def _detached(batch: Batch, recorded: happened.Passaged | happened.Harvested, event: Event) -> Batch:
    """End a passage: its growth is on record, its vessels leave the chamber."""
    at = event.occurred_at
    grown = PassageRecord(
        passage=batch.passage or 0,
        seeded_at=at if batch.passage_started_at is None else batch.passage_started_at,
        detached_at=at,
        seeded_cells=batch.seeded_cells or 0,
        harvested_viable_cells=recorded.harvested_viable_cells,
        viability_pct=recorded.viability_pct,
        population_doublings=recorded.population_doublings,
        doubling_time_h=recorded.doubling_time_h,
        sample_id=recorded.counts[0] if recorded.counts else "",
    )
    return replace(
        batch,
        since=at,
        passages=(*batch.passages, grown),
        cumulative_population_doublings=recorded.cumulative_population_doublings,
        occupancies=_take_out(batch.occupancies, at),
    )


def _passaged(batch: Batch, recorded: happened.Passaged, event: Event) -> Batch:
    detached, at = _detached(batch, recorded, event), event.occurred_at
    return replace(
        detached,
        passage=recorded.passage,
        passage_started_at=at,
        seeded_cells=recorded.cells_seeded,
        vessels=Vessels(recorded.new_vessels, recorded.vessel_type, recorded.n_vessels, recorded.area_cm2),
        medium_changed_at=at,
        occupancies=(*detached.occupancies, Occupancy(recorded.new_vessels, recorded.chamber, at)),
    )


def _harvested(batch: Batch, recorded: happened.Harvested, event: Event) -> Batch:
    return replace(_detached(batch, recorded, event), state=State.HARVESTED, vessels=None)


def _moved(batch: Batch, recorded: happened.Moved, event: Event) -> Batch:
    at = event.occurred_at
    stays = (*_take_out(batch.occupancies, at), Occupancy(recorded.vessels, recorded.to_chamber, at))
    return replace(batch, since=at, occupancies=stays)


def _qc_sampled(batch: Batch, recorded: happened.QcSampled, event: Event) -> Batch:
    sample = QcSample(
        recorded.sample_id,
        recorded.test,
        recorded.passage,
        recorded.stage,
        recorded.route,
        event.occurred_at,
    )
    return replace(batch, qc=(*batch.qc, sample))


def _qc_resulted(batch: Batch, recorded: happened.QcResulted, event: Event) -> Batch:
    reading = QcReading(
        event.occurred_at,
        recorded.outcome,
        recorded.final,
        recorded.value_eu_per_ml,
        tuple(sorted(recorded.panel.items())),
    )
    return replace(
        batch,
        qc=tuple(
            replace(sample, readings=(*sample.readings, reading)) if sample.sample_id == recorded.sample_id else sample
            for sample in batch.qc
        ),
    )


def _resuspended(batch: Batch, recorded: happened.Resuspended, event: Event) -> Batch:
    made = Resuspension(event.occurred_at, recorded.viable_cells, recorded.volume_ml, recorded.expires_at)
    return replace(batch, state=State.RESUSPENDED, since=event.occurred_at, resuspension=made)


def _formulated(batch: Batch, recorded: happened.Formulated, event: Event) -> Batch:
    doses = tuple(DoseRecord(dose.route, dose.viable_cells, dose.volume_ml, dose.container) for dose in recorded.doses)
    return replace(batch, state=State.FORMULATED, since=event.occurred_at, doses=doses, weight_kg=recorded.weight_kg)


def _reviewed(batch: Batch, recorded: happened.Reviewed, event: Event) -> Batch:
    return replace(
        batch,
        state=State.REVIEWED,
        since=event.occurred_at,
        reviewed_version=recorded.reviewed_version,
        reviewers=batch.reviewers | {event.actor.id},
        assessed=batch.assessed | {assessment.subject for assessment in recorded.assessments},
    )


def _released(batch: Batch, recorded: happened.Released, event: Event) -> Batch:
    return replace(batch, state=State.RELEASED, since=event.occurred_at, released_by=event.actor.id)


def _administered(batch: Batch, recorded: happened.Administered, event: Event) -> Batch:
    doses = tuple(
        replace(dose, given_at=recorded.started_at) if dose.container == recorded.container else dose
        for dose in batch.doses
    )
    return replace(batch, state=State.ADMINISTERED, since=event.occurred_at, doses=doses)


def _alarm_exposed(batch: Batch, recorded: happened.AlarmExposed, event: Event) -> Batch:
    cleared_at = recorded.at if recorded.phase == "cleared" else None
    exposure = AlarmExposure(
        id=recorded.exposure_id,
        chamber=recorded.chamber,
        rule_id=recorded.rule_id,
        gmp_critical=recorded.gmp_critical,
        raised_at=recorded.raised_at,
        cleared_at=cleared_at,
        text=recorded.text,
    )
    known = {other.id: other for other in batch.exposures}
    if recorded.exposure_id in known:
        exposure = replace(known[recorded.exposure_id], cleared_at=cleared_at)
    return replace(batch, exposures=tuple((known | {exposure.id: exposure}).values()))


def _refused(batch: Batch, recorded: happened.CommandRefused, event: Event) -> Batch:
    refusal = Refusal(event.occurred_at, recorded.command, event.actor.id, recorded.message)
    return replace(batch, refusals=(*batch.refusals, refusal))


def _enter(state: State, *, ends: bool = False) -> Callable[[Batch, Recorded, Event], Batch]:
    """Return the change of an event that brings a new state and nothing else."""

    def change(batch: Batch, recorded: Recorded, event: Event) -> Batch:
        at = event.occurred_at
        stays = _take_out(batch.occupancies, at) if ends else batch.occupancies
        ended_at = at if ends else batch.ended_at
        return replace(batch, state=state, since=at, occupancies=stays, ended_at=ended_at)

    return change


R = TypeVar("R", bound=Recorded)

_CHANGES: Final[Mapping[type[Recorded], Callable[[Batch, Any, Event], Batch]]] = {
    happened.ConsentRecorded: _consented,
    happened.MarrowReceived: _enter(State.RECEIVED),
    happened.Isolated: _isolated,
    happened.Seeded: _seeded,
    happened.MediumChanged: _medium_changed,
    happened.ConfluenceObserved: _confluence_observed,
    happened.Counted: _counted,
    happened.CountHeld: _count_held,
    happened.CountAccepted: _counted,
    happened.Passaged: _passaged,
    happened.Harvested: _harvested,
    happened.Moved: _moved,
    happened.QcSampled: _qc_sampled,
    happened.QcResulted: _qc_resulted,
    happened.Resuspended: _resuspended,
    happened.Formulated: _formulated,
    happened.Reviewed: _reviewed,
    happened.Released: _released,
    happened.Rejected: _enter(State.REJECTED, ends=True),
    happened.Shipped: _enter(State.SHIPPED),
    happened.ReceivedAtSite: _enter(State.RECEIVED_AT_SITE),
    happened.Administered: _administered,
    happened.Closed: _enter(State.CLOSED, ends=True),
    happened.AlarmExposed: _alarm_exposed,
    happened.CommandRefused: _refused,
}
