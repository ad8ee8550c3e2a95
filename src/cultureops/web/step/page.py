"""The page of one step: who asks for it, and the form with all that was typed, whatever became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from fastapi import HTTPException, Request
from starlette.responses import Response

from cultureops.access import Identity, Role
from cultureops.batch.batch import Batch
from cultureops.batch.field import Details
from cultureops.batch.rules import RULES, Rule
from cultureops.web.calculator import Basis, calculators
from cultureops.web.door.visitor import needing
from cultureops.web.routes.batch import batch_named
from cultureops.web.step.entry import new_entry
from cultureops.web.step.form import step_form
from cultureops.web.step.hindrance import hindrance, waits_for
from cultureops.web.step.question import Question
from cultureops.web.step.table import DOABLE, NEEDS_REASON, about_of, closed_because, roles_for, words_of
from cultureops.web.templating import context_of, page

__all__ = ["AskedStep", "Said", "asked_step", "step_page"]

_SCANS: Final = ("scan_container", "scan_token", "scans.0", "scans.1")


@dataclass(frozen=True, slots=True)
class AskedStep:
    """One step of one batch, and who asks for it; ``roles`` are those of theirs that may do it."""

    batch: Batch
    step: str
    details: type[Details]
    rule: Rule
    person: Identity
    roles: tuple[Role, ...]


@dataclass(frozen=True, slots=True)
class Said:
    """What is said above a form that comes back: why it was not recorded, or what is asked once before it is."""

    refused: str = ""
    is_misidentified: bool = False
    is_identified: bool = False
    problems: Mapping[str, str] = field(default_factory=dict)
    question: Question | None = None

    @property
    def next_scan(self) -> str:
        """The field that takes the next scan, which has the focus: the first that is missing; empty where none is."""
        if self.problems or self.is_identified:
            return next((name for name in _SCANS if name in self.problems), "")
        return _SCANS[0]


def asked_step(request: Request, batch_id: str, step: str) -> AskedStep:
    """Return the step of an address; a 404 in words where there is none, refused to whom it is not for."""
    batch = batch_named(request, batch_id)
    if step not in DOABLE:
        raise HTTPException(404, f"{step[:40]!r} is no step of a batch; the page of the batch lists what can be done")
    rule = RULES[DOABLE[step]]
    person = needing(request, rule.roles)
    return AskedStep(batch, step, DOABLE[step], rule, person, roles_for(person, step))


async def step_page(
    request: Request, asked: AskedStep, typed: Mapping[str, Any], said: Said | None = None, status: int = 200
) -> Response:
    """Return the form of a step with what was typed, or with what is known where nothing was."""
    context, said = context_of(request), Said() if said is None else said
    basis = Basis(asked.batch, context.recipes.of(asked.batch), context.clock.now())
    values = {
        "batch": asked.batch,
        "step": asked.step,
        "words": words_of(asked.step),
        "about": about_of(asked.details),
        "roles": asked.roles,
        "rule": asked.rule,
        "closed": closed_because(asked.batch, asked.step) or hindrance(asked.batch, basis.recipe, asked.step),
        "entry": str(typed.get("entry", ""))[:64] or new_entry(),
        "said": said,
        "typed": typed,
        "zone": context.zone,
        "waits": waits_for(asked.batch, basis.recipe, asked.step, basis.at),
        "needs_reason": NEEDS_REASON,
        "sheets": calculators(asked.step, basis, typed),
        **step_form(context, asked.batch, asked.details, typed, said.problems),
    }
    return page(request, "step.html", values, status)
