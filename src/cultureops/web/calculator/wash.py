"""Washing: how much dimethyl sulfoxide is left, how many washes are needed, and what the dose brings with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cultureops.analysis.wash import NO_HOLD_UP, Residual, Wash, pct_after_washes, residual
from cultureops.batch.recipe_schema import Quantity
from cultureops.web.calculator.sheet import Asked, Basis, Calculator, Numbers, Result, origin, written

__all__ = ["TAKEN_UP", "WASH"]

_MOST_WASHES: Final = 20


def _start(basis: Basis) -> tuple[Asked, Asked]:
    """Return what is there now: DMSO [% v/v] and volume [mL] of the suspension."""
    batch, pct = basis.batch, written(basis.batch.residual_dmso_pct)
    volume, known = "", ""
    if batch.washes:
        volume, known = written(batch.washes[-1].vol_left_ml), f"left by wash {batch.washes[-1].index}"
    elif batch.labelling is not None:
        volume, known = written(batch.labelling.suspension_ml), "after the labelling"
    elif batch.thaw is not None:
        volume, known = written(batch.thaw.volume_ml), "thawed"
    return (
        Asked("start", "DMSO before", "% v/v", pct, known if pct else ""),
        Asked("before", "Volume before", "mL", volume, known),
    )


def _dose(basis: Basis) -> Asked:
    """Ask for the intrathecal dose, filled in with the largest volume that the recipe allows."""
    route = basis.recipe.dose.routes.get("IT")
    most, source = (
        ("", "") if route is None else (written(route.volume_max.value), f"recipe, {origin(route.volume_max)}")
    )
    return Asked("dose", "Intrathecal dose", "mL", most, source, is_needed=False)


def _asks(basis: Basis) -> tuple[Asked, ...]:
    limits = basis.recipe.washing
    least = None if limits is None else limits.left_min
    floor = "" if least is None else f"at least {least.value:g} mL, {origin(least)}"
    return (
        *_start(basis),
        Asked("added", "Diluent added", "mL"),
        Asked("left", "Volume left over the pellet", "mL", "", floor),
        Asked("final", "Volume the cells are taken up in at last", "mL", is_needed=False),
        _dose(basis),
    )


def _asks_taken_up(basis: Basis) -> tuple[Asked, ...]:
    return (*_start(basis), Asked("final", "Volume the cells are taken up in", "mL"), _dose(basis))


def _work(given: Numbers, basis: Basis) -> Iterator[Result]:
    start, before_ml, added_ml, left_ml = given["start"], given["before"], given["added"], given["left"]
    wash = Wash(before_ml, added_ml, left_ml)
    after = pct_after_washes(start, before_ml, (wash,))[-1]
    yield _against("DMSO after this wash", after, basis, "before × volume ÷ (volume + added)")
    yield Result("Diluent added", f"{added_ml:g}", "mL", "as above", "", "vol_added_ml", written(added_ml))
    yield Result("Volume left", f"{left_ml:g}", "mL", "as above", "", "vol_left_ml", written(left_ml))
    yield from _more(after, Wash(left_ml, added_ml, left_ml), basis)
    final_ml = given.get("final")
    yield from _taken_up(residual(start, before_ml, (wash,), left_ml if final_ml is None else final_ml), given, basis)


def _work_taken_up(given: Numbers, basis: Basis) -> Iterator[Result]:
    final_ml = given["final"]
    yield from _taken_up(residual(given["start"], given["before"], (), final_ml), given, basis)
    yield Result("Volume", f"{final_ml:g}", "mL", "as above", "", "volume_ml", written(final_ml))


def _taken_up(left: Residual, given: Numbers, basis: Basis) -> Iterator[Result]:
    """Say what the suspension of the product holds, and one dose of it."""
    if given.get("final") is not None:
        yield _against("DMSO when taken up", left.pct_v_v, basis, "× volume there ÷ volume taken up in")
    if (dose_ml := given.get("dose")) is None:
        return
    limits, mg = basis.recipe.washing, left.mg_in(dose_ml)
    most = None if limits is None else limits.residual_dmso_dose_max
    verdict, source = _limit(mg, most, "mg")
    yield Result("DMSO in the dose", f"{mg:.3g}", "mg", "% v/v × 1.10 g/mL × dose", source, verdict=verdict)


def _more(after: float, like: Wash, basis: Basis) -> Iterator[Result]:
    """Say how many more washes of the same volumes are needed after this one."""
    limits = basis.recipe.washing
    if limits is None:
        return
    limit, least = limits.residual_dmso_max, int(limits.washes_min.value)
    to_limit = next((n for n in range(_MOST_WASHES + 1) if after * like.dilution**n <= limit.value), None)
    missing = least - len(basis.batch.washes) - 1
    shown = f"more than {_MOST_WASHES}" if to_limit is None else str(max(to_limit, missing, 0))
    said = f"of the same volumes, until {limit.value:g} % and at least {least} in all"
    yield Result("Washes needed after this one", shown, "", said, f"recipe, {origin(limit)}")


def _against(label: str, pct: float, basis: Basis, formula: str) -> Result:
    """Return a concentration, and how it stands to what may stay behind."""
    limits = basis.recipe.washing
    verdict, source = _limit(pct, None if limits is None else limits.residual_dmso_max, "%")
    return Result(label, f"{pct:.3g}", "% v/v", formula, source, verdict=verdict)


def _limit(value: float, limit: Quantity | None, unit: str) -> tuple[str, str]:
    """Return how a value stands to its limit, and the limit in words with its source."""
    if limit is None:
        return "", ""
    return ("within" if value <= limit.value else "beyond"), f"limit {limit.value:g} {unit}: {origin(limit)}"


def _is_washed(basis: Basis) -> bool:
    return basis.recipe.washing is not None


WASH = Calculator("wash", "DMSO left by washing", _asks, _work, NO_HOLD_UP, _is_washed)
TAKEN_UP = Calculator("taken_up", "DMSO in the product", _asks_taken_up, _work_taken_up, NO_HOLD_UP, _is_washed)
