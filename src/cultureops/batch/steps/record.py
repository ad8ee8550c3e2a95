"""Steps that only add to the record: counts, tests, notes, corrections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cultureops.analysis.dose import endotoxin_eu_per_kg
from cultureops.batch import events as happened
from cultureops.batch.case import Case, Plan
from cultureops.batch.commands import (
    AcceptCount,
    Correct,
    Count,
    HoldCount,
    Note,
    RecordConsent,
    RecordQcResult,
    RejectResultFile,
    SampleQc,
)
from cultureops.batch.counts import SampleId, parse_sample_id
from cultureops.batch.events import data_of, read_event
from cultureops.batch.parts import QcSample
from cultureops.batch.steps.base import deviate, doubt_of_viability, refused
from cultureops.clock import DAY_MS, HOUR_MS, Instant, iso
from cultureops.ledger.event import Event, Source

__all__ = [
    "CORRECTABLE",
    "accept_count",
    "correct",
    "count",
    "hold_count",
    "note",
    "record_consent",
    "record_qc_result",
    "reject_result_file",
    "sample_qc",
]

CORRECTABLE: Final[Mapping[str, frozenset[str]]] = {
    "consent_recorded": frozenset({"form"}),
    "marrow_received": frozenset({"marrow_ml", "anticoagulant", "receipt_temperature_c", "donor_markers"}),
    "isolated": frozenset({"method", "mnc_count", "viability_pct"}),
    "seeded": frozenset({"vessel_type", "medium_lot", "chamber"}),
    "medium_changed": frozenset({"volume_ml", "medium_lot", "removed_nonadherent"}),
    "confluence_observed": frozenset({"confluence_pct", "n_fields"}),
    "counted": frozenset({"viability_pct", "viable_density_1e6_per_ml", "total_density_1e6_per_ml"}),
    "count_accepted": frozenset({"viability_pct", "viable_density_1e6_per_ml", "total_density_1e6_per_ml"}),
    "passaged": frozenset({"enzyme", "enzyme_pct", "exposure_min", "vessel_type", "medium_lot", "chamber"}),
    "moved": frozenset({"to_chamber"}),
    "harvested": frozenset({"enzyme", "enzyme_pct", "exposure_min"}),
    "qc_sampled": frozenset({"method"}),
    "qc_resulted": frozenset({"lab"}),
    "resuspended": frozenset({"diluent", "diluent_lot"}),
    "shipped": frozenset({"shipper", "logger"}),
    "administered": frozenset({"level"}),
    "frozen": frozenset({"cryo_medium", "cryo_medium_lot", "rate_profile"}),
    "thawed": frozenset({"bath_temperature_c"}),
    "washed": frozenset({"relative_centrifugal_force_g", "spin_min", "diluent", "diluent_lot"}),
    "transferred_out": frozenset({"shipper", "logger"}),
    "labelling_started": frozenset({"iron_ug_per_ml", "transfection_agent_ug_per_ml"}),
    "labelling_ended": frozenset({"iron_pg_per_cell"}),
    "storage_checked": frozenset({"level_pct"}),
    "adverse_event_recorded": frozenset({"term", "grade"}),
    "deviation_opened": frozenset({"description"}),
    "noted": frozenset({"text"}),
}
"""Fields that nothing else was derived from. A wrong test result or dose is a deviation, not a slip of the pen.

