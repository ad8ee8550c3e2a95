"""What the commands on recipes do and show."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cultureops.batch.approval import RECIPES, RULE, Approval, approval_in, approve, approving
from cultureops.batch.recipe import find_recipe, load_recipe, parse_recipe, recipe_names
from cultureops.batch.recipe_entries import differences, entries
from cultureops.batch.recipe_schema import Recipe
from cultureops.clock import SystemClock, iso
from cultureops.conduct import shown_of
from cultureops.errors import BatchError, ConfigError
from cultureops.keeping.entry import Entry, entering, ledger_of, print_grid, print_json
from cultureops.keeping.proof import RECORDS, proven
from cultureops.ledger.event import Event
from cultureops.recording import has_ledger

__all__ = ["approve_recipe", "check_recipe", "diff_recipe", "list_recipes"]


@dataclass(frozen=True, slots=True)
class _Approved:
    """A recipe that was approved, as the ledger keeps it."""

    recipe: Recipe
    approval: Approval


def list_recipes(data_dir: Path, *, as_json: bool) -> None:
    """Print the newest version of every shipped recipe, and what the ledger says is approved for new batches."""
    approved = asyncio.run(_approved(data_dir))
    shipped = {name: load_recipe(name) for name in recipe_names()}
    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "version": recipe.version,
            "title": recipe.title,
            "sha256": recipe.sha256,
            "approved": None if (found := approved.get(name)) is None else _as_json(found.approval),
        }
        for name, recipe in (shipped | {n: one.recipe for n, one in approved.items() if n not in shipped}).items()
    ]
    if as_json:
        print_json(rows)
        return
    print_grid(
        ("name", "version", "title", "sha256", "new batches follow"),
        [
            (row["name"], str(row["version"]), row["title"], row["sha256"][:12], _in_words(approved.get(row["name"])))
            for row in rows
        ],
        "no recipe",
    )


def _in_words(found: _Approved | None) -> str:
    if found is None:
        return "not approved"
    signed = found.approval.signature
    return f"v{found.approval.version}, approved by {signed.printed_name} ({signed.username}) {iso(signed.signed_at)}"


def _as_json(approval: Approval) -> dict[str, Any]:
    return {
        "version": approval.version,
        "sha256": approval.sha256,
        "reason": approval.reason,
        "signature": approval.signature.data(),
    }


async def _approved(data_dir: Path) -> dict[str, _Approved]:
    """Return the recipes that new batches follow by the ledger of a data folder, none where there is no ledger."""
    if not has_ledger(data_dir):
        return {}
    async with ledger_of(data_dir, SystemClock()) as ledger:
        events = [event for stream in ledger.streams(RECIPES) for event in ledger.read(stream)]
    found = (_read(event) for event in events)
    return {one.approval.name: one for one in found if one is not None}


def _read(event: Event) -> _Approved | None:
    if (approval := approval_in(event)) is None:
        return None
    return _Approved(parse_recipe(str(event.data["text"]).encode(), f"{event.stream} in the ledger"), approval)


def _named(what: str) -> Recipe:
    return load_recipe(Path(what)) if what.endswith(".toml") else find_recipe(what)


def diff_recipe(data_dir: Path, what: str, *, as_json: bool) -> None:
    """Print how a recipe, a file or a shipped one by name, differs from the one that new batches follow."""
    recipe = _named(what)
    found = asyncio.run(_approved(data_dir)).get(recipe.name)
    rows = [(one.name, one.before, one.after) for one in differences(None if found is None else found.recipe, recipe)]
    if as_json:
        print_json(
            {
                "name": recipe.name,
                "version": recipe.version,
                "approved_version": None if found is None else found.approval.version,
                "changes": [{"entry": name, "approved": old, "new": new} for name, old, new in rows],
            }
        )
        return
    now = "nothing is approved yet" if found is None else f"approved is v{found.approval.version}"
    print(f"{recipe.label}; {now}")
    print_grid(("entry", "approved", "new"), [(n, old or "-", new or "-") for n, old, new in rows], "no entry differs")


def approve_recipe(data_dir: Path, what: str, entry: Entry, *, as_json: bool) -> None:
    """Let new batches follow a recipe, a file or a shipped one by name, signed by quality assurance."""
    recipe, person, clock = _named(what), entry.person(), SystemClock()
    if entry.at is not None:
        raise ConfigError("--at: a signature is of now; leave it out")
    try:
        command, stream = approving(recipe, entry.reason), RECIPES + recipe.name
    except BatchError as error:
        raise ConfigError(str(error)) from None

    async def keep() -> Approval:
        async with entering(data_dir, clock) as (ledger, desk):
            signed = await proven(
                desk, person, entry.secret, RECORDS, RULE.signed, lambda: shown_of(stream, ledger.read(stream), command)
            )
            return await approve(ledger, command, clock.now(), person, signed)

    approval = asyncio.run(keep())
    if as_json:
        print_json({"name": approval.name} | _as_json(approval))
    else:
        signed = approval.signature
        print(
            f"{recipe.label}: new batches follow it from now on; approved by {signed.printed_name}, {iso(approval.at)}"
        )


def check_recipe(file: Path, *, as_json: bool) -> None:
    """Read a recipe file; raises ConfigError with file, line and entry for the first thing that is wrong."""
    if file.suffix != ".toml":
        raise ConfigError(f"{file}: a recipe is a .toml file")
    recipe = load_recipe(file)
    known = list(entries(recipe))
    defaults = [(name, entry) for name, entry in known if entry.is_default]
    if as_json:
        print_json(
            {
                "file": str(file),
                "name": recipe.name,
                "version": recipe.version,
                "sha256": recipe.sha256,
                "entries": len(known),
                "defaults": [{"entry": name, "reference": entry.origin} for name, entry in defaults],
            }
        )
        return
    print(f"{recipe.label}, {len(known)} entries, nothing wrong; SHA-256 {recipe.sha256}")
    print(f"{len(defaults)} are defaults of ours, which quality assurance signs:")
    for name, entry in defaults:
        print(f"  {name}: {entry.origin}")
