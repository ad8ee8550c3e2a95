"""What the form of a step shows: its fields with what is known and can be chosen now, and what the recipe wants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from cultureops.batch.batch import Batch
from cultureops.batch.collecting import SOURCES
from cultureops.batch.commands import Correct, Formulate
from cultureops.batch.field import Details
from cultureops.batch.field_text import field_name
from cultureops.batch.identification import HANDS_ON
from cultureops.web.context import WebContext
from cultureops.web.form.details_form import FormField, as_filled, form_fields
from cultureops.web.step.choices import choices_of
from cultureops.web.step.correcting import entries_of, entry_of
from cultureops.web.step.known import FEWEST_ROWS, MOST_ROWS, free_positions, known_of
from cultureops.web.step.table import LEFT_OUT
from cultureops.web.step.takes import takes_of
from cultureops.web.step.targets import target_of
from cultureops.web.step.words import help_of, label_of

__all__ = ["step_form"]

MOST_ENTRIES: Final = 50
_ORDER: Final[Mapping[str, tuple[str, ...]]] = {
    "Seed": ("vessels", "vessel_type", "n_vessels", "area_cm2", "cells_total", "discarded_cells"),
    "Passage": (
        *("vessels", "enzyme", "enzyme_pct", "enzyme_lot", "exposure_min", "suspension_ml"),
        *("new_vessels", "vessel_type", "n_vessels", "area_cm2", "cells_seeded", "discarded_cells"),
    ),
}
"""Which fields come first, in the order of the work, where the schema's order is another one."""
_LAYS_OUT: Final = frozenset({"Freeze", "MoveVials", "Split"})


def step_form(
    context: WebContext, batch: Batch, step: type[Details], typed: Mapping[str, Any], problems: Mapping[str, str]
) -> dict[str, Any]:
    """Return what the template of a step needs; what was typed goes before what is known."""
    recipe, rows = context.recipes.of(batch), _rows(typed)
    at = {name: str(typed.get(name, "")).strip()[:80] for name in ("store", "rack", "box")}
    known = known_of(batch, recipe, step, rows, at)
    filled = {name: value for name, value in as_filled(step, typed).items() if value}
    _lay_out(context, known, at)
    event_id = str(filled.get("event_id", ""))
    fields = form_fields(step, _kept(known, filled), choices_of(context, batch, step, event_id), {"scans"})
    order = _ORDER.get(step.__name__, ())
    fields.sort(key=lambda field: order.index(field.name) if field.name in order else len(order))
    left_out = LEFT_OUT.get(step.__name__, frozenset())
    return {
        "fields": [
            _dressed(context, batch, step, field, filled, problems) for field in fields if field.name not in left_out
        ],
        "has_scans": "scans" in step.model_fields,
        "is_hands_on": step in HANDS_ON,
        "lays_out": step.__name__ in _LAYS_OUT,
        "has_vials": "vials" in known,
        "row_count": rows,
        "laid_out_at": at,
        "corrected": entry_of(batch, event_id, context.zone) if step is Correct else None,
        "correctable": entries_of(batch, context.zone)[:MOST_ENTRIES] if step is Correct and not event_id else (),
    }


def _rows(typed: Mapping[str, Any]) -> int:
    text = str(typed.get("rows", ""))
    return max(FEWEST_ROWS, min(int(text), MOST_ROWS)) if text.isdecimal() and len(text) < 6 else FEWEST_ROWS


def _kept(known: Mapping[str, Any], filled: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known, under what was typed; a table keeps the names that were not typed."""
    kept = {**known, **filled}
    if isinstance(table := known.get("panel"), dict):
        kept["panel"] = {**table, **filled.get("panel", {})}
    return kept


def _lay_out(context: WebContext, known: dict[str, Any], at: Mapping[str, str]) -> None:
    """Give vials the free positions of the box that was named, in order."""
    if not all(at.values()) or "vials" not in known:
        return
    taken = frozenset(name for name, _ in context.ledger.claimed("place:"))
    free = free_positions(taken, at["store"], at["rack"], at["box"], len(known["vials"]))
    for vial, position in zip(known["vials"], free, strict=False):
        vial["place.position"] = position


def _dressed(
    context: WebContext,
    batch: Batch,
    step: type[Details],
    field: FormField,
    filled: Mapping[str, Any],
    problems: Mapping[str, str],
) -> FormField:
    """Return a field with the recipe's target, help, instruments' values, and what is wrong with it."""
    recipe = context.recipes.of(batch)
    target, source = target_of(batch, recipe, step, field.name)
    places = {one.place for one in SOURCES.get((step, field.name), ())}
    place = next((str(filled[name]) for name in places if isinstance(filled.get(name), str)), "")
    own = {name: said for name, said in problems.items() if name == field.name or name.startswith(f"{field.name}.")}
    by_weight = step is Formulate and recipe.dose.is_by_weight and field.name in ("weight_kg", "weighed_at")
    return replace(
        field,
        label=label_of(step.__name__, field.name, field.label),
        kind="given" if field.name == "event_id" else field.kind,
        is_required=field.is_required or by_weight,
        target=target,
        source=source,
        help=help_of(step.__name__, field.name),
        takes=takes_of(context, step, field.name, place),
        problem="; ".join(said if name == field.name else f"{_spoken(name)}: {said}" for name, said in own.items()),
    )


def _spoken(name: str) -> str:
    """Write ``vials.3.place.rack`` as people count: vials 4, rack."""
    first, *rest = name.split(".")
    words = [str(int(part) + 1) if part.isdecimal() else field_name(part) for part in rest]
    return f"{field_name(first)} {', '.join(words)}"
