"""What the form of a step holds at first: names that follow from the record, numbers that the recipe states.

Nothing that has to be measured, counted or looked at is ever filled in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from cultureops.batch.batch import Batch
from cultureops.batch.field import Details
from cultureops.batch.recipe_schema import Quantity, Recipe, Statement
from cultureops.batch.steps.base import free_deviation_id

__all__ = ["FEWEST_ROWS", "MOST_ROWS", "free_positions", "known_of"]

FEWEST_ROWS: Final = 2
MOST_ROWS: Final = 200
_BOX_ROWS: Final = "ABCDEFGHIJ"
_BOX_COLUMNS: Final = 10

_Known = dict[str, Any]


def known_of(batch: Batch, recipe: Recipe, step: type[Details], rows: int, at: Mapping[str, str]) -> _Known:
    """Return what the fields of a step hold at first.

    ``rows`` is how many rows a list has where the record does not say, ``at`` the store, rack and box for vials.
    """
    known: _Known = {}
    if len(batch.groups) == 1 and "vessels" in step.model_fields:
        known["vessels"] = batch.groups[0].id
    if (find := _KNOWN.get(step.__name__)) is not None:
        known |= find(batch, recipe)
    return known | _rows(batch, step, rows, at)


def _rows(batch: Batch, step: type[Details], rows: int, at: Mapping[str, str]) -> _Known:
    match step.__name__:
        case "Freeze":
            numbers = range(1, rows + 1)
            return {"vials": [{"vial": f"{batch.id}.V{number:02d}", **_place(at)} for number in numbers]}
        case "MoveVials":
            vials = batch.vials_in("stored", "authorised")
            return {"vials": [{"vial": vial.id, **_place(at)} for vial in vials]}
        case "Split":
            whole = batch.vessels
            return {"into": [{"vessels": f"{whole.id}{letter}" if whole else ""} for letter in _letters(rows)]}
    return {}


def _letters(rows: int) -> str:
    return "abcdefghijklmnopqrstuvwxyz"[: max(FEWEST_ROWS, min(rows, 26))]


def _place(at: Mapping[str, str]) -> _Known:
    return {f"place.{name}": at.get(name, "") for name in ("store", "rack", "box")}


def free_positions(taken: frozenset[str], store: str, rack: str, box: str, count: int) -> list[str]:
    """Return so many free positions of a box, row by row: A1 to A10, then B1; fewer where the box is fuller.

    ``taken`` are the names of places that are claimed already, of whatever batch.
    """
    free = (name for name in _positions() if f"place:{store}/{rack}/{box}/{name}".casefold() not in taken)
    return list(islice(free, count))


def _positions() -> Iterator[str]:
    return (f"{row}{column}" for row in _BOX_ROWS for column in range(1, _BOX_COLUMNS + 1))


def _figure(quantity: Quantity | None) -> str:
    return "" if quantity is None else f"{quantity.value:.10g}"


def _words(statement: Statement | None) -> str:
    return "" if statement is None else statement.text


def _isolate(batch: Batch, recipe: Recipe) -> _Known:
    return {"method": recipe.isolation.method.text}


def _seed(batch: Batch, recipe: Recipe) -> _Known:
    return {"vessels": f"{batch.id}-P0", "area_cm2": _figure(recipe.seeding.vessel_area)}


def _detach(batch: Batch, recipe: Recipe) -> _Known:
    return {
        "enzyme": _words(recipe.passage.enzyme),
        "enzyme_pct": _figure(recipe.passage.enzyme_concentration),
    }


def _passage(batch: Batch, recipe: Recipe) -> _Known:
    known = {**_detach(batch, recipe), "new_vessels": f"{batch.id}-P{(batch.passage or 0) + 1}"}
    if (group := batch.vessels) is not None:
        known |= {"vessel_type": group.vessel_type, "area_cm2": f"{group.area_cm2:.10g}"}
    return known


def _look(batch: Batch, recipe: Recipe) -> _Known:
    return {"method": "visual"}


def _pool(batch: Batch, recipe: Recipe) -> _Known:
    return {"vessels": "\n".join(group.id for group in batch.groups), "into": f"{batch.id}-P{batch.passage}p"}


def _freeze(batch: Batch, recipe: Recipe) -> _Known:
    if recipe.freezing is None:
        return {}
    return {"cryo_medium": recipe.freezing.medium.text, "dmso_pct": _figure(recipe.freezing.dmso)}


def _check_storage(batch: Batch, recipe: Recipe) -> _Known:
    stores = {vial.place.store for vial in batch.vials if vial.place is not None}
    return {"store": next(iter(stores))} if len(stores) == 1 else {}


def _wash(batch: Batch, recipe: Recipe) -> _Known:
    known = {"index": str(len(batch.washes) + 1)}
    if recipe.washing is not None:
        known["diluent"] = recipe.washing.diluent.text
    before = batch.washes[-1].vol_left_ml if batch.washes else None
    if before is None and batch.labelling is not None:
        before = batch.labelling.suspension_ml
    if before is None and batch.thaw is not None:
        before = batch.thaw.volume_ml
    return known if before is None else {**known, "vol_before_ml": f"{before:.10g}"}


def _formulate(batch: Batch, recipe: Recipe) -> _Known:
    return {"doses": [{"route": route, "container": f"{batch.id}.{route}"} for route in sorted(recipe.dose.routes)]}


def _administer(batch: Batch, recipe: Recipe) -> _Known:
    left = [dose for dose in batch.doses if dose.given_at is None]
    return {"route": left[0].route, "container": left[0].container} if len(left) == 1 else {}


def _sample(batch: Batch, recipe: Recipe) -> _Known:
    stage = "passage" if batch.resuspension is None else "product"
    passage = f"P{batch.passage}-" if stage == "passage" else ""
    drawn = {one.test for one in batch.qc if (one.stage, one.passage) == (stage, batch.passage)}
    wanted = [test for test in recipe.qc.passage_tests if test not in drawn] if stage == "passage" else []
    known = {"stage": stage}
    return known if not wanted else {**known, "test": wanted[0], "sample_id": f"{batch.id}.{passage}{wanted[0]}-1"}


def _panel(batch: Batch, recipe: Recipe) -> _Known:
    markers = (*recipe.release.positive_markers.texts, *recipe.release.negative_markers.texts)
    return {"panel": dict.fromkeys(markers, "")}


def _deviation(batch: Batch, recipe: Recipe) -> _Known:
    return {"deviation_id": free_deviation_id(batch), "kind": "deviation"}


_KNOWN: Final[Mapping[str, Callable[[Batch, Recipe], _Known]]] = {
    "Isolate": _isolate,
    "Seed": _seed,
    "ObserveConfluence": _look,
    "Passage": _passage,
    "Harvest": _detach,
    "Pool": _pool,
    "Freeze": _freeze,
    "CheckStorage": _check_storage,
    "Wash": _wash,
    "Formulate": _formulate,
    "Administer": _administer,
    "SampleQc": _sample,
    "RecordQcResult": _panel,
    "OpenDeviation": _deviation,
}
