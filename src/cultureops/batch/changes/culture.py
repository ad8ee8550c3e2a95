"""Changes from the consent to the harvest."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from cultureops.batch import events as happened
from cultureops.batch.batch import Batch
from cultureops.batch.changes.base import Change, take_out
from cultureops.batch.events import Recorded
from cultureops.batch.parts import Confluence, Occupancy, PassageRecord, Vessels
from cultureops.batch.state import State
from cultureops.ledger.event import Event

__all__ = ["CULTURE"]


def _consented(batch: Batch, recorded: happened.ConsentRecorded, event: Event) -> Batch:
    return batch.changed(is_eligible=recorded.eligible, label_arm=recorded.label_arm)


def _received(batch: Batch, recorded: happened.MarrowReceived, event: Event) -> Batch:
    return batch.changed(state=State.RECEIVED, since=event.occurred_at, collected_at=recorded.collected_at)


def _isolated(batch: Batch, recorded: happened.Isolated, event: Event) -> Batch:
    return batch.changed(state=State.ISOLATED, since=event.occurred_at, mnc_count=recorded.mnc_count)


def _seeded(batch: Batch, recorded: happened.Seeded, event: Event) -> Batch:
    at = event.occurred_at
    return batch.changed(
        state=State.CULTURE,
        since=at,
        passage=recorded.passage,
        culture_started_at=at,
        passage_started_at=at,
        seeded_cells=recorded.cells_total,
        groups=(Vessels(recorded.vessels, recorded.vessel_type, recorded.n_vessels, recorded.area_cm2),),
        medium_changed_at=None,
        occupancies=(*batch.occupancies, Occupancy(recorded.vessels, recorded.chamber, at)),
    )


def _medium_changed(batch: Batch, recorded: happened.MediumChanged, event: Event) -> Batch:
    return batch.changed(medium_changed_at=event.occurred_at)


def _confluence_observed(batch: Batch, recorded: happened.ConfluenceObserved, event: Event) -> Batch:
    unsure = any(evidence.unsure for evidence in recorded.evidence)
    seen = Confluence(event.occurred_at, recorded.passage, recorded.confluence_pct, unsure)
    return batch.changed(confluences=(*batch.confluences, seen))


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
    return batch.changed(
        since=at,
        passages=(*batch.passages, grown),
        groups=(),
        cumulative_population_doublings=recorded.cumulative_population_doublings,
        occupancies=take_out(batch.occupancies, at),
    )


def _passaged(batch: Batch, recorded: happened.Passaged, event: Event) -> Batch:
    detached, at = _detached(batch, recorded, event), event.occurred_at
    return detached.changed(
        passage=recorded.passage,
        passage_started_at=at,
        seeded_cells=recorded.cells_seeded,
        groups=(Vessels(recorded.new_vessels, recorded.vessel_type, recorded.n_vessels, recorded.area_cm2),),
        medium_changed_at=at,
        occupancies=(*detached.occupancies, Occupancy(recorded.new_vessels, recorded.chamber, at)),
    )


def _harvested(batch: Batch, recorded: happened.Harvested, event: Event) -> Batch:
    return _detached(batch, recorded, event).changed(state=State.HARVESTED)


def _moved(batch: Batch, recorded: happened.Moved, event: Event) -> Batch:
    at = event.occurred_at
    stays = take_out(batch.occupancies, at, {recorded.vessels})
    return batch.changed(since=at, occupancies=(*stays, Occupancy(recorded.vessels, recorded.to_chamber, at)))


def _split(batch: Batch, recorded: happened.VesselsSplit, event: Event) -> Batch:
    whole = next(group for group in batch.groups if group.id == recorded.vessels)
    shares = tuple(replace(whole, id=share.vessels, n_vessels=share.n_vessels) for share in recorded.into)
    return _regrouped(batch, {whole.id}, shares, event)


def _pooled(batch: Batch, recorded: happened.VesselsPooled, event: Event) -> Batch:
    first = next(group for group in batch.groups if group.id in recorded.vessels)
    pooled = replace(first, id=recorded.into, n_vessels=recorded.n_vessels)
    return _regrouped(batch, set(recorded.vessels), (pooled,), event)


def _regrouped(batch: Batch, before: set[str], after: tuple[Vessels, ...], event: Event) -> Batch:
    """Let new groups stand where the old ones stood; nothing is carried anywhere.

    Where a later correction says that groups stood apart when they were pooled, the pooled one is in doubt and counts
    as standing in each of their chambers, until those of the others are corrected too.
    """
    at = event.occurred_at
    chambers = sorted({stay.chamber for stay in batch.occupancies if stay.vessels in before and stay.taken is None})
    stays = take_out(batch.occupancies, at, before)
    stays += tuple(Occupancy(group.id, chamber, at) for group in after for chamber in chambers)
    kept = tuple(group for group in batch.groups if group.id not in before)
    return batch.changed(since=at, groups=(*kept, *after), occupancies=stays)


def _discarded(batch: Batch, recorded: happened.VesselsDiscarded, event: Event) -> Batch:
    at, gone = event.occurred_at, recorded.vessels_left == 0
    groups = tuple(
        replace(group, n_vessels=recorded.vessels_left) if group.id == recorded.vessels else group
        for group in batch.groups
        if not (gone and group.id == recorded.vessels)
    )
    stays = take_out(batch.occupancies, at, {recorded.vessels}) if gone else batch.occupancies
    return batch.changed(since=at, groups=groups, occupancies=stays)


CULTURE: Final[dict[type[Recorded], Change]] = {
    happened.ConsentRecorded: _consented,
    happened.MarrowReceived: _received,
    happened.Isolated: _isolated,
    happened.Seeded: _seeded,
    happened.MediumChanged: _medium_changed,
    happened.ConfluenceObserved: _confluence_observed,
    happened.Passaged: _passaged,
    happened.Harvested: _harvested,
    happened.Moved: _moved,
    happened.VesselsSplit: _split,
    happened.VesselsPooled: _pooled,
    happened.VesselsDiscarded: _discarded,
}