Chambers are among them, since stays and what alarms mean for the batch are folded anew.
"""

_PLACED_IN: Final[Mapping[str, str]] = {"seeded": "chamber", "passaged": "chamber", "moved": "to_chamber"}
"""Which field of a step says where vessels stood from then on."""

_COUNT_USED: Final = frozenset({"passaged", "harvested", "resuspended", "released", "conditionally_released"})
_DECIDED_ON: Final[Mapping[tuple[str, str], frozenset[str]]] = {
    ("marrow_received", "receipt_temperature_c"): frozenset({"isolated"}),
    ("isolated", "mnc_count"): frozenset({"seeded"}),
    ("confluence_observed", "confluence_pct"): frozenset({"passaged"}),
    ("thawed", "bath_temperature_c"): frozenset({"washed"}),
    **{
        (counted, figure): _COUNT_USED
        for counted in ("counted", "count_accepted")
        for figure in ("viability_pct", "viable_density_1e6_per_ml", "total_density_1e6_per_ml")
    },
}
"""Which steps rest on a figure: what they have recorded does not change with it."""


def record_consent(case: Case, details: RecordConsent) -> Plan:
    """Record consent and eligibility."""
    return Plan(happened.ConsentRecorded)


def count(case: Case, details: Count) -> Plan:
    """Let a counter's result count; refused when the sample is not this batch's, or was counted before."""
    sample = _own_sample(case, details.sample_id)
    if any(known.sample_id == details.sample_id for known in case.batch.counts):
        raise refused(case, f"sample {details.sample_id} was counted already; a repeat is a replicate of its own")
    doubt = doubt_of_viability(case, details.viability_pct)
    return Plan(happened.Counted, _place(sample), devices=(details.device,), doubt=doubt)


def _place(sample: SampleId) -> dict[str, Any]:
    return {"passage": sample.passage, "stage": sample.stage, "replicate": sample.replicate}


def _own_sample(case: Case, sample_id: str) -> SampleId:
    sample, batch = parse_sample_id(sample_id), case.batch
    if sample.batch_id != batch.id:
        raise refused(case, f"sample {sample_id} belongs to batch {sample.batch_id}")
    if sample.passage is None:
        present = {"product": batch.resuspension, "thawed": batch.thaw, "washed": batch.first_washed_at}
        if present.get(sample.stage) is None:
            raise refused(case, f"sample {sample_id} names no passage, and there is no {sample.stage} suspension yet")
    elif sample.passage > (batch.passage or 0):
        raise refused(case, f"sample {sample_id} is of a passage that has not begun; present is P{batch.passage}")
    return sample


def hold_count(case: Case, details: HoldCount) -> Plan:
    """Hold an implausible result for a person."""
    _own_sample(case, details.sample_id)
    taken = {known.sample_id for known in case.batch.counts} | {held.sample_id for held in case.batch.held_counts}
    if details.sample_id in taken:
        raise refused(case, f"sample {details.sample_id} is on record already; a repeat is a replicate of its own")
    return Plan(happened.CountHeld, devices=(details.device,))


def accept_count(case: Case, details: AcceptCount) -> Plan:
    """Let a held count count with the figures a person stands for, and the reason."""
    held = next((held for held in case.batch.held_counts if held.sample_id == details.sample_id), None)
    if held is None:
        raise refused(case, f"no count of {details.sample_id} is on hold")
    if not case.reason:
        raise refused(case, "accepting a held count needs its reason")
    derived = _place(parse_sample_id(details.sample_id)) | {"device": held.device}
    return Plan(happened.CountAccepted, derived, devices=(held.device,))


def reject_result_file(case: Case, details: RejectResultFile) -> Plan:
    """Record that a result file of this batch could not be read."""
    return Plan(happened.ResultFileRejected)


def sample_qc(case: Case, details: SampleQc) -> Plan:
    """Take a sample; its name is new, and endotoxin of the product is sampled by route."""
    batch = case.batch
    if any(sample.sample_id == details.sample_id for sample in batch.qc):
        raise refused(case, f"sample {details.sample_id} exists; give the new one its own name")
    is_product = details.stage == "product"
    if is_product and batch.resuspension is None:
        raise refused(case, "there is no product to sample yet")
    if (is_product and details.test == "endotoxin") != (details.route is not None):
        raise refused(case, "a route belongs to endotoxin samples of the product, and to no others")
    if batch.passage is None:
        raise refused(case, "there is no culture to sample yet")
    _check_repeat(case, details)
    return Plan(happened.QcSampled, {"passage": batch.passage})


def _check_repeat(case: Case, details: SampleQc) -> None:
    """Refuse to test away a result out of specification: a repeat names the first sample and its open record."""
    failed = [
        sample.sample_id
        for sample in case.batch.qc
        if (sample.test, sample.stage, sample.passage, sample.route)
        == (details.test, details.stage, case.batch.passage, details.route)
        and any(reading.outcome == "positive" for reading in sample.readings)
    ]
    if details.repeats is None and details.deviation_id is None:
        if failed:
            raise refused(case, f"{failed[0]} is positive; a repeat names it and its out-of-specification record")
        return
    if details.repeats not in failed:
        raise refused(case, f"{details.repeats} is no failed sample of this test and passage")
    oos = next((d for d in case.batch.open_deviations if d.id == details.deviation_id and d.kind == "oos"), None)
    if oos is None:
        raise refused(case, f"{details.deviation_id} is no open out-of-specification record of this batch")


def record_qc_result(case: Case, details: RecordQcResult) -> Plan:
    """Enter a reading of a known sample; a final one is the last."""
    sample = next((sample for sample in case.batch.qc if sample.sample_id == details.sample_id), None)
    if sample is None:
        raise refused(case, f"no sample {details.sample_id} was taken from this batch")
    if any(reading.final for reading in sample.readings):
        raise refused(case, f"sample {sample.sample_id} was read to its end; a repeat is a sample of its own")
    if case.at < sample.taken_at:
        raise refused(case, f"sample {sample.sample_id} can't be read before it was taken")
    days = (case.at - sample.taken_at) / DAY_MS
    _check_reading(case, details, sample, days)
    derived = {"test": sample.test, "days_since_sampling": days}
    said = _out_of_limits(case, details, sample)
    also = (deviate(case, sample.test, "; ".join(said), "critical", "oos", _tell_by(case)),) if said else ()
    return Plan(happened.QcResulted, derived, said, also=also)


def _out_of_limits(case: Case, details: RecordQcResult, sample: QcSample) -> tuple[str, ...]:
    """Say what of a reading is out of the recipe's limits; endotoxin is judged once doses and weight are known."""
    name = f"{sample.test} of {sample.sample_id}"
    if details.outcome == "positive":
        return (f"{name} is positive",)
    release, dosing, batch = case.facts.recipe.release, case.facts.recipe.dose, case.batch
    said = [
        f"{name}: {marker} {share:g} % is out of its limit"
        for marker, share in sorted(details.panel.items())
        if (marker in release.positive_markers.texts and share < release.positive_min.value)
        or (marker in release.negative_markers.texts and share > release.negative_max.value)
    ]
    for dose in batch.doses:
        if details.value_eu_per_ml is None or sample.route != dose.route or batch.weight_kg is None:
            continue
        load, limit = (
            endotoxin_eu_per_kg(details.value_eu_per_ml, dose.volume_ml, batch.weight_kg),
            dosing.routes[dose.route].endotoxin_max.value,
        )
        if load > limit:
            said.append(f"{name}: the {dose.route} dose brings {load:.3g} EU/kg, allowed are {limit:g}")
    return tuple(said)


