"""The command on a temperature logger's file."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cultureops.cli.shell import AsJson, finish

__all__ = ["coldchain"]


class Shipped(StrEnum):
    """What was shipped."""

    OTHER = "other"
    FROZEN = "frozen"


class Dates(StrEnum):
    """Order of day, month and year."""

    DMY = "dmy"
    MDY = "mdy"
    YMD = "ymd"


class Unit(StrEnum):
    """Unit of a column whose title states none."""

    C = "C"
    F = "F"
    K = "K"


def coldchain(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="File of a logger: Elitech .xls, CSV.")],
    low: Annotated[float | None, typer.Option(help="Lower limit, °C.")] = None,
    high: Annotated[float | None, typer.Option(help="Upper limit, °C.")] = None,
    product: Annotated[
        Shipped, typer.Option(help="For a frozen product no mean kinetic temperature is given.")
    ] = Shipped.OTHER,
    zone: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Zone of the logger's clock, e.g. Europe/Vienna."),
    ] = None,
    mapping: Annotated[
        str | None, typer.Option(metavar="NAME", help="How its columns are read, as of `telemetry import-trace`.")
    ] = None,
    column: Annotated[
        str | None, typer.Option(metavar="TITLE", help="Column with the temperature, where there are several.")
    ] = None,
    unit: Annotated[Unit | None, typer.Option(help="Unit of a column that states none.")] = None,
    dates: Annotated[Dates | None, typer.Option(help="Order of dates that could be read two ways.")] = None,
    gap_s: Annotated[
        float | None, typer.Option("--gap", min=0.001, help="Seconds without a reading that are a gap.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Judge a temperature trace: mean kinetic temperature, time out of range, excursions, gaps."""
    from cultureops.logger_file import Asked, report

    asked = Asked(
        low_c=low,
        high_c=high,
        product=product.value,
        zone=zone,
        mapping=mapping,
        column=column,
        unit=None if unit is None else unit.value,
        dates=None if dates is None else dates.value,
        gap_s=gap_s,
    )
    finish(lambda: report(source, asked, json_alone=as_json))
