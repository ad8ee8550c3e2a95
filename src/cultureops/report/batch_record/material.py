"""What and who a batch rests on: tests against their limits, lots, equipment, people."""

from __future__ import annotations

from cultureops.analysis.dose import endotoxin_eu_per_kg
from cultureops.batch.events import QcSampled, read_event
from cultureops.batch.parts import QcReading, QcSample
from cultureops.batch.recipe_schema import Recipe
from cultureops.clock import DAY_MS
from cultureops.dossier import Dossier, EquipmentUse, LotUsed, Person
from cultureops.report.batch_record.words import Row, Words, number

__all__ = ["equipment_rows", "lot_rows", "people_rows", "qc_rows"]

MEETS, FAILS, PENDING = "meets the limit", "OUT OF LIMIT", "not final"


def qc_rows(words: Words) -> list[Row]:
    """Return every reading of every sample against its limit in the recipe, samples not read yet included."""
    sampled = {
        str(event.data["sample_id"]): (event, read_event(event.type, event.data))
        for event in words.dossier.events
        if event.type == "qc_sampled"
    }
    rows: list[Row] = []
    for sample in words.dossier.batch.qc:
        event, recorded = sampled[sample.sample_id]
        assert isinstance(recorded, QcSampled)
        about: Row = {
            "sample_id": sample.sample_id,
            "test": sample.test,
            "of": f"P{sample.passage}" if sample.stage == "passage" else f"product {sample.route or ''}".strip(),
            "method": recorded.method,
            "repeats": recorded.repeats or "",
            **words.at("taken_at", sample.taken_at),
            "taken_by": words.who(event.actor.id, event.actor.role),
            "limit": _limit(sample, words.dossier.recipe),
        }
        rows += [about | _reading(words, sample, reading) for reading in sample.readings] or [
            about | {"read_at": None, "read_at_text": "not read yet", "result": "–", "judgement": PENDING}
        ]
    return rows


def _reading(words: Words, sample: QcSample, reading: QcReading) -> Row:
    days = (reading.at - sample.taken_at) / DAY_MS
    return {
        **words.at("read_at", reading.at),
        "days": round(days, 2),
        "final": reading.final,
        "result": _result(words.dossier, sample, reading),
        "judgement": _judgement(words.dossier, sample, reading),
    }


def _limit(sample: QcSample, recipe: Recipe) -> str:
    release = recipe.release
    if sample.test == "identity":
        positive, negative = release.positive_markers.text, release.negative_markers.text
        return f"{positive} ≥ {release.positive_min.value:g} %; {negative} ≤ {release.negative_max.value:g} %"
    if sample.test == "endotoxin" and (most := _endotoxin_max(sample, recipe)) is not None:
        return f"≤ {most:g} EU/kg and hour ({sample.route})"
    if sample.test == "sterility":
        return f"negative, {recipe.qc.sterility_final_read.value:g} d"
    return "negative"


def _endotoxin_max(sample: QcSample, recipe: Recipe) -> float | None:
    """Return the limit of the sample's route [EU/kg and hour]; None for a sample of none."""
    route = None if sample.route is None else recipe.dose.routes.get(sample.route)
    return None if route is None else route.endotoxin_max.value


def _result(dossier: Dossier, sample: QcSample, reading: QcReading) -> str:
    if reading.panel:
        return ", ".join(f"{marker} {share:g} %" for marker, share in reading.panel)
    if reading.value_eu_per_ml is not None:
        load = _eu_per_kg(dossier, sample, reading.value_eu_per_ml)
        return f"{reading.value_eu_per_ml:g} EU/mL" + ("" if load is None else f" = {number(load)} EU/kg")
    return reading.outcome


def _eu_per_kg(dossier: Dossier, sample: QcSample, eu_per_ml: float) -> float | None:
    """Return what the dose of the sample's route brings; None where dose or weight is not known."""
    dose = next((dose for dose in dossier.batch.doses if dose.route == sample.route), None)
    if dose is None or dossier.batch.weight_kg is None:
        return None
    return endotoxin_eu_per_kg(eu_per_ml, dose.volume_ml, dossier.batch.weight_kg)


def _judgement(dossier: Dossier, sample: QcSample, reading: QcReading) -> str:
    release = dossier.recipe.release
    if reading.outcome == "positive":
        return FAILS
    if reading.panel:
        panel = dict(reading.panel)
        positive = (panel.get(marker, 0.0) >= release.positive_min.value for marker in release.positive_markers.texts)
        negative = (panel.get(marker, 100.0) <= release.negative_max.value for marker in release.negative_markers.texts)
        return MEETS if all(positive) and all(negative) else FAILS
    if reading.value_eu_per_ml is not None:
        load, most = _eu_per_kg(dossier, sample, reading.value_eu_per_ml), _endotoxin_max(sample, dossier.recipe)
        if load is None or most is None:
            return "no limit to compare with"
        return MEETS if load <= most else FAILS
    return MEETS if reading.final else PENDING


def lot_rows(words: Words) -> list[Row]:
    """Return the lots of material that the batch used, as they were at use and as they are now."""
    return [_lot(words, lot) for lot in words.dossier.lots]


def _lot(words: Words, lot: LotUsed) -> Row:
    known = lot.present
    return {
        "lot": lot.id,
        "material": "" if known is None else known.material,
        "supplier": "" if known is None else known.supplier,
        "certificate": "" if known is None else known.certificate,
        **words.at("expires_at", lot.expires_at if known is None else known.expires_at),
        **words.at("first_used_at", lot.first_used_at),
        **words.at("last_used_at", lot.last_used_at),
        "status_at_use": lot.status or "not on record",
        "status_now": "not on record" if known is None else known.status.value,
    }


def equipment_rows(words: Words) -> list[Row]:
    """Return chambers and instruments that the batch used, with their calibration at the last use."""
    return [_equipment(words, use) for use in words.dossier.equipment]


def _equipment(words: Words, use: EquipmentUse) -> Row:
    state = use.state
    return {
        "equipment": use.id,
        "title": use.id if state is None else state.title,
        "kind": "" if state is None else state.kind,
        "serial_number": "" if state is None else state.serial_number,
        "in_service": use.in_service,
        "certificate": "" if state is None else state.certificate,
        **words.at("calibrated_until", use.calibrated_until),
        **words.at("first_used_at", use.first_used_at),
        **words.at("last_used_at", use.last_used_at),
        "simulated": use.simulated,
    }


def people_rows(words: Words) -> list[Row]:
    """Return everybody who acted, witnessed or signed."""
    return [_person(words, person) for person in words.dossier.people.values()]


def _person(words: Words, person: Person) -> Row:
    verified = None if person.account is None else person.account.verification
    return {
        "username": person.username,
        "printed_name": person.printed_name or person.username,
        "acted_as": list(person.roles),
        "has_account": person.account is not None,
        "identity_verified": ""
        if verified is None
        else f"{verified.how}, by {words.dossier.name_of(verified.by)}, {words.when(verified.at)}",
    }
