"""Paper forms, one for each step of a recipe: what is written down while there is no lab to type it into.

A form asks for exactly what the step's command holds, and says what the recipe and the record allow. What was written
is entered late afterwards, with a reason and, where the step needs one, the witness who signed the paper.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Final, get_args

from pydantic.fields import FieldInfo

from cultureops.batch import commands as asked
from cultureops.batch.field import Details
from cultureops.batch.field_text import field_name, field_unit
from cultureops.batch.gates import GATES
from cultureops.batch.recipe_schema import Quantity, Recipe, Statement
from cultureops.batch.rules import RULES
from cultureops.ledger.event import JsonValue
from cultureops.report.document import Imprint, render
from cultureops.units import label

__all__ = ["TEMPLATE", "FormsFor", "forms_pdf", "step_forms"]

TEMPLATE: Final = "step_forms"
_ROWS: Final = 6
"""How many lines a form has for what there may be many of."""
_QUOTED: Final = re.compile(r"``(\w+)``")
_NO_LIMIT: Final = 1e5
"""A bound from here on only keeps slips of the pen out, and is not worth ink."""
_WORDS: Final = 400
"""A text that may be longer gets lines instead of a box."""

_CULTURE: Final = (
    (asked.RecordConsent, ()),
    (asked.ReceiveMarrow, ("intake",)),
    (asked.Isolate, ("isolation",)),
    (asked.Seed, ("seeding", "culture")),
    (asked.SampleQc, ("qc",)),
    (asked.RecordQcResult, ("qc", "release")),
    (asked.ChangeMedium, ("culture",)),
    (asked.ObserveConfluence, ("passage",)),
    (asked.Count, ("counting",)),
    (asked.Passage, ("passage", "seeding")),
    (asked.Move, ("culture",)),
    (asked.Discard, ()),
    (asked.Harvest, ("passage", "culture")),
)
_FROZEN: Final = (
    (asked.Freeze, ("freezing", "hold")),
    (asked.MoveVials, ("freezing",)),
    (asked.CheckStorage, ("freezing",)),
    (asked.TransferOut, ("transfer",)),
    (asked.TransferIn, ("transfer",)),
    (asked.Thaw, ("thawing", "hold")),
    (asked.Wash, ("washing",)),
    (asked.StartLabelling, ("labelling",)),
    (asked.EndLabelling, ("labelling",)),
)
_PRODUCT: Final = (
    (asked.Resuspend, ("resuspension", "release")),
    (asked.Formulate, ("dose", "transport")),
    (asked.HandOver, ()),
    (asked.ReceiveAtSite, ("transport",)),
    (asked.Administer, ("dose", "hold")),
    (asked.RecordAdverseEvent, ()),
    (asked.OpenDeviation, ()),
    (asked.Note, ()),
)


@dataclass(frozen=True, slots=True)
class FormsFor:
    """What forms are printed for: a recipe, and a batch of it where there is one already."""

    recipe: Recipe
    batch_id: str = ""
    patient_token: str = ""
    stage: str = ""


def step_forms(what: FormsFor, imprint: Imprint) -> dict[str, JsonValue]:
    """Return the forms of a recipe as JSON values, in the order of its process."""
    recipe = what.recipe
    steps = (*_CULTURE, *(_FROZEN if recipe.is_frozen else ()), *_PRODUCT)
    return {
        **imprint.data(),
        "recipe": recipe.label,
        "recipe_title": recipe.title,
        "recipe_sha256": recipe.sha256,
        "batch_id": what.batch_id,
        "patient_token": what.patient_token,
        "stage": what.stage,
        "decisions": [_title(command) for command, rule in RULES.items() if rule.now_only],
        "forms": [
            _form(command, recipe, sections)
            for command, sections in steps
            if not sections or any(getattr(recipe, section) is not None for section in sections)
        ],
    }


def forms_pdf(forms: Mapping[str, JsonValue]) -> bytes:
    """Return the forms as a PDF/A-2b; blocks. Raises CultureOpsError as ``render``."""
    return render(TEMPLATE, forms)


def _form(command: type[Details], recipe: Recipe, sections: Sequence[str]) -> dict[str, JsonValue]:
    rule, schema = RULES[command], command.model_json_schema()
    return {
        "step": command.__name__,
        "title": _title(command),
        "about": _QUOTED.sub(lambda found: f"“{field_name(found[1])}”", " ".join((command.__doc__ or "").split())),
        "states": sorted(str(state) for state in rule.states) if len(rule.states) < 4 else [],
        "roles": sorted(rule.roles - {"DEV"}),
        "witnesses": sorted(rule.witnesses),
        "gates": [{"gate": gate, "sentence": GATES[gate].sentence} for gate in rule.gates],
        "fields": [_field(command, name, one, schema) for name, one in schema.get("properties", {}).items()],
        "limits": [row for section in sections for row in _limits(section, getattr(recipe, section))],
    }


def _title(command: type[Details]) -> str:
    words = "".join(f" {char.lower()}" if char.isupper() else char for char in command.__name__)
    return words.strip().capitalize().replace("qc", "QC")


def _field(
    command: type[Details], name: str, declared: Mapping[str, Any], schema: Mapping[str, Any]
) -> dict[str, JsonValue]:
    """Return one field: its name and unit, how it is written down, and what the record takes."""
    parts = [part for part in declared.get("anyOf", [declared]) if part.get("type") != "null"]
    part = parts[0]
    columns: list[JsonValue] = []
    kind = {"boolean": "yes or no", "array": "lines"}.get(part.get("type", ""), "box")
    if "prefixItems" in part:
        kind = "scans"
    elif part.get("type") == "array" and "$ref" in part.get("items", {}):
        kind, inner = "table", schema["$defs"][part["items"]["$ref"].rpartition("/")[2]]
        columns = [_heading(column) for column in inner["properties"]]
    elif part.get("type") == "object" or part.get("maxLength", 0) > _WORDS:
        kind = "lines"
    return {
        "field": name,
        "name": field_name(name),
        "unit": field_unit(name),
        "kind": kind,
        "columns": columns,
        "rows": _ROWS,
        "choices": list(part.get("enum", ())),
        "takes": _takes(name, command.model_fields[name], part),
        "is_required": name in schema.get("required", ()),
    }


def _heading(name: str) -> str:
    unit = field_unit(name)
    return f"{field_name(name)} [{unit}]" if unit else field_name(name)


def _takes(name: str, field: FieldInfo, part: Mapping[str, Any]) -> str:
    """Say what the record takes, as the command's own bounds have it; empty where that says nothing."""
    if part.get("type") not in ("number", "integer"):
        return ""
    if name.endswith(("_at", "_for")):
        return "date, time"
    bounds = {key: value for one in _constraints(field) for key, value in _bounds(one)}
    low, high = bounds.get("ge", bounds.get("gt")), bounds.get("le", bounds.get("lt"))
    if low is None or high is None or high >= _NO_LIMIT:
        return "" if low is None else f"{'>' if 'gt' in bounds else '≥'} {low:g}"
    return f"{low:g} to {high:g}"


