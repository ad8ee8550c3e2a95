"""Opening a batch: which recipes are approved for new ones, and which name the next batch has."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from cultureops.batch.batch import Batch
from cultureops.batch.recipe_schema import Recipe
from cultureops.batch.shelf import RecipeShelf
from cultureops.clock import Instant
from cultureops.errors import BatchError, ConfigError

__all__ = ["Approved", "approved_recipes", "free_batch_id", "of_patient"]

_NUMBERED: Final = re.compile(r"B-(?P<year>[0-9]{4})-(?P<number>[0-9]{3,6})")


@dataclass(frozen=True, slots=True)
class Approved:
    """A recipe that new batches may follow, with who approved it and when [ms UTC]."""

    recipe: Recipe
    approved_by: str
    approved_at: Instant


def approved_recipes(recipes: RecipeShelf) -> list[Approved]:
    """Return the recipes that quality assurance has approved for new batches, by name."""
    found: list[Approved] = []
    for name in recipes.names():
        try:
            recipe = recipes.lookup(name, None)
        except (BatchError, ConfigError):
            continue  # nobody has approved it, or what was approved is not what stands there
        if (approval := recipes.approval(name)) is not None:
            found.append(Approved(recipe, approval.signature.printed_name, approval.at))
    return found


def free_batch_id(batches: Iterable[Batch], now: Instant, zone: ZoneInfo) -> str:
    """Return the next name of a batch in this year at the site, such as B-2026-004."""
    year = f"{datetime.fromtimestamp(now / 1000, UTC).astimezone(zone):%Y}"
    known = (_NUMBERED.fullmatch(batch.id) for batch in batches)
    last = max((int(match["number"]) for match in known if match is not None and match["year"] == year), default=0)
    return f"B-{year}-{last + 1:03d}"


def of_patient(batches: Iterable[Batch], token: str) -> list[Batch]:
    """Return the batches that a patient has already."""
    return [batch for batch in batches if token and batch.patient_token == token]
