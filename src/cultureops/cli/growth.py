"""Commands on growth: curves through counts, and the doublings of a passage."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cultureops.cli.shell import AsJson, command_group, contents_of, finish
from cultureops.errors import ConfigError

if TYPE_CHECKING:
    from cultureops.analysis.growth_fit import CannotFit, GrowthFit

__all__ = ["group"]

group = command_group("Growth: curves through counts, and the doublings of a passage.")


class CurveModel(StrEnum):
    """Growth curves that can be fitted."""

    EXPONENTIAL = "exponential"
    LOGISTIC = "logistic"
    GOMPERTZ = "gompertz"


@group.command("fit")
def growth_fit(
    points: Annotated[Path, typer.Argument(metavar="CSV", help="A table with a header.")],
    time: Annotated[str, typer.Option(metavar="COL", help="Column with the times, in any unit, e.g. hours.")],
    value: Annotated[str, typer.Option(metavar="COL", help="Column with cells, densities or confluence.")],
    model: Annotated[CurveModel | None, typer.Option(help="Curve to fit; the best by AICc if not given.")] = None,
    as_json: AsJson = False,
) -> None:
    """Fit a growth curve with 95 % intervals, or say why none can be fitted; times are in the column's unit."""
    finish(lambda: _fit(points, time, value, model, as_json=as_json))


@group.command("pd")
def growth_pd(
    seeded: Annotated[float, typer.Option(metavar="N", help="Cells seeded.")],
    harvested: Annotated[float, typer.Option(metavar="N", help="Viable cells harvested.")],
    hours: Annotated[float, typer.Option(metavar="H", help="Hours from seeding to harvest.")],
    as_json: AsJson = False,
) -> None:
    """Work out population doublings and doubling time of one passage."""
    finish(lambda: _pd(seeded, harvested, hours, as_json=as_json))


def _fit(points: Path, time: str, value: str, model: CurveModel | None, *, as_json: bool) -> None:
    from cultureops.analysis.growth_fit import CannotFit, fit_growth
    from cultureops.analysis.table import parse_table

    table = parse_table(contents_of(points), str(points), (time, value))
    times, values, without = table.pairs(time, value)
    if without:
        print(f"{without} rows without {value} are left out", file=sys.stderr)
    fitted = fit_growth(times, values, model.value if model else None)
    if as_json:
        print(json.dumps(_as_json(fitted), indent=1, allow_nan=False))
    elif isinstance(fitted, CannotFit):
        print(f"cannot fit: {fitted.reason}")
    else:
        _print_fit(fitted)


def _as_json(fit: GrowthFit | CannotFit) -> dict[str, object]:
    from cultureops.analysis.growth_fit import CannotFit

    if isinstance(fit, CannotFit):
        return {"fit": None, "reason": fit.reason}
    shown = {
        "model": fit.model,
        "parameters": {name: asdict(interval) for name, interval in fit.parameters.items()},
        "doubling_time": fit.doubling_time,
        "t_mid": fit.t_mid,
        "auc": fit.auc,
        "r2": fit.r2,
        "n": fit.n,
    }
    return {"fit": shown, "reason": None}


def _print_fit(fit: GrowthFit) -> None:
    print(f"{fit.model}, {fit.n} points, R2 {fit.r2:.4f}")
    for name, interval in fit.parameters.items():
        print(f"{name} {interval.value:.6g} (95 %: {interval.low:.6g} to {interval.high:.6g})")
    print(f"doubling time {fit.doubling_time:.4g}, area {fit.auc:.4g}")
    if fit.t_mid is not None:
        print(f"half of the capacity at {fit.t_mid:.4g}")


def _pd(seeded: float, harvested: float, hours: float, *, as_json: bool) -> None:
    from cultureops.analysis.growth import growth

    try:
        grown = growth(seeded, harvested, hours)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    if as_json:
        said: dict[str, object] = {"pd": grown.population_doublings, "doubling_time_h": grown.doubling_time_h}
        print(json.dumps(said | ({"reason": grown.reason} if grown.reason else {}), allow_nan=False))
        return
    doublings, time_h = grown.population_doublings, grown.doubling_time_h
    print("population doublings " + ("undefined" if doublings is None else f"{doublings:.3f}"))
    print("doubling time " + ("undefined" if time_h is None else f"{time_h:.2f} h"))
    if grown.reason:
        print(grown.reason)