def _constraints(field: FieldInfo) -> Iterator[object]:
    """Yield a field's constraints, those of what may be left out too."""
    for kind in (field.annotation, *get_args(field.annotation)):
        yield from getattr(kind, "__metadata__", ())
    yield from field.metadata


def _bounds(constraint: object) -> Iterator[tuple[str, float]]:
    for one in (constraint, *getattr(constraint, "metadata", ())):
        yield from ((key, value) for key in ("ge", "gt", "le", "lt") if (value := getattr(one, key, None)) is not None)


def _limits(path: str, section: object) -> Iterator[dict[str, JsonValue]]:
    """Yield every entry of a recipe's section: what it sets, and whether that is ours or the paper's."""
    match section:
        case Quantity():
            value = f"{section.value:g} {label(section.unit)}".strip()
            yield {"entry": _entry(path), "value": value, "is_default": section.is_default}
        case Statement():
            yield {"entry": _entry(path), "value": section.text, "is_default": section.is_default}
        case Mapping():
            for name, part in section.items():
                yield from _limits(f"{path}.{name}", part)
        case _ if is_dataclass(section):
            for one in fields(section):
                yield from _limits(f"{path}.{one.name}", getattr(section, one.name))


def _entry(path: str) -> str:
    return path.replace(".routes.", ".").replace("_", " ").replace(".", ": ", 1).replace(".", " ")
