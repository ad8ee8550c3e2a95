"""The recipes at hand: adopted ones, word for word in the ledger, the site's own, and those that come with us."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from cultureops.batch.approval import RECIPES, Approval, approval_in
from cultureops.batch.batch import Batch
from cultureops.batch.due import Due, due
from cultureops.batch.recipe import find_recipe, parse_recipe, recipe_names, shipped_hash
from cultureops.batch.recipe_schema import Recipe
from cultureops.errors import ConfigError, TransitionRefused
from cultureops.ledger.event import Event

__all__ = ["RECIPES", "RecipeShelf", "due_by"]

_KEPT: Final = frozenset({"recipe_adopted", "recipe_approved"})


class RecipeShelf:
    """Finds recipes by name for new batches, and by hash for those that pin one."""

    def __init__(self, own: Iterable[Recipe] = ()) -> None:
        """Take the site's own recipes; one that bears a shipped recipe's name goes before it.

        Raises ConfigError for another text under a shipped recipe's name and version.
        """
        self._own: Mapping[str, Recipe] = {recipe.name: recipe for recipe in own}
        self._adopted: dict[str, Recipe] = {}
        self._approvals: dict[str, Approval] = {}
        self._adopted_as: dict[tuple[str, int], set[str]] = {}
        self._unreadable: dict[str, str] = {}
        for recipe in self._own.values():
            if shipped_hash(recipe.name, recipe.version) not in (None, recipe.sha256):
                raise _namesake(recipe, "the one that comes with cultureops")

    def apply(self, event: Event) -> None:
        """Take one more event of the ledger; events of other streams change nothing here.

        A text that this program can't read stands in the way of its own batches only, not of the laboratory.
        """
        if event.type not in _KEPT or not event.stream.startswith(RECIPES):
            return
        if (approval := approval_in(event)) is not None:
            self._approvals[approval.name] = approval
        text = str(event.data.get("text", ""))
        try:
            recipe = parse_recipe(text.encode(), f"{event.stream.removeprefix(RECIPES)} in the ledger")
        except (ConfigError, UnicodeEncodeError) as problem:
            self._unreadable[str(event.data.get("sha256"))] = str(problem)
            return
        self._adopted[recipe.sha256] = recipe
        self._adopted_as.setdefault((recipe.name, recipe.version), set()).add(recipe.sha256)

    def names(self) -> tuple[str, ...]:
        """Return the names of all recipes that new batches could follow once they are approved, sorted."""
        return tuple(sorted({*recipe_names(), *self._own, *self._approvals}))

    def lookup(self, name: str, sha256: str | None) -> Recipe:
        """Return the recipe that new batches follow, or exactly the one of ``sha256``.

        Raises ConfigError for one that is nowhere, TransitionRefused for new batches while quality assurance has not
        approved what stands in the site's file, or nothing at all under this name.
        """
        if sha256 is None:
            return self._for_new(name)
        if (adopted := self._adopted.get(sha256)) is not None:
            return adopted
        own = self._own.get(name)
        if own is not None and own.sha256 == sha256:
            return own
        if (problem := self._unreadable.get(sha256)) is not None:
            raise ConfigError(f"recipe {name}: this version of cultureops can't read it; use another one ({problem})")
        return find_recipe(name, sha256)

    def candidate(self, name: str) -> Recipe:
        """Return the text that stands to be approved: the site's own, or the newest that comes with us.

        Where it is approved already it is what new batches follow. Raises ConfigError for a name that is nowhere.
        """
        own = self._own.get(name)
        if own is not None or name in recipe_names():
            return find_recipe(name) if own is None else own
        approval = self._approvals.get(name)
        return find_recipe(name) if approval is None else self.lookup(name, approval.sha256)

    def approved(self, name: str) -> Recipe | None:
        """Return the text that was approved last, whatever stands in files now; None where none was."""
        approval = self._approvals.get(name)
        return None if approval is None else self.lookup(name, approval.sha256)

    def _for_new(self, name: str) -> Recipe:
        """Return the recipe that was approved last; what the site's own file says must be what was approved."""
        own, approval = self._own.get(name), self._approvals.get(name)
        recipe = find_recipe(name) if own is None else own
        if own is not None and own.sha256 not in self._adopted_as.get((own.name, own.version), {own.sha256}):
            raise _namesake(own, "the one that batches of this ledger follow")
        if approval is None or (own is not None and own.sha256 != approval.sha256):
            approved = (
                "" if approval is None else f" (approved is v{approval.version}: approve this one or put it back)"
            )
            raise TransitionRefused(
                f"recipe {recipe.label}: quality assurance has not approved it for new batches{approved}; "
                f"see `cultureops recipe approve {name}`"
            )
        return recipe if recipe.sha256 == approval.sha256 else self.lookup(name, approval.sha256)

    def approval(self, name: str) -> Approval | None:
        """Return who approved the recipe that new batches follow; None where nobody has."""
        return self._approvals.get(name)

    def of(self, batch: Batch) -> Recipe:
        """Return the recipe that a batch pins; raises ConfigError when it is nowhere."""
        recipe = self.lookup(batch.recipe.name, batch.recipe.sha256)
        if recipe.name != batch.recipe.name:
            raise ConfigError(f"batch {batch.id} pins {batch.recipe.label}, its hash is that of {recipe.label}")
        return recipe


def due_by(recipes: RecipeShelf, batch: Batch) -> tuple[Due, ...]:
    """Return what is due for a batch; one whose recipe can't be read hides no other and is itself what is due."""
    try:
        return due(batch, recipes.of(batch))
    except ConfigError as problem:
        return (Due(batch.since, f"make its recipe readable: {problem}", "QA"),)


def _namesake(recipe: Recipe, other: str) -> ConfigError:
    return ConfigError(
        f"recipe {recipe.label}: its text (sha256 {recipe.sha256[:12]}...) is not that of {other} under the same "
        "name and version; change the version"
    )
