"""Doses: cells for a weight or a share, the volume that holds them, how long they run in, what endotoxin they bring."""

from __future__ import annotations

from collections.abc import Iterator

from cultureops.analysis.dose import (
    cells_for_weight,
    cells_per_kg,
    concentration_1e6_per_ml,
    endotoxin_eu_per_kg,
    infusion_min,
    split,
    volume_ml_for_density,
)
from cultureops.batch.recipe_schema import Quantity, RouteDose
from cultureops.web.calculator.sheet import Asked, Basis, Calculator, Numbers, Result, origin, written

__all__ = ["DOSE", "INFUSION", "TAKING_UP"]


def _suspension(basis: Basis) -> tuple[str, str]:
    made = basis.batch.resuspension
    if made is None or made.volume_ml <= 0:
        return "", ""
    return written(concentration_1e6_per_ml(made.viable_cells, made.volume_ml)), "resuspended"


def _endotoxin(basis: Basis, route: str) -> Asked:
    """Return what is asked of the endotoxin of a route, filled in from the last result of its sample."""
    readings = [
        (sample.sample_id, reading.value_eu_per_ml)
        for sample in basis.batch.qc
        if sample.test == "endotoxin" and sample.stage == "product" and sample.route in (route, None)
        for reading in sample.readings
        if reading.value_eu_per_ml is not None
    ]
    sample, value = readings[-1] if readings else ("", None)
    return Asked(f"endotoxin_{route}", f"Endotoxin, {route}", "EU/mL", written(value), sample, is_needed=False)


def _asks_dose(basis: Basis) -> tuple[Asked, ...]:
    batch, dosing = basis.batch, basis.recipe.dose
    density, known = _suspension(basis)
    made = None if batch.resuspension is None else batch.resuspension.viable_cells
    volumes = (
        Asked(
            f"volume_{name}",
            f"Volume to fill, {name}",
            "mL",
            written(route.volume_min.value) if route.volume_min.value == route.volume_max.value else "",
            f"recipe {route.volume_min.value:g} to {route.volume_max.value:g} mL, {origin(route.volume_max)}",
        )
        for name, route in dosing.routes.items()
    )
    shared = () if dosing.is_by_weight else (Asked("given", "Cells given in all", ""),)
    return (
        Asked("weight", "Body weight", "kg", written(batch.weight_kg), "" if batch.weight_kg is None else "recorded",
              is_needed=dosing.is_by_weight),
        Asked("available", "Cells there are", "", written(made), known),
        Asked("density", "Density of the suspension", "×10⁶/mL", density, known),
        *shared,
        *volumes,
        *(_endotoxin(basis, name) for name in dosing.routes),
    )  # fmt: skip


def _cells(given: Numbers, basis: Basis) -> Iterator[tuple[str, RouteDose, float, str, Quantity]]:
    """Return the cells of each route: by weight, or as its share of what is given."""
    routes = basis.recipe.dose.routes
    shares = {name: route.fraction.value for name, route in routes.items() if route.fraction is not None}
    whole = sum(shares.values())
    for name, route in routes.items():
        if route.cells_per_kg is not None:
            cells = cells_for_weight(route.cells_per_kg.value, given["weight"])
            yield name, route, cells, "cells per kg × weight", route.cells_per_kg
        elif route.fraction is not None:  # published shares are rounded: 0.6667 and 0.3333
            parts = split(given["given"], [share / whole for share in shares.values()])
            yield name, route, dict(zip(shares, parts, strict=True))[name], "share × cells given", route.fraction


def _work_dose(given: Numbers, basis: Basis) -> Iterator[Result]:
    available, used = given.get("available"), 0.0
    for row, (name, route, exact, formula, quantity) in enumerate(_cells(given, basis)):
        cells, at = round(exact), f"doses.{row}"
        used += cells
        source = f"recipe, {origin(quantity)}"
        yield Result(f"{name}: cells", f"{cells:,}", "", formula, source, f"{at}.viable_cells", str(cells))
        volume_ml = given.get(f"volume_{name}")
        if (density := given.get("density")) is not None:
            holding_ml = volume_ml_for_density(cells, density)
            yield _holding(name, holding_ml, volume_ml)
        if volume_ml is not None:
            yield _filled(name, route, volume_ml, f"{at}.volume_ml")
            yield from _brought(given, name, route, volume_ml, cells)
    if available is not None:
        left = available - used
        verdict = "beyond" if left < 0 else "within"
        shown, typed = f"{left:,.0f}", "" if left < 0 else written(round(left))
        said = "cells there are − doses" if left >= 0 else "there are too few cells for these doses"
        yield Result("Cells kept back", shown, "", said, "", "retained_cells", typed, verdict)


