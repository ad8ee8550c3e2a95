"""What a person may sign of a batch, and the words of what they are shown before they do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from cultureops.access import Identity, Role
from cultureops.batch.batch import Batch
from cultureops.batch.commands import CheckEffectiveness, Hold, Recall, Reject, Resume, Review
from cultureops.batch.field import Details
from cultureops.batch.rules import RULES
from cultureops.batch.signed import Standing
from cultureops.clock import MINUTE_MS
from cultureops.web.context import WebContext
from cultureops.web.form.details_form import label
from cultureops.web.templating import stamp

__all__ = [
    "NEEDS_REASON",
    "STEPS",
    "choices_in",
    "known_of",
    "open_steps",
    "roles_for",
    "standing_row",
    "told",
    "words_of",
]

STEPS: Final[Mapping[str, type[Details]]] = {
    details.__name__: details for details, rule in RULES.items() if rule.signed is not None
}
"""The steps that are signed, by the name under which they stand in addresses and signatures."""
_TOLD: Final = ("printed_name", "username", "role", "meaning", "signed_at", "zone", "method", "shown_sha256")
NEEDS_REASON: Final = frozenset(step.__name__ for step in (Hold, Recall, Reject, Resume))
"""Where the reason is all that a step says."""


def words_of(step: str) -> str:
    """Write a step's name as people do: ``ReleaseConditionally`` is Release conditionally."""
    return "".join(f" {char.lower()}" if char.isupper() and at else char for at, char in enumerate(step))


def roles_for(identity: Identity, step: str) -> tuple[Role, ...]:
    """Return in which of their roles somebody may sign a step."""
    return tuple(sorted(identity.roles & RULES[STEPS[step]].roles))


def open_steps(batch: Batch, identity: Identity) -> tuple[str, ...]:
    """Return the steps that somebody's roles and the batch's state allow now; gates may still hold them up."""
    return tuple(
        step for step, details in STEPS.items() if batch.state in RULES[details].states and roles_for(identity, step)
    )


async def known_of(context: WebContext, step: str, batch: Batch) -> Mapping[str, Any]:
    """Return what the form of a step is filled with: the version read, and whatever waits for a judgement."""
    if step != Review.__name__:
        return {}
    longest_ms = context.recipes.of(batch).culture.max_gap.value * MINUTE_MS
    waiting = [(one.id, one.text) for one in batch.exposures if one.wants_assessment]
    waiting += [(gap.id, gap.reason) for gap in await context.gaps(batch) if gap.end - gap.start > longest_ms]
    unjudged = [{"subject": name, "note": text} for name, text in waiting if name not in batch.assessed]
    return {"version": batch.version, "assessments": unjudged}


def choices_in(batch: Batch, step: str) -> Mapping[str, Sequence[str]]:
    """Return what can be chosen where a step names something of the batch; actions outlive their deviation."""
    if step != CheckEffectiveness.__name__:
        return {"deviation_id": [deviation.id for deviation in batch.open_deviations]}
    waiting = [(one.id, a.id) for one in batch.deviations for a in one.actions if a.is_effective is not True]
    return {
        "deviation_id": list(dict.fromkeys(deviation_id for deviation_id, _ in waiting)),
        "action_id": [action_id for _, action_id in waiting],
    }


def told(details: Details) -> list[tuple[str, str]]:
    """Return the fields of a command as a person reads them before they sign: every one, also those left empty."""
    return [(label(name), _written(value)) for name, value in details.model_dump(mode="json").items()]


def standing_row(one: Standing) -> dict[str, Any]:
    """Return a signature as programs read it; ``shown_at`` is its time as it stands on pages and paper."""
    signature = one.signature
    row: dict[str, Any] = {"step": one.step, "version": one.version, "position": one.position, "standing": one.text}
    if signature is None:
        return row
    shown_at = stamp(signature.signed_at, signature.zone)
    return row | {name: value for name, value in signature.data().items() if name in _TOLD} | {"shown_at": shown_at}


def _written(value: Any) -> str:
    if value is None or value in ("", []):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "\n".join(_written(one) for one in value)
    if isinstance(value, dict):
        return ": ".join(str(one) for one in value.values())
    return str(value)
