"""Which calculators stand beside which step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from cultureops.batch.rules import RULES
from cultureops.web.calculator.cells import COUNT, RESEEDING, SEEDING, TOTAL
from cultureops.web.calculator.dose import DOSE, INFUSION, TAKING_UP
from cultureops.web.calculator.sheet import Basis, Calculator, Sheet, filled
from cultureops.web.calculator.wash import TAKEN_UP, WASH

__all__ = ["calculators", "input_name", "worked_out"]

_BESIDE: Final[Mapping[str, tuple[Calculator, ...]]] = {
    "Isolate": (COUNT, TOTAL),
    "AcceptCount": (COUNT,),
    "Seed": (SEEDING,),
    "Passage": (RESEEDING,),
    "Harvest": (TOTAL,),
    "Wash": (WASH,),
    "Resuspend": (TAKING_UP, TAKEN_UP),
    "Formulate": (DOSE,),
    "Administer": (INFUSION,),
}
_FIELDS: Final = {details.__name__: frozenset(details.model_fields) for details in RULES}
_LONGEST: Final = 60


def input_name(calculator: str, name: str) -> str:
    """Return under which name a number of a calculator stands in the form of a step."""
    return f"work.{calculator}.{name}"


def calculators(step: str, basis: Basis, form: Mapping[str, object] | None = None) -> tuple[Sheet, ...]:
    """Return the calculators of a step, filled in from the batch, or from a form that was sent."""
    at_work = "" if form is None else str(form.get("work") or form.get("use") or "").partition(":")[0]
    sheets = (_sheet(step, one, basis, form) for one in _BESIDE.get(step, ()) if one.fits(basis))
    return tuple(replace(sheet, is_open=sheet.name == at_work) for sheet in sheets)


def worked_out(step: str, name: str, basis: Basis, form: Mapping[str, object]) -> Sheet | None:
    """Return one calculator of a step with its results out of a form; None where the step has no such calculator."""
    found = next((one for one in _BESIDE.get(step, ()) if one.name == name), None)
    return None if found is None else _sheet(step, found, basis, form)


def _sheet(step: str, calculator: Calculator, basis: Basis, form: Mapping[str, object] | None) -> Sheet:
    """Return a calculator with its results; only what the step asks for can be used of them."""
    sheet = filled(calculator, basis, None if form is None else _given(calculator, basis, form))
    fields = _FIELDS[step]
    offered = (one if one.field.partition(".")[0] in fields else replace(one, field="") for one in sheet.results)
    return replace(sheet, results=tuple(offered))


def _given(calculator: Calculator, basis: Basis, form: Mapping[str, object]) -> dict[str, str]:
    names = {one.name: input_name(calculator.name, one.name) for one in calculator.asks(basis)}
    return {name: str(form[sent])[:_LONGEST] for name, sent in names.items() if sent in form}
