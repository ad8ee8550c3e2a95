"""The first page of a batch record: what it is, what was decided and signed, and what needs judgement."""

from __future__ import annotations

from typing import Final

from cultureops.batch.exceptions import Matter, exceptions
from cultureops.batch.signed import RELEASES
from cultureops.clock import DAY_MS
from cultureops.report.batch_record.words import Row, Words

__all__ = ["batch_row", "decided", "exception_rows"]

_ENDS: Final = RELEASES | {"rejected", "recalled", "destroyed"}


def batch_row(words: Words) -> Row:
    """Return what the cover says of the batch itself."""
    dossier = words.dossier
    batch, recipe = dossier.batch, dossier.recipe
    return {
        "batch_id": batch.id,
        "patient_token": batch.patient_token,
        "recipe": recipe.label,
        "recipe_title": recipe.title,
        "recipe_sha256": recipe.sha256,
        "state": str(batch.state),
        "stage": batch.stage,
        **words.at("opened_at", batch.created_at),
        **words.at("ended_at", batch.ended_at),
        **words.at("until", dossier.until),
        "days": round((dossier.until - batch.created_at) / DAY_MS, 1),
        "weight_kg": batch.weight_kg,
        "events": len(dossier.events),
        "version": batch.version,
        "head_of_batch": dossier.events[-1].hash,
        "cumulative_population_doublings": round(batch.cumulative_population_doublings, 2),
    }


def decided(words: Words) -> Row:
    """Return the last decision on the product: released, rejected, recalled, destroyed, or not decided."""
    last = next((event for event in reversed(words.dossier.events) if event.type in _ENDS), None)
    if last is None:
        return {"decision": "", "text": "Not decided: this product is not released.", "is_release": False}
    who = words.who(last.actor.id, last.actor.role)
    return {
        "decision": last.type,
        "position": last.position,
        "text": f"{last.type.replace('_', ' ').capitalize()} by {who}, {words.stamp(last.occurred_at)}",
        "is_release": last.type in RELEASES,
    }


def exception_rows(words: Words) -> list[Row]:
    """Return what a person must judge, the gravest first, as the review page lists it too."""
    dossier = words.dossier
    simulated = {use.id for use in dossier.equipment if use.simulated}
    return [_matter(words, matter) for matter in exceptions(dossier.batch, dossier.facts, simulated)]


def _matter(words: Words, matter: Matter) -> Row:
    return {
        "kind": matter.kind.value,
        "severity": matter.severity,
        "what": matter.what,
        **words.at("at", matter.at),
        "who": words.dossier.name_of(matter.who),
        "disposal": matter.disposal,
        "position": matter.position,
        "is_read": matter.is_read,
    }
