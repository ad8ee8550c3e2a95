"""Steps from freezing to the washed, or labelled, suspension: what each would record, or why it can't be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from cultureops.analysis.wash import Wash as WashVolumes
from cultureops.analysis.wash import WashVolumesDisagree, pct_after_washes, residual
from cultureops.batch import events as happened
from cultureops.batch.case import Case, Plan
from cultureops.batch.clocks import clocks
from cultureops.batch.commands.cryo import (
    AuthoriseThaw,
    CheckStorage,
    DiscardVials,
    EndLabelling,
    Freeze,
    MoveVials,
    StartLabelling,
    Thaw,
    TransferIn,
    TransferOut,
    Vial,
    Wash,
)
from cultureops.batch.events import DeviationOpened
from cultureops.batch.parts import VialRecord
from cultureops.batch.steps.base import check_stated, deviate, refused
from cultureops.clock import HOUR_MS, MINUTE_MS
from cultureops.errors import TransitionRefused

__all__ = [
    "authorise_thaw",
    "check_storage",
    "discard_vials",
    "end_labelling",
    "freeze",
    "move_vials",
    "start_labelling",
    "thaw",
    "transfer_in",
    "transfer_out",
    "wash",
]

S = TypeVar("S")

_COLD_STORES = ("cryostore", "freezer")
_SPILT = 0.05
"""The share of the vials' volume that pipetting may lose; ours."""


def _section(case: Case, section: S | None, what: str) -> S:
    """Return a section of the recipe; refused where the process has no such part."""
    if section is None:
        raise refused(case, f"{case.batch.recipe.label} has no {what}")
    return section


def freeze(case: Case, details: Freeze) -> Plan:
    """Freeze the harvested cells into vials, each with its own name and place."""
    recipe = _section(case, case.facts.recipe.freezing, "freezing: its product is fresh")
    grown = case.batch.harvest
    _check_distinct(case, details.vials)
    used = len(details.vials) * details.cells_per_vial
    harvested = 0 if grown is None else grown.harvested_viable_cells
    check_stated(case, used, details.discarded_cells, harvested, "harvested")
    _check_stores(case, details.vials)
    if details.dmso_pct != recipe.dmso.value and not case.reason:
        raise refused(case, f"DMSO {details.dmso_pct:g} %, the process has {recipe.dmso.value:g} %; give a reason")
    if details.store_temperature_c > recipe.storage_max.value:
        raise refused(
            case,
            f"the store is at {details.store_temperature_c:g} °C, vials are kept at {recipe.storage_max.value:g} °C "
            "or below; use another store",
        )
    warnings: tuple[str, ...] = ()
    if details.cooling_c_per_min < recipe.cooling_rate.value:
        warnings = (
            f"cooled at {details.cooling_c_per_min:g} °C/min, the recipe says {recipe.cooling_rate.value:g} or slower",
        )
    return Plan(
        happened.Frozen,
        {"frozen_cells": used},
        warnings,
        also=() if details.dmso_pct == recipe.dmso.value else (_other_dmso(case, details.dmso_pct, recipe.dmso.value),),
        devices=tuple(sorted({vial.place.store for vial in details.vials})),
        lots=(details.cryo_medium_lot,),
        claims=tuple(name for vial in details.vials for name in (vial.claim, vial.place.claim)),
    )


def _other_dmso(case: Case, given_pct: float, wanted_pct: float) -> DeviationOpened:
    return deviate(case, "cryo medium", f"DMSO {given_pct:g} % instead of {wanted_pct:g} %", "major")


def _check_stores(case: Case, vials: Sequence[Vial]) -> None:
    """Refuse to put vials into what is known to be no cold store; whether it is fit for use is a gate's to judge."""
    for store in sorted({vial.place.store for vial in vials}):
        fact = case.facts.equipment.get(store)
        if fact is not None and fact.kind and fact.kind not in _COLD_STORES:
            raise refused(case, f"{store} is a {fact.kind}; vials stand in a {' or '.join(_COLD_STORES)}")


