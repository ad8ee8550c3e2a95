"""What the commands on recipes show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from cultureops.batch.recipe import load_recipe, recipe_names
from cultureops.batch.recipe_schema import Quantity, Statement
from cultureops.errors import ConfigError
from cultureops.keeping.entry import print_grid, print_json

__all__ = ["check_recipe", "list_recipes"]


def list_recipes(*, as_json: bool) -> None:
    """Print the newest version of every shipped recipe."""
    recipes = [load_recipe(name) for name in recipe_names()]
    if as_json:
        print_json([{"name": it.name, "version": it.version, "title": it.title, "sha256": it.sha256} for it in recipes])
        return
    print_grid(
        ("name", "version", "title", "sha256"),
        [(it.name, str(it.version), it.title, it.sha256[:12]) for it in recipes],
        "no recipe",
    )


def check_recipe(file: Path, *, as_json: bool) -> None:
    """Read a recipe file; raises ConfigError with file, line and entry for the first thing that is wrong."""
    if file.suffix != ".toml":
        raise ConfigError(f"{file}: a recipe is a .toml file")
    recipe = load_recipe(file)
    entries = list(_entries(recipe))
    defaults = [(name, entry) for name, entry in entries if entry.is_default]
    if as_json:
        print_json(
            {
                "file": str(file),
                "name": recipe.name,
                "version": recipe.version,
                "sha256": recipe.sha256,
                "entries": len(entries),
                "defaults": [{"entry": name, "reference": entry.origin} for name, entry in defaults],
            }
        )
        return
    print(f"{recipe.label}, {len(entries)} entries, nothing wrong; SHA-256 {recipe.sha256}")
    print(f"{len(defaults)} are defaults of ours, which quality assurance signs:")
    for name, entry in defaults:
        print(f"  {name}: {entry.origin}")


def _entries(section: Any, path: str = "") -> Iterator[tuple[str, Quantity | Statement]]:
    """Yield each entry of a recipe by its dotted name."""
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
