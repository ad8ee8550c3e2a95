"""Recipes: a published process as data, where every number says where it comes from.

A recipe file is TOML. Each entry is ``{ value = 12, unit = "mL", source = "T 2.3" }``, or has ``text`` or
``texts`` for value and unit; what the paper leaves open is ``default = true`` with a ``reference``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import fields
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar, get_args, get_origin, get_type_hints

from cultureops.batch.recipe_schema import (
    Bounds,
    Counting,
    Culture,
    Dosing,
    Intake,
    Isolation,
    Passage,
    Qc,
    Quantity,
    Recipe,
    Release,
    RouteDose,
    Seeding,
    Statement,
    Transport,
)
from cultureops.config import Table, parse
from cultureops.errors import ConfigError

__all__ = [
    "Quantity",
    "Recipe",
    "RouteDose",
    "Statement",
    "find_recipe",
    "load_recipe",
    "parse_recipe",
    "recipe_names",
]

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")


def recipe_names() -> tuple[str, ...]:
    """Return the names of the recipes that come with cultureops, sorted."""
    folder = resources.files("cultureops.batch") / "recipes"
    return tuple(sorted(file.name[:-5] for file in folder.iterdir() if file.name.endswith(".toml")))


def load_recipe(name_or_path: str | Path) -> Recipe:
    """Read a recipe by its name, or any file that ends in ``.toml``; raise ConfigError with file and line."""
    text = str(name_or_path)
    if text.endswith(".toml"):
        path = Path(text)
        try:
            return parse_recipe(path.read_bytes(), text)
        except OSError as error:
            raise ConfigError(f"{text}: can't be read ({error.strerror}); name a recipe file") from None
    if not _NAME.fullmatch(text) or text not in recipe_names():
        known = ", ".join(recipe_names())
        raise ConfigError(f"no recipe is named {text!r}; known: {known}, or give a .toml file")
    file = resources.files("cultureops.batch") / "recipes" / f"{text}.toml"
    return parse_recipe(file.read_bytes(), f"{text}.toml")


def find_recipe(name: str, sha256: str | None = None) -> Recipe:
    """Return a recipe by name, and where ``sha256`` is given only if it is exactly that one.

    Raises ConfigError when the recipe is unknown or its file is not the one that was pinned.
    """
    recipe = load_recipe(name)
    if sha256 is not None and recipe.sha256 != sha256:
        raise ConfigError(
            f"recipe {name}: the batch pins sha256 {sha256[:12]}..., the file here has "
            f"{recipe.sha256[:12]}... (version {recipe.version}); install the version the batch started with"
        )
    return recipe


@lru_cache(maxsize=64)
def parse_recipe(data: bytes, file: str) -> Recipe:
    """Read a recipe file's bytes; raise ConfigError naming file, line and entry."""
    try:
        table = parse(data.decode("utf-8"), file)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: not UTF-8 text at byte {error.start}") from None
    name = table.text("name")
    if not _NAME.fullmatch(name):
        raise table.error("expected small letters, digits and underscores", "name")
    recipe = Recipe(
        name=name,
        version=table.integer("version", minimum=1),
        title=table.text("title"),
        sha256=hashlib.sha256(data).hexdigest(),
        intake=_section(table, "intake", Intake),
        isolation=_section(table, "isolation", Isolation),
        seeding=_section(table, "seeding", Seeding),
        culture=_section(table, "culture", Culture),
        passage=_section(table, "passage", Passage),
        counting=_section(table, "counting", Counting),
        qc=_section(table, "qc", Qc),
        release=_section(table, "release", Release),
        transport=_section(table, "transport", Transport),
        dose=_dosing(table.table("dose")),
    )
    table.done()
    _check_order(table, recipe)
    return recipe


S = TypeVar("S")


def _section(table: Table, name: str, kind: type[S]) -> S:
    return _read(table.table(name), kind)


def _read(table: Table, kind: type[S], given: Mapping[str, object] | None = None) -> S:
    """Fill a section's dataclass from its table, entry by entry."""
    entries: dict[str, object] = dict(given or {})
    hints = get_type_hints(kind, include_extras=True)
    for item in fields(kind):  # type: ignore[arg-type]
        hint = hints[item.name]
        if item.name in entries or (_is_optional(hint) and not table.has(item.name)):
            continue
        entry = table.table(item.name)
        entries[item.name] = _statement(entry) if hint is Statement else _quantity(entry, _bounds(hint))
        entry.done()
    table.done()
    return kind(**entries)


def _is_optional(hint: Any) -> bool:
    return type(None) in get_args(hint)


def _bounds(hint: Any) -> Bounds:
    """Return the bounds that a field's annotation carries."""
    if get_origin(hint) is Annotated:
        bounds = get_args(hint)[1]
        assert isinstance(bounds, Bounds)
        return bounds
    return _bounds(next(part for part in get_args(hint) if part is not type(None)))


def _quantity(entry: Table, bounds: Bounds) -> Quantity:
    value = entry.number("value", minimum=bounds.minimum, maximum=bounds.maximum)
    if bounds.whole and value != int(value):
        raise entry.error(f"expected a whole number, not {value:g}", "value")
    return Quantity(value, entry.text("unit", choices=(bounds.unit,)), *_origin(entry))


def _statement(entry: Table) -> Statement:
    texts = entry.texts("texts") if entry.has("texts") else (entry.text("text"),)
    if not texts or not all(text.strip() for text in texts):
        raise entry.error("expected at least one text, none of them empty", "texts")
    return Statement(texts, *_origin(entry))


def _origin(entry: Table) -> tuple[str, bool]:
    """Return where an entry comes from, and whether it is our own default."""
    if entry.flag("default", False):
        if entry.has("source"):
            raise entry.error("a default has a reference and no source; state one of them", "source")
        return entry.text("reference"), True
    return entry.text("source"), False


def _dosing(table: Table) -> Dosing:
    routes: dict[str, RouteDose] = {}
    for key in table.keys():  # noqa: SIM118 - a Table is no mapping
        if key.isupper():
            routes[key] = _read(table.table(key), RouteDose)
            if routes[key].volume_min.value > routes[key].volume_max.value:
                raise table.table(key).error("is above volume_max", "volume_min")
    if not routes:
        raise table.error("expected at least one route, e.g. [dose.IV]")
    return _read(table, Dosing, {"routes": routes})


def _check_order(table: Table, recipe: Recipe) -> None:
    """Refuse limits that contradict each other."""
    pairs = (
        ("intake", "receipt_temperature_min", "receipt_temperature_max"),
        ("culture", "first_medium_change_min", "first_medium_change_max"),
        ("culture", "medium_interval_min", "medium_interval_max"),
        ("culture", "medium_interval_max", "medium_interval_alarm"),
        ("passage", "confluence", "confluence_alarm"),
        ("passage", "harvest_min", "max"),
        ("qc", "sterility_release_read", "sterility_final_read"),
        ("release", "viability_floor", "viability_min"),
        ("release", "viability_seen_min", "viability_seen_max"),
        ("transport", "temperature_min", "temperature_max"),
    )
    for section, low, high in pairs:
        entries = getattr(recipe, section)
        low_value, high_value = getattr(entries, low).value, getattr(entries, high).value
        if low_value > high_value:
            raise table.table(section).error(f"{low_value:g} is above {high} {high_value:g}", low)