def _check_distinct(case: Case, vials: Sequence[Vial]) -> None:
    """Refuse a vial or a place that is named twice; other batches' are the ledger's to know."""
    for claims, what in (([v.claim for v in vials], "vial"), ([v.place.claim for v in vials], "place")):
        if len(set(claims)) < len(claims):
            twice = next(number for number, claim in enumerate(claims) if claim in claims[:number])
            name = vials[twice].vial if what == "vial" else vials[twice].place.label
            raise refused(case, f"{what} {name} is named twice")


def _own_vials(case: Case, ids: Sequence[str], *statuses: str) -> tuple[VialRecord, ...]:
    """Return vials of this batch that have come so far; refused for any other."""
    known = {vial.id: vial for vial in case.batch.vials}
    found: list[VialRecord] = []
    for vial_id in ids:
        vial = known.get(vial_id)
        if vial is None:
            raise refused(case, f"vial {vial_id} is none of this batch's; stop and check the label")
        if vial.status not in statuses or vial in found:
            why = "is named twice" if vial in found else f"is {vial.status}, not {' or '.join(statuses)}"
            raise refused(case, f"vial {vial_id} {why}")
        found.append(vial)
    return tuple(found)


def move_vials(case: Case, details: MoveVials) -> Plan:
    """Give stored vials other places."""
    _check_distinct(case, details.vials)
    _check_stores(case, details.vials)
    before = _own_vials(case, [vial.vial for vial in details.vials], "stored", "authorised")
    return Plan(
        happened.VialsMoved,
        devices=tuple(sorted({vial.place.store for vial in details.vials})),
        claims=tuple(vial.place.claim for vial in details.vials),
        releases=_places(before),
    )


def _places(vials: Sequence[VialRecord]) -> tuple[str, ...]:
    return tuple(vial.place.claim for vial in vials if vial.place is not None)


def discard_vials(case: Case, details: DiscardVials) -> Plan:
    """Throw stored vials away, never all of a batch that still needs them: that is a rejection."""
    gone = _own_vials(case, details.vials, "stored", "authorised")
    if not case.reason:
        raise refused(case, "discarding vials needs its reason")
    left = [vial for vial in case.batch.vials_in("stored", "authorised") if vial not in gone]
    if not left and case.batch.thaw is None:
        raise refused(case, "these are the last vials; reject the batch instead")
    return Plan(happened.VialsDiscarded, releases=_places(gone))


def check_storage(case: Case, details: CheckStorage) -> Plan:
    """Look at a store; a temperature above the limit opens a critical deviation at once."""
    recipe = _section(case, case.facts.recipe.freezing, "frozen storage")
    if details.store not in {vial.place.store for vial in case.batch.vials if vial.place is not None}:
        raise refused(case, f"no vial of this batch stands in {details.store}")
    limit = recipe.storage_max.value
    if details.temperature_c <= limit:
        return Plan(happened.StorageChecked)
    said = f"{details.store} at {details.temperature_c:g} °C, vials are kept at {limit:g} °C or below"
    return Plan(
        happened.StorageChecked, warnings=(said,), also=(deviate(case, "storage temperature", said, "critical"),)
    )


def authorise_thaw(case: Case, details: AuthoriseThaw) -> Plan:
    """Let vials be taken for an appointment to come."""
    _section(case, case.facts.recipe.thawing, "thawing")
    if details.scheduled_for <= case.at:
        raise refused(case, "the patient's appointment must lie ahead")
    _own_vials(case, details.vials, "stored")
    return Plan(happened.ThawAuthorised, passage=case.batch.passage or 0)


def transfer_out(case: Case, details: TransferOut) -> Plan:
    """Pack the authorised vials, at the transfer's temperature."""
    recipe = _section(case, case.facts.recipe.transfer, "transfer of vials")
    if details.probe_temperature_c > recipe.temperature_max.value:
        raise refused(
            case,
            f"the shipper is at {details.probe_temperature_c:g} °C, {recipe.condition.text} keeps "
            f"{recipe.temperature_max.value:g} °C or below; cool it",
        )
    packed = case.batch.vials_in("authorised")
    if not packed:
        raise refused(case, "no authorised vial is left to pack; reject the batch")
    return Plan(happened.TransferredOut, {"vials": tuple(vial.id for vial in packed)}, releases=_places(packed))