def _tell_by(case: Case) -> Instant | None:
    """Return until when a late positive must be told, where the product was released on that condition."""
    released = next((event for event in reversed(case.batch.history) if event.type == "conditionally_released"), None)
    if released is None:
        return None
    condition = read_event(released.type, released.data)
    assert isinstance(condition, happened.ConditionallyReleased)
    return case.at + round(condition.notify_within_h * HOUR_MS)


def _check_reading(case: Case, details: RecordQcResult, sample: QcSample, days: float) -> None:
    """Refuse a reading that is not of the sample's kind of test."""
    wants_value = sample.test == "endotoxin" and sample.stage == "product"
    wants_panel = sample.test == "identity"
    if wants_value != (details.value_eu_per_ml is not None):
        what = "needs a value in EU/mL" if wants_value else "has no value in EU/mL"
        raise refused(case, f"{sample.test} of {sample.sample_id} {what}")
    if wants_panel != bool(details.panel):
        what = "needs a panel by marker" if wants_panel else "has no panel"
        raise refused(case, f"{sample.test} of {sample.sample_id} {what}")
    if (wants_value or wants_panel) != (details.outcome == "measured"):
        raise refused(case, f"{sample.test} of {sample.sample_id} can't be {details.outcome}")
    incubation_d = case.facts.recipe.qc.sterility_final_read.value
    is_early = sample.test == "sterility" and details.outcome == "negative" and days < incubation_d
    if is_early and details.final:
        raise refused(case, f"a negative sterility culture is final after {incubation_d:g} d, not {days:.1f} d")


