"""Recipes: where each number comes from, what new batches follow, and the approval of another text."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from cultureops.access.roles import PEOPLE, Role
from cultureops.batch.approval import RULE, approving
from cultureops.batch.recipe_entries import differences, entries, entry_text
from cultureops.batch.recipe_schema import Recipe
from cultureops.errors import BatchError, ConfigError, CultureOpsError
from cultureops.web.door.visitor import needing
from cultureops.web.form.fields import Reason
from cultureops.web.templating import context_of, page
from cultureops.web.upkeep.desk import Kind
from cultureops.web.upkeep.history import history_of
from cultureops.web.upkeep.pending import Pending, begin

__all__ = ["router"]

router = APIRouter(prefix="/recipes", include_in_schema=False)


@router.get("")
async def recipes_page(request: Request) -> Response:
    """Every recipe, and who approved what new batches follow."""
    needing(request, PEOPLE)
    context = context_of(request)
    rows = []
    for name in context.recipes.names():
        recipe, problem = None, ""
        try:
            recipe = context.recipes.candidate(name)
        except CultureOpsError as error:
            problem = str(error)
        batches = [batch.id for batch in context.batches.batches() if batch.recipe.name == name]
        approval = context.recipes.approval(name)
        rows.append({"name": name, "recipe": recipe, "approval": approval, "problem": problem, "batches": len(batches)})
    return page(request, "recipes.html", {"rows": rows, "zone": context.zone})


@router.get("/{name}")
async def recipe_page(request: Request, name: str) -> Response:
    """One recipe: its entries with their sources, how it differs from what is approved, and its history."""
    return _page(request, name)


def _page(request: Request, name: str, said: str = "", reason: str = "") -> Response:
    person, context = needing(request, PEOPLE), context_of(request)
    recipe, approval = _candidate(request, name), context.recipes.approval(name)
    try:
        approved = context.recipes.approved(name)
    except ConfigError:
        approved = None
    values = {
        "recipe": recipe,
        "approval": approval,
        "is_approved": approval is not None and approval.sha256 == recipe.sha256,
        "entries": [(name, entry_text(entry), entry) for name, entry in entries(recipe)],
        "changes": differences(approved, recipe) if approved is not None else (),
        "history": history_of(context.ledger.read(f"recipe:{name}")),
        "may_approve": Role.QUALITY_ASSURANCE in person.roles,
        "said": said,
        "reason": reason,
        "zone": context.zone,
    }
    return page(request, "recipe.html", values, 400 if said else 200)


@router.post("/{name}/approve")
async def approve(request: Request, name: str, sha256: Reason = "", reason: Reason = "") -> Response:
    """Show what is to be signed so that new batches follow this text."""
    needing(request, (Role.QUALITY_ASSURANCE,))
    recipe = _candidate(request, name)
    if sha256 != recipe.sha256:
        raise HTTPException(409, "another text stands there by now; open the recipe again and read it")
    if not reason.strip():
        return _page(request, name, "say why new batches are to follow it")
    try:
        command = approving(recipe, reason.strip())
    except BatchError as problem:
        return _page(request, name, str(problem), reason)
    told = (
        ("Recipe", recipe.label),
        ("Title", recipe.title),
        ("SHA-256 of its text", recipe.sha256),
        ("Entries", str(len(list(entries(recipe))))),
        ("Proposed defaults among them", str(sum(entry.is_default for _, entry in entries(recipe)))),
    )
    title = f"New batches follow {recipe.label}"
    return await begin(
        request, Pending(Kind.RECIPE, command, RULE, Role.QUALITY_ASSURANCE, title, told, f"/recipes/{name}")
    )


def _candidate(request: Request, name: str) -> Recipe:
    recipes = context_of(request).recipes
    if name not in recipes.names():
        raise HTTPException(404, f"there is no recipe {name[:60]!r}; the list of recipes shows all")
    return recipes.candidate(name)
