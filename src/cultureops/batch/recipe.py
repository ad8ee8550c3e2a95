"""Recipes: a published process as data, where every number says where it comes from.

A recipe file is TOML. Each entry is ``{ value = 12, unit = "mL", source = "T 2.3" }``, or has ``text`` or
``texts`` for value and unit; what the paper leaves open is ``default = true`` with a ``reference``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar, get_args, get_origin, get_type_hints

from cultureops.batch.recipe_schema import Bounds, Dosing, Quantity, Recipe, RouteDose, Statement
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
    "shipped_hash",
]

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_FILE: Final = re.compile(r"([a-z][a-z0-9_]*)\.v([0-9]+)\.toml")


def recipe_names() -> tuple[str, ...]:
    """Return the names of the recipes that come with cultureops, sorted."""
    return tuple(sorted(_shipped()))


def _shipped() -> dict[str, list[str]]:
    """Return the shipped files of each recipe, newest version first; a version once used is never taken away."""
    found: dict[str, list[tuple[int, str]]] = {}
    for file in (resources.files("cultureops.batch") / "recipes").iterdir():
        if match := _FILE.fullmatch(file.name):
            found.setdefault(match[1], []).append((int(match[2]), file.name))
    return {name: [file for _, file in sorted(files, reverse=True)] for name, files in found.items()}


def _read_shipped(file: str) -> Recipe:
    return parse_recipe((resources.files("cultureops.batch") / "recipes" / file).read_bytes(), file)


def load_recipe(name_or_path: str | Path) -> Recipe:
    """Read the newest version of a shipped recipe, or any file that ends in ``.toml``.

    A file of the site's own needs ``[hold]`` (our own rule); recipes that batches already pin, or that came with us
    before there was such a section, are read without it by ``parse_recipe``. Raises ConfigError with file and line.
    """
    text = str(name_or_path)
    if text.endswith(".toml"):
        path = Path(text)
        try:
            recipe = parse_recipe(path.read_bytes(), text)
        except OSError as error:
            raise ConfigError(f"{text}: can't be read ({error.strerror}); name a recipe file") from None
        if recipe.hold is None and shipped_hash(recipe.name, recipe.version) != recipe.sha256:
            raise ConfigError(f"{text}: [hold]: is missing; say how long cells may be out of controlled storage")
        return recipe
    return _read_shipped(_files_of(text)[0])


def _files_of(name: str) -> list[str]:
    shipped = _shipped()
    if name not in shipped:
        raise ConfigError(f"no recipe is named {name!r}; known: {', '.join(sorted(shipped))}, or give a .toml file")
    return shipped[name]


def find_recipe(name: str, sha256: str | None = None) -> Recipe:
    """Return a shipped recipe: the newest version, or where ``sha256`` is given exactly that one.

    Raises ConfigError when the recipe is unknown or none of its files is the one that was pinned.
    """
    if sha256 is None:
        return load_recipe(name)
    versions = [_read_shipped(file) for file in _files_of(name)]
    for recipe in versions:
        if recipe.sha256 == sha256:
            return recipe
    known = ", ".join(f"version {recipe.version} is {recipe.sha256[:12]}..." for recipe in versions)
    raise ConfigError(
        f"recipe {name}: the batch pins sha256 {sha256[:12]}..., the files here differ ({known}); "
        "install the version the batch started with"
    )


def shipped_hash(name: str, version: int) -> str | None:
    """Return the SHA-256 of the file that comes with cultureops as this version of a recipe, None where none does."""
    file = f"{name}.v{version}.toml"
    return _read_shipped(file).sha256 if file in _shipped().get(name, ()) else None


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
    given: dict[str, object] = {
        "name": name,
        "version": table.integer("version", minimum=1),
        "title": table.text("title"),
        "sha256": hashlib.sha256(data).hexdigest(),
        "text": data.decode(),
        "dose": _dosing(table.table("dose")),
    }
    for section, kind in _sections().items():
        if section in _OPTIONAL_SECTIONS and not table.has(section):
            continue
        given[section] = _read(table.table(section), kind)
    table.done()
    recipe = Recipe(**given)  # type: ignore[arg-type]
    _check_order(table, recipe)
    _check_whole(table, recipe)
    return recipe


def _sections() -> dict[str, Any]:
    """Return the sections of a recipe by name, but for the doses, whose routes are tables of their own."""
    hints = get_type_hints(Recipe)
    kinds = {
        name: next(part for part in (*get_args(hint), hint) if part is not type(None)) for name, hint in hints.items()
    }
    return {name: kind for name, kind in kinds.items() if is_dataclass(kind) and kind is not Dosing}


_OPTIONAL_SECTIONS: Final = frozenset(item.name for item in fields(Recipe) if item.default is None)


S = TypeVar("S")


def _read(table: Table, kind: type[S], given: Mapping[str, object] | None = None) -> S:
    """Fill a section's dataclass from its table, entry by entry."""
    entries: dict[str, object] = dict(given or {})
    hints = get_type_hints(kind, include_extras=True)
    for item in fields(kind):  # type: ignore[arg-type]
        hint = hints[item.name]
        if item.name in entries or (_is_optional(hint) and not table.has(item.name)):
            continue
        entry = table.table(item.name)
        entries[item.name] = _statement(entry) if _is_text(hint) else _quantity(entry, _bounds(hint))
        entry.done()
    table.done()
    return kind(**entries)


