"""Approval of recipes: which text new batches follow is a decision that quality assurance signs.

A running batch keeps the text that it pins. The ledger keeps every approved text word for word, so that limits outlive
files and installations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import Field

from cultureops.access.signature import Meaning, Signature, content_sha256, signatures_in
from cultureops.batch.field import Details, Name, Sha256, Whole
from cultureops.batch.recipe import shipped_hash
from cultureops.batch.recipe_schema import Recipe
from cultureops.clock import Instant
from cultureops.conduct import ABSENT, Command, Rule, carry_out, permit
from cultureops.errors import SignatureInvalid, TransitionRefused
from cultureops.field import data_of
from cultureops.ledger.event import Actor, Event, NewEvent, Source
from cultureops.ledger.store import Ledger

__all__ = ["RECIPES", "RULE", "Approval", "ApproveRecipe", "approval_in", "approve", "approving"]

RECIPES: Final = "recipe:"
"""How the streams begin that keep the recipes in use, word for word."""
APPROVED: Final = "recipe_approved"
_STATES: Final = frozenset({ABSENT, "on record"})
RULE: Final = Rule(_STATES, frozenset({"QA"}), needs_reason=True, in_order=False, signed=Meaning.APPROVED)


class ApproveRecipe(Details):
    """Let new batches follow exactly this text of a recipe."""

    name: Name
    version: Annotated[Whole, Field(ge=1)]
    sha256: Sha256
    text: Annotated[str, Field(strict=True, min_length=1, max_length=500_000)]


@dataclass(frozen=True, slots=True)
class Approval:
    """Who let new batches follow a recipe, and since when [ms UTC]."""

    name: str
    version: int
    sha256: str
    at: Instant
    signature: Signature
    reason: str


def approving(recipe: Recipe, reason: str) -> Command:
    """Return the command that approves a recipe."""
    details = ApproveRecipe(name=recipe.name, version=recipe.version, sha256=recipe.sha256, text=recipe.text)
    return Command(recipe.name, details, None, reason)


def approval_in(event: Event) -> Approval | None:
    """Return the approval that an event is; None for any other, and for one that carries no fitting signature."""
    if event.type != APPROVED or not event.stream.startswith(RECIPES):
        return None
    try:
        (signature, *_) = signatures_in(event) or (None,)
    except SignatureInvalid:
        return None
    if signature is None or (signature.role, signature.meaning) != ("QA", Meaning.APPROVED):
        return None
    if signature.content_sha256 != content_sha256(event):
        return None
    data = event.data
    name, version, sha256 = str(data["name"]), int(str(data["version"])), str(data["sha256"])
    return Approval(name, version, sha256, event.occurred_at, signature, event.reason)


async def approve(
    ledger: Ledger, command: Command, now: Instant, actor: Actor, signatures: Sequence[Signature]
) -> Approval:
    """Approve a recipe by a command of ``approving``, signed by who gives it.

    A refusal is itself recorded, then raised: TransitionRefused for a text that is approved already, or that is not the
    one which is known under this name and version.
    """

    def decided(events: Sequence[Event]) -> NewEvent:
        return _decide(events, command, now, actor)

    stream = RECIPES + command.subject_id
    events = await carry_out(ledger, stream, decided, command, now, actor, None, RULE.signed, signatures)
    approval = approval_in(events[-1])
    assert approval is not None
    return approval


def _decide(events: Sequence[Event], command: Command, now: Instant, actor: Actor) -> NewEvent:
    details = command.details
    assert isinstance(details, ApproveRecipe)
    what = f"recipe {details.name} v{details.version}"
    at = permit(RULE, command, what=what, state="on record" if events else ABSENT, since=None, now=now, actor=actor)
    approvals = [approval for event in events if (approval := approval_in(event)) is not None]
    if approvals and approvals[-1].sha256 == details.sha256:
        raise TransitionRefused(f"{what}: is approved already, by {approvals[-1].signature.username}")
    known = {event.data["sha256"] for event in events if event.data.get("version") == details.version}
    known |= {shipped_hash(details.name, details.version)} - {None}
    if known - {details.sha256}:
        raise TransitionRefused(f"{what}: another text is known under this name and version; change the version")
    return NewEvent(APPROVED, dict(data_of(details)), actor, Source.HUMAN, at, command.reason)