def note(case: Case, details: Note) -> Plan:
    """Say something for the record."""
    return Plan(happened.Noted)


def correct(case: Case, details: Correct) -> Plan:
    """Correct one field of an earlier event; the event as it reads now goes with it.

    Another chamber is one that is known; it always opens a deviation, since gate G3 had judged the first.
    """
    target = next((event for event in case.batch.history if event.event_id == details.event_id), None)
    if target is None:
        raise refused(case, f"no event {details.event_id} in this batch")
    if not case.reason:
        raise refused(case, "a correction needs its reason")
    allowed = CORRECTABLE.get(target.type, frozenset())
    if details.field not in allowed:
        can = ", ".join(sorted(allowed)) or "nothing"
        raise refused(case, f"{details.field} of {target.type} can't be corrected, only {can}")
    data = dict(target.data)
    for event in case.batch.history:
        if event.type == "corrected" and event.data["event_id"] == details.event_id:
            data = dict(event.data["data"])  # type: ignore[arg-type]
    old = data.get(details.field, "")
    if taken := data.pop("collected", ()):  # what somebody types is none of an instrument's
        data["collected"] = [one for one in taken if one["field"] != details.field]  # type: ignore[index,call-overload,union-attr]
    corrected = read_event(target.type, data | {details.field: details.value})
    said = _rested_on(case, target, details.field) + _stood_elsewhere(case, target, details, str(old))
    return Plan(
        happened.Corrected,
        {
            "event_type": target.type,
            "occurred_at": target.occurred_at,
            "old_value": old,
            "data": data_of(corrected),
        },
        said,
        also=tuple(deviate(case, "correction", text, "major") for text in said),
        doubt=_doubt(case, target, details),
    )


def _doubt(case: Case, target: Event, details: Correct) -> str:
    """Say what a second person must confirm: whatever is put in the place of what a counter has written itself."""
    if target.type == "counted" and target.source is Source.DEVICE:
        return f"{details.field} was given by {target.data['device']} and would be {details.value} by hand"
    is_viability = details.field == "viability_pct" and isinstance(details.value, int | float)
    return doubt_of_viability(case, float(details.value)) if is_viability else ""


def _rested_on(case: Case, target: Event, field: str) -> tuple[str, ...]:
    """Say which later steps were decided on a figure that is corrected now: quality assurance must judge them anew."""
    later = _DECIDED_ON.get((target.type, field), frozenset())
    after = [event.type for event in case.batch.history if event.version > target.version and event.type in later]
    if not after:
        return ()
    return (f"{field} of {target.type} was corrected after {', '.join(dict.fromkeys(after))} had been decided on it",)


def _stood_elsewhere(case: Case, target: Event, details: Correct, old: str) -> tuple[str, ...]:
    """Say that vessels stood where nobody had judged; refused for no known chamber, and for the one on record."""
    if _PLACED_IN.get(target.type) != details.field:
        return ()
    if details.value == old:
        raise refused(case, f"{details.field} of {target.type} is {old} already")
    if details.value not in case.facts.equipment:
        known = ", ".join(sorted(case.facts.equipment)) or "none"
        raise refused(
            case, f"nothing is on record about {details.value!r}; name a chamber of this lab (known: {known})"
        )
    return (f"vessels stood in {details.value} from {iso(target.occurred_at)}, not in {old}, which gate G3 had judged",)
