"""Commands on cell counters themselves."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cultureops.cli.shell import AsJson, command_group, contents_of, finish
from cultureops.errors import ConfigError

if TYPE_CHECKING:
    from cultureops.analysis.proportionality import Qualification

__all__ = ["group"]

group = command_group("Cell counters: whether one can be trusted.")

FIGURES = ("slope", "r2", "n", "mean_cv_pct", "pi_squared", "pi_absolute")
HEADINGS = ("method", "slope", "R2", "n", "CV %", "PI sq", "PI abs", "qualified")


@group.callback()
def counter() -> None:
    """Keep the name of the only command of this group."""


@group.command("qualify")
def counter_qualify(
    study: Annotated[
        Path, typer.Argument(metavar="CSV", help="Dilution study in the columns of NIST's COMET template.")
    ],
    min_r2: Annotated[float | None, typer.Option(min=0.0, max=1.0, help="Smallest R2.")] = None,
    max_cv: Annotated[float | None, typer.Option(min=0.0, help="Largest mean CV of repeated counts, %.")] = None,
    max_pi_squared: Annotated[
        float | None, typer.Option(min=0.0, help="Largest proportionality index of squared distances.")
    ] = None,
    max_pi_absolute: Annotated[
        float | None, typer.Option(min=0.0, help="Largest proportionality index of absolute distances.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fit the proportional model of ISO 20391-2 to each counting method; limits are yours, there are no defaults."""
    finish(lambda: _qualify(study, (min_r2, max_cv, max_pi_squared, max_pi_absolute), as_json=as_json))


def _qualify(study: Path, asked: tuple[float | None, ...], *, as_json: bool) -> None:
    from cultureops.analysis.dilution_study import read_study
    from cultureops.analysis.proportionality import Limits, qualify

    try:
        limits = Limits(*asked)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    methods = read_study(contents_of(study), str(study))
    judged = {method: qualify(samples, limits) for method, samples in methods.items()}
    if as_json:
        rows = [_row(method, verdict) for method, verdict in judged.items()]
        print(json.dumps({"file": str(study), "limits": asdict(limits), "methods": rows}, indent=1, allow_nan=False))
    else:
        _print_table(judged)


def _row(method: str, verdict: Qualification) -> dict[str, object]:
    found = dict.fromkeys(FIGURES) if verdict.found is None else asdict(verdict.found)
    return {"method": method, **found, "qualified": verdict.qualified, "reasons": list(verdict.reasons)}


def _print_table(judged: dict[str, Qualification]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*HEADINGS)
    said = {True: "yes", False: "no", None: "no limit set"}
    for method, verdict in judged.items():
        row = _row(method, verdict)
        shown = ("-" if row[name] is None else f"{row[name]:.4g}" for name in FIGURES)
        table.add_row(Text(method), *shown, said[verdict.qualified])
    Console(highlight=False).print(table)
    for method, verdict in judged.items():
        if verdict.qualified is False:
            print(f"{method}: {'; '.join(verdict.reasons)}")
