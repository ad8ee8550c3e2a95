"""Steps on what a lab works with: what may be done to it, and what waits to be signed.

A step that is signed is shown first, exactly as it will stand; what was shown is kept here, by the offer that was made
of it, so that what is signed is what was shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fastapi import HTTPException, Request
from starlette.responses import RedirectResponse, Response

from cultureops.access import Identity
from cultureops.access.roles import Role
from cultureops.batch.approval import RECIPES
from cultureops.conduct import Command, Rule, shown_of
from cultureops.equipment.decide import RULES as EQUIPMENT_RULES
from cultureops.equipment.events import PREFIX as EQUIPMENT
from cultureops.errors import AccessError, BatchError, SignatureInvalid
from cultureops.field import Details
from cultureops.material.decide import RULES as LOT_RULES
from cultureops.material.events import PREFIX as LOTS
from cultureops.web.door.visitor import needing, visitor_of
from cultureops.web.templating import context_of, page
from cultureops.web.upkeep.desk import Kind

__all__ = [
    "Pending",
    "begin",
    "finish",
    "open_steps",
    "roles_in",
    "rule_of",
    "step_named",
    "stream_of",
]

MOST_PENDING: Final = 50


_RULES: Final[Mapping[Kind, Mapping[type[Details], Rule]]] = {Kind.EQUIPMENT: EQUIPMENT_RULES, Kind.LOT: LOT_RULES}
_PREFIXES: Final = {Kind.EQUIPMENT: EQUIPMENT, Kind.LOT: LOTS, Kind.RECIPE: RECIPES, Kind.SITE: ""}


@dataclass(frozen=True, slots=True)
class Pending:
    """A step that was shown and is to be signed: ``told`` is what the person reads, ``back`` where they go on."""

    kind: Kind
    command: Command
    rule: Rule
    role: Role
    title: str
    told: tuple[tuple[str, str], ...]
    back: str


def rule_of(kind: Kind, step: type[Details]) -> Rule:
    """Return the row of a step of equipment or of a lot."""
    return _RULES[kind][step]


def step_named(kind: Kind, name: str) -> type[Details]:
    """Return a step by its name; a 404 in words for one there is not."""
    found = next((step for step in _RULES[kind] if step.__name__ == name), None)
    if found is None:
        raise HTTPException(
            404, f"{name[:40]!r} is no step here; expected {', '.join(s.__name__ for s in _RULES[kind])}"
        )
    return found


def open_steps(kind: Kind, state: str, person: Identity) -> tuple[type[Details], ...]:
    """Return the steps that state and roles allow now."""
    return tuple(step for step, rule in _RULES[kind].items() if state in rule.states and person.roles & _roles(rule))


def roles_in(rule: Rule, person: Identity) -> tuple[Role, ...]:
    """Return in which of their roles somebody may do it."""
    return tuple(sorted(person.roles & _roles(rule)))


def _roles(rule: Rule) -> frozenset[Role]:
    return frozenset(Role(role) for role in rule.roles)


def stream_of(kind: Kind, command: Command) -> str:
    """Return the stream that a command is about."""
    return _PREFIXES[kind] + command.subject_id


async def begin(request: Request, asked: Pending) -> Response:
    """Carry out a step, or show what is to be signed of it."""
    person = needing(request, _roles(asked.rule))
    if asked.rule.signed is not None:
        return await _offered(request, asked, person)
    await context_of(request).upkeep.keep(asked.kind, asked.command, person.acting(asked.role))
    return RedirectResponse(asked.back, 303)


async def finish(request: Request, offer: str, password: str, code: str) -> Response:
    """Sign what was shown and carry it out; what has changed meanwhile is shown anew."""
    asked = _pending(request).get(offer)
    if asked is None:
        raise HTTPException(409, "what was shown is not kept any more, and nothing was recorded; open the step again")
    context, person = context_of(request), needing(request, _roles(asked.rule))
    try:
        source = visitor_of(request).source
        signature = await context.access.sign(offer, password, code, source, person.session_id)
        await context.upkeep.keep(asked.kind, asked.command, person.acting(asked.role), (signature,))
    except (AccessError, BatchError, SignatureInvalid) as problem:
        return await _offered(request, asked, person, str(problem))
    del _pending(request)[offer]
    return RedirectResponse(asked.back, 303)


async def _offered(request: Request, asked: Pending, person: Identity, said: str = "") -> Response:
    context, meaning = context_of(request), asked.rule.signed
    assert meaning is not None
    stream = stream_of(asked.kind, asked.command)
    events = list(context.ledger.read(stream))
    shown = shown_of(stream, events, asked.command)
    offer = await context.access.offer(person.username, asked.role, meaning, shown, person.session_id)
    pending = _pending(request)
    while len(pending) >= MOST_PENDING:
        del pending[next(iter(pending))]
    pending[offer.id] = asked
    values: dict[str, Any] = {
        "asked": asked,
        "offer": offer,
        "shown": shown,
        "meaning": meaning,
        "said": said,
        "zone": context.zone,
    }
    return page(request, "upkeep_sign.html", values, 409 if said else 200)


def _pending(request: Request) -> dict[str, Pending]:
    state = request.app.state
    if not hasattr(state, "pending_upkeep"):
        state.pending_upkeep = {}
    kept: dict[str, Pending] = state.pending_upkeep
    return kept