def _holding(name: str, holding_ml: float, volume_ml: float | None) -> Result:
    """Say how much suspension holds the cells of a dose, and that a container of less can't hold them."""
    is_too_thin = volume_ml is not None and holding_ml > volume_ml
    said = "cells ÷ density: more than is filled, the suspension is too thin" if is_too_thin else "cells ÷ density"
    label = f"{name}: suspension that holds them"
    return Result(label, f"{holding_ml:.3g}", "mL", said, verdict="beyond" if is_too_thin else "")


def _filled(name: str, route: RouteDose, volume_ml: float, field: str) -> Result:
    low, high = route.volume_min.value, route.volume_max.value
    verdict = "within" if low <= volume_ml <= high else "beyond"
    source = f"recipe {low:g} to {high:g} mL, {origin(route.volume_max)}"
    return Result(f"{name}: volume", f"{volume_ml:g}", "mL", "as above", source, field, written(volume_ml), verdict)


def _brought(given: Numbers, name: str, route: RouteDose, volume_ml: float, cells: float) -> Iterator[Result]:
    weight = given.get("weight")
    if route.rate is not None:
        minutes = infusion_min(volume_ml, route.rate.value)
        source = f"at {route.rate.value:g} mL/h: {origin(route.rate)}"
        yield Result(f"{name}: runs for", f"{minutes:.0f}", "min", "volume ÷ rate", source)
    if weight is not None and route.cells_per_kg is None:
        yield Result(f"{name}: cells per kg", f"{cells_per_kg(cells, weight):,.0f}", "", "cells ÷ weight")
    endotoxin = given.get(f"endotoxin_{name}")
    if endotoxin is None or weight is None:
        return
    per_kg, limit = endotoxin_eu_per_kg(endotoxin, volume_ml, weight), route.endotoxin_max
    verdict = "within" if per_kg <= limit.value else "beyond"
    source = f"limit {limit.value:g} EU/kg: {origin(limit)}"
    yield Result(f"{name}: endotoxin", f"{per_kg:.3g}", "EU/kg", "EU/mL × volume ÷ weight", source, verdict=verdict)


def _asks_taking_up(basis: Basis) -> tuple[Asked, ...]:
    batch, stated = basis.batch, basis.recipe.resuspension
    known = ""
    cells: float | None = None
    if not basis.recipe.is_frozen and batch.harvest is not None:
        cells, known = batch.harvest.harvested_viable_cells, "harvested"
    target = ""
    if stated is not None:
        target = f"recipe {stated.density_min.value:g} to {stated.density_max.value:g}, {origin(stated.density_max)}"
    return (
        Asked("cells", "Viable cells there are", "", written(cells), known),
        Asked("density", "Density wanted", "×10⁶/mL", "", target),
    )


def _work_taking_up(given: Numbers, _: Basis) -> Iterator[Result]:
    density = given["density"]
    volume = volume_ml_for_density(given["cells"], density)
    yield Result(
        "Volume to take them up in", f"{volume:.3g}", "mL", "cells ÷ density", "", "volume_ml", written(volume)
    )
    yield Result("Density", f"{density:g}", "×10⁶/mL", "as above", "", "viable_density_1e6_per_ml", written(density))


def _asks_infusion(basis: Basis) -> tuple[Asked, ...]:
    rates = [(name, route.rate) for name, route in basis.recipe.dose.routes.items() if route.rate is not None]
    name, rate = rates[0] if rates else ("", None)
    waiting = next((dose for dose in basis.batch.doses if dose.given_at is None and dose.route == name), None)
    volume, container = ("", "") if waiting is None else (written(waiting.volume_ml), f"container {waiting.container}")
    pace, known = ("", "") if rate is None else (written(rate.value), f"{name}: {origin(rate)}")
    return (Asked("volume", "Volume", "mL", volume, container), Asked("rate", "Rate", "mL/h", pace, known))


def _work_infusion(given: Numbers, _: Basis) -> Iterator[Result]:
    volume, rate = given["volume"], given["rate"]
    yield Result("Runs for", f"{infusion_min(volume, rate):.1f}", "min", "volume ÷ rate")
    yield Result("Rate", f"{rate:g}", "mL/h", "as above", "", "rate_ml_per_h", written(rate))


DOSE = Calculator("dose", "Doses", _asks_dose, _work_dose)
TAKING_UP = Calculator("taking_up", "Volume for a density", _asks_taking_up, _work_taking_up)
INFUSION = Calculator("infusion", "How long a dose runs", _asks_infusion, _work_infusion)
