"""The conditions that a recipe asks of the chambers in which a batch stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cultureops.batch.parts import DOSES, VIALS, Occupancy
from cultureops.batch.recipe_schema import Quantity, Recipe

__all__ = ["Range", "conditions"]


@dataclass(frozen=True, slots=True)
class Range:
    """What a channel should keep to, in its unit; None is no limit."""

    low: float | None
    high: float | None


def conditions(recipe: Recipe, stay: Occupancy, chamber_class: str) -> Mapping[str, Range]:
    """Return the ranges by standard channel name for one stay; a channel without a range is only recorded.

    Filled containers keep to the transport's range, frozen vials to the storage limit, all else to the culture's.
    """
    if stay.vessels.endswith(DOSES):
        transport = recipe.transport
        return {"temperature": Range(transport.temperature_min.value, transport.temperature_max.value)}
    if stay.vessels.endswith(VIALS) or chamber_class in ("cryostore", "freezer"):
        limit = None if recipe.freezing is None else recipe.freezing.storage_max.value
        return {name: Range(None, limit) for name in ("temp_a", "temp_b", "temperature")}
    if chamber_class != "incubator":
        return {}
    culture = recipe.culture
    return {
        "temperature": _around(culture.temperature, culture.temperature_tolerance),
        "co2": _around(culture.co2, culture.co2_tolerance),
    }


def _around(target: Quantity, tolerance: Quantity | None) -> Range:
    if tolerance is None:
        return Range(None, None)
    return Range(target.value - tolerance.value, target.value + tolerance.value)
