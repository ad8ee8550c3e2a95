"""What is asked once before a step is recorded: figures off the recipe, a doubt, a form that was typed long ago."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from cultureops.batch.case import Plan
from cultureops.batch.commands import Command
from cultureops.batch.events import DeviationOpened
from cultureops.clock import DAY_MS, Instant
from cultureops.conduct import LATE_ENTRY_MS

__all__ = ["Question", "done_then", "question_of"]

OFFLINE: Final = "entered offline"
KEPT_MS: Final = DAY_MS
"""How long a browser keeps what was typed; see draft.js."""


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody has to look at again; ``id`` changes with it, so that an answer is to this question alone.

    ``deviations`` are what the step would open; ``doubt`` needs a second person; ``typed_at`` [ms UTC] is when the form
    was filled in, None where that was just now.
    """

    id: str
    warnings: tuple[str, ...]
    deviations: tuple[str, ...]
    doubt: str
    typed_at: Instant | None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to ask."""
        return not (self.warnings or self.deviations or self.doubt or self.typed_at is not None)


def question_of(plan: Plan, form: Mapping[str, Any], now: Instant) -> Question | None:
    """Return what is to be asked about a filled form, None where nothing is or it was answered already."""
    opened = tuple(f"{one.severity}: {one.description}" for one in plan.also if isinstance(one, DeviationOpened))
    typed_at = None if str(form.get("occurred_at", "")).strip() else _typed_at(form, now)
    asked = Question("", plan.warnings, opened, plan.doubt, typed_at if not _answer(form) else None)
    if asked.is_empty:
        return None
    said = "\n".join((*asked.warnings, *asked.deviations, asked.doubt))
    name = hashlib.sha256(said.encode()).hexdigest()[:16] if said.strip() else ""
    if asked.typed_at is None and form.get("confirmed") == name:
        return None
    return replace(asked, id=name)


def done_then(command: Command, form: Mapping[str, Any], now: Instant) -> Command:
    """Return the command as of when it was typed, where somebody has said that it was done then.

    Nobody was offline for longer than a browser keeps what was typed: what is older needs a reason of its own.
    """
    answer = _answer(form)
    if not answer.isdecimal() or command.occurred_at is not None or int(answer) > now:
        return command
    said = OFFLINE if now - int(answer) <= KEPT_MS else ""
    return replace(command, occurred_at=int(answer), reason=command.reason or said)


def _answer(form: Mapping[str, Any]) -> str:
    """Return when somebody says that it was done: just now, or when the form was filled in at first; else empty."""
    answer, typed = (str(form.get(name, "")).strip() for name in ("done_at", "typed_at"))
    is_time = all(text.isdecimal() and len(text) <= 15 for text in (answer, typed))
    return answer if answer == "now" or (is_time and int(answer) <= int(typed)) else ""


def _typed_at(form: Mapping[str, Any], now: Instant) -> Instant | None:
    """Return when the form was filled in, where that is so long ago that an entry of it would be late."""
    text = str(form.get("typed_at", "")).strip()
    if not text.isdecimal() or len(text) > 15:
        return None
    return int(text) if now - int(text) > LATE_ENTRY_MS else None
