"""Changes from freezing to the washed, or labelled, suspension."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Final

from cultureops.batch import events as happened
from cultureops.batch.batch import Batch
from cultureops.batch.changes.base import Change, take_out
from cultureops.batch.events import Recorded
from cultureops.batch.parts import (
    LABELLED,
    VIALS,
    LabellingRecord,
    Occupancy,
    ThawRecord,
    VialRecord,
    VialStatus,
    WashRecord,
)
from cultureops.batch.state import State
from cultureops.clock import Instant
from cultureops.ledger.event import Event

__all__ = ["CRYO"]


def _frozen(batch: Batch, recorded: happened.Frozen, event: Event) -> Batch:
    vials = tuple(
        VialRecord(vial.vial, recorded.cells_per_vial, recorded.volume_ml_per_vial, vial.place)
        for vial in recorded.vials
    )
    return _standing(
        batch.changed(
            state=State.CRYO,
            since=event.occurred_at,
            frozen_at=event.occurred_at,
            dmso_pct=recorded.dmso_pct,
            vials=vials,
        ),
        event.occurred_at,
    )


def _vials_id(batch: Batch) -> str:
    return batch.id + VIALS


def _standing(batch: Batch, at: Instant) -> Batch:
    """Let the batch occupy exactly the cryostores in which its vials stand."""
    vessels = _vials_id(batch)
    wanted = {vial.place.store for vial in batch.vials if vial.place is not None}
    stays = tuple(
        replace(stay, taken=at)
        if stay.vessels == vessels and stay.taken is None and stay.chamber not in wanted
        else stay
        for stay in batch.occupancies
    )
    present = {stay.chamber for stay in stays if stay.vessels == vessels and stay.taken is None}
    stays += tuple(Occupancy(vessels, store, at) for store in sorted(wanted - present))
    return batch.changed(occupancies=stays)


def _moved(batch: Batch, recorded: happened.VialsMoved, event: Event) -> Batch:
    places = {vial.vial: vial.place for vial in recorded.vials}
    vials = tuple(replace(vial, place=places.get(vial.id, vial.place)) for vial in batch.vials)
    return _standing(batch.changed(vials=vials), event.occurred_at)


def _with_status(batch: Batch, ids: Collection[str], status: VialStatus, *, leaves: bool) -> Batch:
    vials = tuple(
        replace(vial, status=status, place=None if leaves else vial.place) if vial.id in ids else vial
        for vial in batch.vials
    )
    return batch.changed(vials=vials)


def _vials_discarded(batch: Batch, recorded: happened.VialsDiscarded, event: Event) -> Batch:
    return _standing(_with_status(batch, recorded.vials, "discarded", leaves=True), event.occurred_at)


def _authorised(batch: Batch, recorded: happened.ThawAuthorised, event: Event) -> Batch:
    at = event.occurred_at
    marked = _with_status(batch, recorded.vials, "authorised", leaves=False)
    return marked.changed(state=State.THAW_AUTHORISED, since=at)


def _out(batch: Batch, recorded: happened.TransferredOut, event: Event) -> Batch:
    at = event.occurred_at
    moved = _with_status(batch, recorded.vials, "in_transfer", leaves=True).changed(
        state=State.IN_TRANSFER,
        since=at,
        transferred_out_at=at,
        transfer_logger=recorded.logger,
    )
    return _standing(moved, at)


def _in(batch: Batch, recorded: happened.TransferredIn, event: Event) -> Batch:
    arrived = [vial.id for vial in batch.vials_in("in_transfer")]
    marked = _with_status(batch, arrived, "received", leaves=True)
    return marked.changed(state=State.RECEIVED_LAB, since=event.occurred_at, received_lab_at=event.occurred_at)


def _thawed(batch: Batch, recorded: happened.Thawed, event: Event) -> Batch:
    thaw = ThawRecord(
        recorded.started_at, recorded.ended_at, recorded.thawed_cells, recorded.volume_ml, recorded.dmso_pct
    )
    marked = _with_status(batch, recorded.vials, "thawed", leaves=True)
    return marked.changed(
        state=State.THAWED,
        since=event.occurred_at,
        thaw=thaw,
        first_washed_at=None,
        washes=(),
        residual_dmso_pct=recorded.dmso_pct,
    )


def _washed(batch: Batch, recorded: happened.Washed, event: Event) -> Batch:
    wash = WashRecord(
        recorded.index,
        event.occurred_at,
        recorded.vol_before_ml,
        recorded.vol_added_ml,
        recorded.vol_left_ml,
        recorded.residual_dmso_pct,
    )
    return batch.changed(
        state=State.WASHED,
        since=event.occurred_at,
        first_washed_at=event.occurred_at if batch.first_washed_at is None else batch.first_washed_at,
        washes=(*batch.washes, wash),
        residual_dmso_pct=recorded.residual_dmso_pct,
    )


def _labelling_started(batch: Batch, recorded: happened.LabellingStarted, event: Event) -> Batch:
    at = event.occurred_at
    return batch.changed(
        state=State.LABELLING,
        since=at,
        labelling=LabellingRecord(at, None, recorded.suspension_ml),
        occupancies=(*batch.occupancies, Occupancy(batch.id + LABELLED, recorded.chamber, at)),
    )


def _labelling_ended(batch: Batch, recorded: happened.LabellingEnded, event: Event) -> Batch:
    at = event.occurred_at
    started_at = at if batch.labelling is None else batch.labelling.started_at
    return batch.changed(
        state=State.WASHED,
        since=at,
        labelling=LabellingRecord(started_at, at, recorded.suspension_ml),
        washes=(),
        occupancies=take_out(batch.occupancies, at, {batch.id + LABELLED}),
    )


CRYO: Final[dict[type[Recorded], Change]] = {
    happened.Frozen: _frozen,
    happened.VialsMoved: _moved,
    happened.VialsDiscarded: _vials_discarded,
    happened.ThawAuthorised: _authorised,
    happened.TransferredOut: _out,
    happened.TransferredIn: _in,
    happened.Thawed: _thawed,
    happened.Washed: _washed,
    happened.LabellingStarted: _labelling_started,
    happened.LabellingEnded: _labelling_ended,
}
