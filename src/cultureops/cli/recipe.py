"""Commands on recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cultureops.cli.shell import AsJson, command_group, finish

__all__ = ["group"]

group = command_group("Recipes: published processes as data, each number with its source.")


@group.command("list")
def recipe_list(as_json: AsJson = False) -> None:
    """Name the recipes that come with cultureops, with version and hash."""
    from cultureops.keeping.recipes import list_recipes

    finish(lambda: list_recipes(as_json=as_json))


@group.command("check")
def recipe_check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A recipe file (.toml).")], as_json: AsJson = False
) -> None:
    """Read a recipe file and say what is wrong, by file and line, or which of its numbers are our defaults."""
    from cultureops.keeping.recipes import check_recipe

    finish(lambda: check_recipe(file, as_json=as_json))
