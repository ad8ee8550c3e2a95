"""What the recipe wants of a field: its target or limits, in words, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Any, Final

from cultureops.batch.batch import Batch
from cultureops.batch.field import Details
from cultureops.batch.recipe_schema import Quantity, Recipe, Statement
from cultureops.units import label

__all__ = ["target_of"]

_UNBRACED: Final = str.maketrans("", "", "{}")
_TARGETS: Final[Mapping[tuple[str, str], str]] = {
    ("ReceiveMarrow", "marrow_ml"): "target {intake.marrow_volume} ± {intake.marrow_tolerance}",
    ("ReceiveMarrow", "collected_at"): "at most {intake.transit_max} ago",
    ("ReceiveMarrow", "receipt_temperature_c"): (
        "{intake.receipt_temperature_min} to {intake.receipt_temperature_max}"
    ),
    ("Isolate", "method"): "{isolation.method}",
    ("Isolate", "viability_pct"): "below {release.viability_floor} a second person confirms it",
    ("Seed", "cells_total"): "{seeding.cells_per_vessel} for each vessel",
    ("Seed", "area_cm2"): "{seeding.vessel_area}",
    ("Seed", "n_vessels"): "to {seeding.density} ± {seeding.tolerance}",
    ("Seed", "medium_lot"): "{culture.medium}",
    ("ChangeMedium", "medium_lot"): "{culture.medium}",
    ("ChangeMedium", "removed_nonadherent"): (
        "the first change, after {culture.first_medium_change_min} to {culture.first_medium_change_max}"
    ),
    (
        "ObserveConfluence",
        "confluence_pct",
    ): "passage at {passage.confluence}, at the latest {passage.confluence_alarm}",
    ("Passage", "enzyme"): "{passage.enzyme}",
    ("Passage", "enzyme_pct"): "target {passage.enzyme_concentration}",
    ("Passage", "cells_seeded"): "to {passage.reseed_density} ± {seeding.tolerance}",
    ("Passage", "medium_lot"): "{culture.medium}",
    ("Harvest", "enzyme"): "{passage.enzyme}",
    ("Harvest", "enzyme_pct"): "target {passage.enzyme_concentration}",
    ("Freeze", "cryo_medium"): "{freezing.medium}",
    ("Freeze", "dmso_pct"): "exactly {freezing.dmso}; anything else needs a reason and opens a deviation",
    ("Freeze", "cooling_c_per_min"): "{freezing.cooling_rate} or slower",
    ("Freeze", "store_temperature_c"): "{freezing.storage_max} or colder",
    ("CheckStorage", "temperature_c"): "{freezing.storage_max} or colder",
    ("TransferOut", "probe_temperature_c"): "{transfer.temperature_max} or colder, {transfer.condition}",
    ("TransferIn", "temperature_max_c"): "{transfer.temperature_max} or colder all the way",
    ("Thaw", "bath_temperature_c"): "target {thawing.bath_temperature} ± {thawing.bath_tolerance}",
    ("Thaw", "ended_at"): "at most {thawing.duration_max}",
    ("Wash", "index"): "at least {washing.washes_min} washes",
    ("Wash", "diluent"): "{washing.diluent}",
    ("Wash", "vol_added_ml"): "at least {washing.dilution_min} times the volume before",
    ("Wash", "vol_left_ml"): "at least {washing.left_min}",
    ("StartLabelling", "agent_lots"): "{labelling.agents}",
    ("EndLabelling", "suspension_ml"): "after {labelling.duration_min} to {labelling.duration_max}",
    ("Resuspend", "viable_density_1e6_per_ml"): "{resuspension.density_min} to {resuspension.density_max}",
    ("Formulate", "weighed_at"): "at most {dose.weight_age_max} ago",
    ("Ship", "temperature_c"): "{transport.temperature_min} to {transport.temperature_max}",
    ("ReceiveAtSite", "out_of_range_min"): "at most {transport.out_of_range_max}",
    ("ReceiveAtSite", "temperature_min_c"): "{transport.temperature_min} or warmer",
    ("ReceiveAtSite", "temperature_max_c"): "{transport.temperature_max} or colder",
    ("AcceptCount", "viability_pct"): "release at {release.viability_min}, never below {release.viability_floor}",
    ("RecordQcResult", "panel"): (
        "{release.positive_markers}: at least {release.positive_min}; "
        "{release.negative_markers}: at most {release.negative_max}"
    ),
    ("RecordQcResult", "final"): "a negative sterility culture is final after {qc.sterility_final_read}",
}
"""What stands beside a field, by step and field: words with the recipe's own entries in them."""


def target_of(batch: Batch, recipe: Recipe, step: type[Details], field: str) -> tuple[str, str]:
    """Return what the recipe wants of a field, and its source; both empty where the recipe says nothing of it."""
    if field == "doses" and step.__name__ == "Formulate":
        return _doses(recipe)
    if (words := _TARGETS.get((step.__name__, field))) is None:
        return "", ""
    entries = [part.partition("}")[0] for part in words.split("{")[1:]]
    found = {entry: _entry(recipe, entry) for entry in entries}
    if any(value is None for value in found.values()):
        return "", ""
    for entry, value in found.items():
        words = words.replace(f"{{{entry}}}", _said(value))
    return words, _origin(list(found.values()))


def _entry(recipe: Recipe, path: str) -> Any:
    """Return an entry of the recipe, None where the process has no such section or entry."""
    section, name = path.split(".")
    part = getattr(recipe, section)
    return None if part is None else attrgetter(name)(part)


def _said(entry: Quantity | Statement) -> str:
    if isinstance(entry, Statement):
        return entry.text
    unit = "" if entry.unit == "1" else f" {label(entry.unit)}".translate(_UNBRACED).replace("cm2", "cm²")
    value = f"{entry.value:,.0f}".replace(",", " ") if entry.value >= 10_000 else f"{entry.value:g}"
    return value + unit


def _origin(entries: list[Quantity | Statement]) -> str:
    """Say where entries come from, each source once; our own defaults are told as such."""
    said = (f"proposed default: {one.origin}" if one.is_default else one.origin for one in entries)
    return "; ".join(dict.fromkeys(said))


def _doses(recipe: Recipe) -> tuple[str, str]:
    said, entries = [], list[Quantity | Statement]()
    for name, route in sorted(recipe.dose.routes.items()):
        wanted = route.cells_per_kg or route.fraction
        volumes = {_said(route.volume_min), _said(route.volume_max)}
        said.append(f"{name}: {'' if wanted is None else _said(wanted) + ' in '}{' to '.join(sorted(volumes))}")
        entries += [one for one in (wanted, route.volume_min, route.volume_max) if one is not None]
    return f"{'; '.join(said)}, each ± {_said(recipe.dose.tolerance)}", _origin([*entries, recipe.dose.tolerance])