def transfer_in(case: Case, details: TransferIn) -> Plan:
    """Take vials over; an excursion or a late arrival opens a deviation, a contradiction is refused."""
    recipe = _section(case, case.facts.recipe.transfer, "transfer of vials")
    if details.temperature_min_c > details.temperature_max_c:
        raise refused(case, "the lowest temperature is above the highest")
    if details.logger != case.batch.transfer_logger:
        raise refused(
            case, f"logger {details.logger} did not travel with these vials, {case.batch.transfer_logger} did"
        )
    limit, left_at = recipe.temperature_max.value, case.batch.transferred_out_at
    is_inside = details.temperature_max_c <= limit
    if is_inside != (details.out_of_range_min == 0):
        raise refused(
            case,
            f"up to {details.temperature_max_c:g} °C and {details.out_of_range_min:g} min above {limit:g} °C: "
            "these figures contradict each other; read the logger again",
        )
    hours = (case.at - (case.at if left_at is None else left_at)) / HOUR_MS
    said = []
    if not is_inside:
        said.append(
            f"{details.out_of_range_min:g} min above {limit:g} °C on the way, up to {details.temperature_max_c:g}"
        )
    if hours > recipe.duration_max.value:
        said.append(f"{hours:.1f} h on the way, allowed are {recipe.duration_max.value:g}")
    also = (deviate(case, "transfer of vials", "; ".join(said), "critical"),) if said else ()
    return Plan(happened.TransferredIn, {"transit_h": hours}, tuple(said), also=also)


def thaw(case: Case, details: Thaw) -> Plan:
    """Thaw the vials that arrived, in a bath at its temperature; the clock out of storage starts."""
    recipe = _section(case, case.facts.recipe.thawing, "thawing")
    if not case.batch.since <= details.started_at < details.ended_at <= case.at:
        raise refused(case, "a thaw starts after the vials arrived and before it ends, and is recorded after that")
    target, tolerance = recipe.bath_temperature.value, recipe.bath_tolerance.value
    if abs(details.bath_temperature_c - target) > tolerance:
        raise refused(case, f"the bath is at {details.bath_temperature_c:g} °C, {target:g} ± {tolerance:g} expected")
    vials = case.batch.vials_in("received")
    hold_ml = sum(vial.volume_ml for vial in vials)
    if details.volume_ml < hold_ml * (1 - _SPILT):
        raise refused(
            case,
            f"{details.volume_ml:g} mL were thawed, the vials hold {hold_ml:g} mL; too small a volume makes the "
            "residual DMSO look smaller than it is",
        )
    took_min = (details.ended_at - details.started_at) / MINUTE_MS
    warnings: tuple[str, ...] = ()
    if took_min > recipe.duration_max.value:
        warnings = (f"thawing took {took_min:.1f} min, the recipe says {recipe.duration_max.value:g} at most",)
    freezing = _section(case, case.facts.recipe.freezing, "freezing")
    dmso_pct = freezing.dmso.value if case.batch.dmso_pct is None else case.batch.dmso_pct
    return Plan(
        happened.Thawed,
        {
            "vials": tuple(vial.id for vial in vials),
            "thawed_cells": sum(vial.cells for vial in vials),
            "dmso_pct": dmso_pct,
        },
        warnings,
        devices=(details.bath,),
    )


