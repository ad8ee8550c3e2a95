"""The entries of a recipe one by one, and how two texts of it differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from cultureops.batch.recipe_schema import Quantity, Recipe, Statement

__all__ = ["Difference", "differences", "entries", "entry_text"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One entry that two recipes have otherwise; None where one has none."""

    name: str
    before: str | None
    after: str | None


def entries(recipe: Recipe) -> Iterator[tuple[str, Quantity | Statement]]:
    """Yield each entry by its dotted name, in the order of the schema."""
    return _entries(recipe, "")


def _entries(section: Any, path: str) -> Iterator[tuple[str, Quantity | Statement]]:
    if isinstance(section, Quantity | Statement):
        yield path, section
        return
    items: list[tuple[str, Any]] = []
    if isinstance(section, dict):
        items = list(section.items())
    elif is_dataclass(section):
        items = [(item.name, getattr(section, item.name)) for item in fields(section)]
    for name, value in items:
        yield from _entries(value, f"{path}.{name}" if path and name != "routes" else path or name)


def entry_text(entry: Quantity | Statement | None) -> str | None:
    """Write an entry with its unit; None stays None."""
    if entry is None:
        return None
    return f"{entry.value:g} {entry.unit}" if isinstance(entry, Quantity) else entry.text


def differences(before: Recipe | None, after: Recipe) -> tuple[Difference, ...]:
    """Return the entries that differ, or all where there was no recipe before."""
    old = {} if before is None else {name: entry_text(entry) for name, entry in entries(before)}
    new = {name: entry_text(entry) for name, entry in entries(after)}
    names = dict.fromkeys((*old, *new))
    return tuple(Difference(n, old.get(n), new.get(n)) for n in names if old.get(n) != new.get(n))
