"""The recipes at hand: adopted ones, word for word in the ledger, the site's own, and those that come with us."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cultureops.batch.batch import Batch
from cultureops.batch.recipe import find_recipe, parse_recipe
from cultureops.batch.recipe_schema import Recipe
from cultureops.errors import ConfigError
from cultureops.ledger.event import Event

__all__ = ["RECIPES", "RecipeShelf"]

RECIPES = "recipe:"
"""How the streams begin that keep the recipes in use, word for word."""


class RecipeShelf:
    """Finds recipes by name for new batches, and by hash for those that pin one."""

    def __init__(self, own: Iterable[Recipe] = ()) -> None:
        """Take the site's own recipes; one that bears a shipped recipe's name goes before it."""
        self._own: Mapping[str, Recipe] = {recipe.name: recipe for recipe in own}
        self._adopted: dict[str, Recipe] = {}

    def apply(self, event: Event) -> None:
        """Take one more event of the ledger; events of other streams change nothing here."""
        if event.type == "recipe_adopted" and event.stream.startswith(RECIPES):
            data = event.data
            recipe = parse_recipe(str(data["text"]).encode(), f"{data['name']} v{data['version']} in the ledger")
            self._adopted[recipe.sha256] = recipe

    def lookup(self, name: str, sha256: str | None) -> Recipe:
        """Return the recipe that new batches follow, or exactly the one of ``sha256``; raises ConfigError."""
        if sha256 is None:
            return self._own.get(name) or find_recipe(name)
        if (adopted := self._adopted.get(sha256)) is not None:
            return adopted
        own = self._own.get(name)
        return own if own is not None and own.sha256 == sha256 else find_recipe(name, sha256)

    def of(self, batch: Batch) -> Recipe:
        """Return the recipe that a batch pins; raises ConfigError when it is nowhere."""
        recipe = self.lookup(batch.recipe.name, batch.recipe.sha256)
        if recipe.name != batch.recipe.name:
            raise ConfigError(f"batch {batch.id} pins {batch.recipe.label}, its hash is that of {recipe.label}")
        return recipe
