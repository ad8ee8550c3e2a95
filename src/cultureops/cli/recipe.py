"""Commands on recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cultureops.cli.shell import Actor, AsJson, DataDir, PasswordFile, command_group, finish

__all__ = ["group"]

group = command_group("Recipes: published processes as data, each number with its source.")


@group.command("list")
def recipe_list(data_dir: DataDir = Path("data"), as_json: AsJson = False) -> None:
    """Name the recipes that come with cultureops and those in use, with version, hash and who approved them."""
    from cultureops.keeping.recipes import list_recipes

    finish(lambda: list_recipes(data_dir, as_json=as_json))


What = Annotated[str, typer.Argument(metavar="FILE|NAME", help="A recipe file (.toml), or a shipped recipe by name.")]


@group.command("diff")
def recipe_diff(recipe: What, data_dir: DataDir = Path("data"), as_json: AsJson = False) -> None:
    """Show every entry in which a recipe differs from the one that new batches follow."""
    from cultureops.keeping.recipes import diff_recipe

    finish(lambda: diff_recipe(data_dir, recipe, as_json=as_json))


@group.command("approve")
def recipe_approve(
    recipe: What,
    reason: Annotated[str, typer.Option(help="Why: what has changed, and what was assessed.")],
    actor: Actor,
    role: Annotated[str, typer.Option("--role", help="In which role; QA.")] = "QA",
    password_file: PasswordFile = None,
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Let new batches follow a recipe, signed by quality assurance; running batches keep theirs."""
    from cultureops.keeping.entry import Entry
    from cultureops.keeping.recipes import approve_recipe

    entry = Entry(actor, role, reason, None, password_file)
    finish(lambda: approve_recipe(data_dir, recipe, entry, as_json=as_json))


@group.command("check")
def recipe_check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A recipe file (.toml).")], as_json: AsJson = False
) -> None:
    """Read a recipe file and say what is wrong, by file and line, or which of its numbers are our defaults."""
    from cultureops.keeping.recipes import check_recipe

    finish(lambda: check_recipe(file, as_json=as_json))