def _is_text(hint: Any) -> bool:
    return hint is Statement or Statement in get_args(hint)


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
            if key in _SPINAL and routes[key].endotoxin_max.value > _SPINAL_ENDOTOXIN_MAX:
                said = f"expected at most {_SPINAL_ENDOTOXIN_MAX:g} {{EU}}/kg on the way to the spine"
                raise table.table(key).table("endotoxin_max").error(said, "value")
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
        ("culture", "duration_min", "duration_max"),
        ("passage", "confluence", "confluence_alarm"),
        ("passage", "harvest_min", "max"),
        ("qc", "sterility_release_read", "sterility_final_read"),
        ("release", "viability_floor", "viability_min"),
        ("release", "viability_seen_min", "viability_seen_max"),
        ("transport", "temperature_min", "temperature_max"),
        ("labelling", "duration_min", "duration_max"),
        ("resuspension", "density_min", "density_max"),
    )
    for section, low, high in pairs:
        entries = getattr(recipe, section)
        if entries is None or getattr(entries, low) is None or getattr(entries, high) is None:
            continue
        low_value, high_value = getattr(entries, low).value, getattr(entries, high).value
        if low_value > high_value:
            raise table.table(section).error(f"{low_value:g} is above {high} {high_value:g}", low)


_SPINAL: Final = frozenset({"IT"})
_SPINAL_ENDOTOXIN_MAX: Final = 5.0
"""A bound of ours, like those of the schema: 25 times what USP <85> allows intrathecally [EU/kg]."""
_FROZEN: Final = ("freezing", "transfer", "thawing", "washing")
_ANCHORS: Final = ("seeding", "freezing")


def _check_whole(table: Table, recipe: Recipe) -> None:
    """Refuse a process of which a part is missing."""
    present = [name for name in _FROZEN if getattr(recipe, name) is not None]
    if present and len(present) < len(_FROZEN):
        missing = next(name for name in _FROZEN if name not in present)
        raise table.table(present[0]).error(f"a frozen product needs [{missing}] as well")
    if recipe.labelling is not None and not present:
        raise table.table("labelling").error("only a frozen product, which is washed, can be labelled")
    _check_qc(table.table("qc"), recipe)
    for name, route in recipe.dose.routes.items():
        if (route.cells_per_kg is None) == (route.fraction is None):
            raise table.table("dose").table(name).error("expected either cells_per_kg or fraction")
    if any(route.fraction is not None for route in recipe.dose.routes.values()):
        total = sum(route.fraction.value for route in recipe.dose.routes.values() if route.fraction is not None)
        if recipe.dose.fraction_tolerance is None or abs(total - 1) > 0.001:
            raise table.table("dose").error("fractions need a fraction_tolerance and make 1 together")


def _check_qc(table: Table, recipe: Recipe) -> None:
    qc = recipe.qc
    if "sterility" not in qc.passage_tests and qc.sample_due is None:
        raise table.error(
            "a process without any sterility test; name sterility in per_passage, or give sample_due with sample_anchor"
        )
    if (qc.sample_due is None) != (qc.sample_anchor is None):
        raise table.error("sample_due and sample_anchor come together")
    if qc.sample_anchor is not None and qc.sample_anchor.text not in _ANCHORS:
        raise table.table("sample_anchor").error(f"expected one of {', '.join(_ANCHORS)}", "text")
    if qc.sample_anchor is not None and qc.sample_anchor.text == "freezing" and not recipe.is_frozen:
        raise table.table("sample_anchor").error("nothing is frozen in this process", "text")