def wash(case: Case, details: Wash) -> Plan:
    """Wash; volumes follow one another, and what DMSO may be left is worked out."""
    batch = case.batch
    _check_complete(case, details)
    expected = len(batch.washes) + 1
    if details.index != expected:
        raise refused(case, f"this would be wash {expected}, not {details.index}")
    start_pct = 0.0 if batch.residual_dmso_pct is None else batch.residual_dmso_pct
    try:
        volumes = WashVolumes(details.vol_before_ml, details.vol_added_ml, details.vol_left_ml)
        pct = pct_after_washes(start_pct, _volume_ml(case), (volumes,))[-1]
    except WashVolumesDisagree:
        raise refused(
            case, f"wash {details.index} begins with {details.vol_before_ml:g} mL, there were {_volume_ml(case):g} mL"
        ) from None
    except ValueError as error:
        raise refused(case, str(error)) from None
    late = _late_wash(case)
    left = residual(pct, details.vol_left_ml, (), details.vol_left_ml)
    return Plan(
        happened.Washed,
        {"residual_dmso_pct": pct, "residual_dmso_mg_per_ml": left.mg_per_ml},
        late,
        devices=(details.centrifuge,),
        lots=(details.diluent_lot,),
        also=(deviate(case, "time out of storage", "; ".join(late), "major"),) if late else (),
    )


def _check_complete(case: Case, details: Wash) -> None:
    """Refuse a wash that is none: too little diluent, or less left over than a centrifuge can leave."""
    limits = case.facts.recipe.washing
    if limits is None:
        return
    if limits.dilution_min is not None and details.vol_added_ml < limits.dilution_min.value * details.vol_before_ml:
        wanted_ml = limits.dilution_min.value * details.vol_before_ml
        raise refused(
            case, f"{details.vol_added_ml:g} mL is no wash of {details.vol_before_ml:g}; add {wanted_ml:g} mL"
        )
    if limits.left_min is not None and details.vol_left_ml < limits.left_min.value:
        raise refused(
            case, f"{details.vol_left_ml:g} mL left over a pellet, at least {limits.left_min.value:g} expected"
        )


def _volume_ml(case: Case) -> float:
    """Return what the next wash begins with [mL]."""
    batch = case.batch
    if batch.washes:
        return batch.washes[-1].vol_left_ml
    if batch.labelling is not None:
        return batch.labelling.suspension_ml
    if batch.thaw is None:
        raise TransitionRefused(f"batch {batch.id}: nothing was thawed")
    return batch.thaw.volume_ml


def _late_wash(case: Case) -> tuple[str, ...]:
    """Remark a first wash that comes too late; it is done all the same, since waiting would only do more harm."""
    return tuple(
        f"{clock.stage}: {clock.minutes(case.at):.0f} min, allowed are {clock.limit_min:g}"
        for clock in clocks(case.batch, case.facts.recipe)
        if clock.ended_at is None and clock.is_over(case.at)
    )


def start_labelling(case: Case, details: StartLabelling) -> Plan:
    """Begin to label, for a patient of that arm."""
    _section(case, case.facts.recipe.labelling, "labelling")
    if not case.batch.label_arm:
        raise refused(case, "this patient's cells are not to be labelled: the consent does not name the label arm")
    if case.batch.labelling is not None:
        raise refused(case, "these cells were labelled already")
    washes_min = int(_section(case, case.facts.recipe.washing, "washing").washes_min.value)
    if len(case.batch.washes) < washes_min:
        raise refused(case, f"{len(case.batch.washes)} of {washes_min} washes since the thaw; wash before labelling")
    return Plan(happened.LabellingStarted, devices=(details.chamber,), lots=details.agent_lots)


def end_labelling(case: Case, details: EndLabelling) -> Plan:
    """End the labelling within its hours; from here on the washes count anew."""
    recipe, labelling = _section(case, case.facts.recipe.labelling, "labelling"), case.batch.labelling
    assert labelling is not None, "the state says that a labelling lasts"
    hours = (case.at - labelling.started_at) / HOUR_MS
    low, high = recipe.duration_min.value, recipe.duration_max.value
    if hours < low:
        raise refused(case, f"labelled for {hours:.1f} h, the process has {low:g} to {high:g} h; wait")
    said = () if hours <= high else (f"labelled for {hours:.1f} h, the process has {low:g} to {high:g} h",)
    also = tuple(deviate(case, "labelling time", text, "major") for text in said)
    return Plan(happened.LabellingEnded, {"hours": hours}, said, also=also)
