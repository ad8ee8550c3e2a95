"""What can be chosen in the fields of a step now: what the batch has, what is fit for use, what is released."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from cultureops.batch.batch import Batch
from cultureops.batch.field import Details
from cultureops.clock import Instant
from cultureops.equipment import Service
from cultureops.web.context import WebContext
from cultureops.web.form.details_form import Choice
from cultureops.web.step.correcting import entry_of
from cultureops.web.templating import local

__all__ = ["choices_of"]

_PLACES: Final[Mapping[str, frozenset[str]]] = {
    "chamber": frozenset({"incubator"}),
    "to_chamber": frozenset({"incubator", "refrigerator", "room"}),
    "stored_in": frozenset({"refrigerator"}),
    "bath": frozenset({"bath"}),
    "centrifuge": frozenset({"centrifuge"}),
    "vials.place.store": frozenset({"cryostore", "freezer"}),
}
"""Of which class the equipment is that a field names."""


def choices_of(
    context: WebContext, batch: Batch, step: type[Details], event_id: str = ""
) -> dict[str, Sequence[Choice]]:
    """Return the choices of a step's fields, by field; ``event_id`` is the entry that a correction is about.

    A field of the table is among them even where nothing fits: then nothing can be chosen.
    """
    now = context.clock.now()
    found: dict[str, Sequence[Choice]] = {}
    for name in step.model_fields:
        if name.endswith(("_lot", "_lots")):
            found[name] = _lots(context, now)
        elif name in _PLACES:
            found[name] = _equipment(context, now, _PLACES[name])
        elif (own := _OWN.get((step.__name__, name)) or _OWN.get(("", name))) is not None:
            found[name] = tuple(own(batch))
    if "vials" in step.model_fields:
        found["vials.place.store"] = _equipment(context, now, _PLACES["vials.place.store"])
    if "doses" in step.model_fields or "route" in step.model_fields:
        routes = tuple(Choice(route) for route in sorted(context.recipes.of(batch).dose.routes))
        found["route"] = found["doses.route"] = routes
    if step.__name__ == "Correct":
        entry = entry_of(batch, event_id, context.zone)
        found["field"] = tuple(Choice(one.field, one.text, one.label) for one in (entry.values if entry else ()))
    return found


def _lots(context: WebContext, now: Instant) -> tuple[Choice, ...]:
    """Return the lots that may be used, those first that expire first."""
    known = (context.lots.fact(lot, now) for lot in context.lots.ids())
    usable = sorted((lot for lot in known if lot is not None and lot.is_usable), key=lambda lot: lot.expires_at)
    return tuple(Choice(lot.id, f"{lot.material}, until {local(lot.expires_at, context.zone)[:10]}") for lot in usable)


def _equipment(context: WebContext, now: Instant, classes: frozenset[str]) -> tuple[Choice, ...]:
    """Return what is in service and in calibration of these classes."""
    found = []
    for name in context.equipment.ids():
        state = context.equipment.fact(name, now)
        if state is None or state.kind not in classes or state.service is not Service.IN_SERVICE:
            continue
        if state.calibrated_until is None or state.calibrated_until <= now:
            continue
        found.append(Choice(name, "" if state.title == name else state.title))
    return tuple(found)


def _groups(batch: Batch) -> Iterable[Choice]:
    for group in batch.groups:
        where = batch.chamber_of(group.id)
        yield Choice(group.id, f"{group.n_vessels} × {group.vessel_type}" + (f" in {where}" if where else ""))


def _open_samples(batch: Batch) -> Iterable[Choice]:
    for sample in batch.qc:
        if not any(reading.final for reading in sample.readings):
            yield Choice(sample.sample_id, f"{sample.test}, {sample.stage}")


def _failed_samples(batch: Batch) -> Iterable[Choice]:
    for sample in batch.qc:
        if any(reading.outcome == "positive" for reading in sample.readings):
            yield Choice(sample.sample_id, f"{sample.test}, positive")


def _doses_left(batch: Batch) -> Iterable[Choice]:
    return (Choice(dose.container, f"{dose.route}, {dose.volume_ml:g} mL") for dose in batch.doses if not dose.given_at)


def _stores(batch: Batch) -> Iterable[Choice]:
    stores = [vial.place.store for vial in batch.vials if vial.place is not None]
    return (Choice(store, f"{stores.count(store)} vials") for store in dict.fromkeys(stores))


_OWN: Final[Mapping[tuple[str, str], Callable[[Batch], Iterable[Choice]]]] = {
    **{
        (step, "vessels"): _groups
        for step in ("ChangeMedium", "ObserveConfluence", "Passage", "Harvest", "Move", "Split", "Discard", "Pool")
    },
    ("ObserveConfluence", "method"): lambda batch: (Choice("visual", "by eye"),),
    ("RecordQcResult", "sample_id"): _open_samples,
    ("AcceptCount", "sample_id"): lambda batch: (
        Choice(held.sample_id, "; ".join(held.reasons)) for held in batch.held_counts
    ),
    ("SampleQc", "repeats"): _failed_samples,
    ("SampleQc", "deviation_id"): lambda batch: (
        Choice(one.id, one.subject) for one in batch.open_deviations if one.kind == "oos"
    ),
    ("Administer", "container"): _doses_left,
    ("CheckStorage", "store"): _stores,
    ("TransferIn", "logger"): lambda batch: (Choice(batch.transfer_logger),) if batch.transfer_logger else (),
}
"""What the batch itself has to choose from, by step and field."""
