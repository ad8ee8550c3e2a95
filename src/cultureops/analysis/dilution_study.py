"""Dilution studies in the columns of NIST's COMET template, read into the samples of each counting method."""

from __future__ import annotations

from typing import Final

from cultureops.analysis.proportionality import DilutedSample
from cultureops.analysis.table import Row, Table, parse_table
from cultureops.errors import ConfigError

__all__ = ["read_study"]

METHOD: Final = "counting_method"
TARGET: Final = "target_dilution_fraction"
MEASURED: Final = "measured_dilution_fraction"
DENSITY: Final = "cell_conc"
SAMPLE: Final = "random_sample_number"
EXTRACTION: Final = "stock_extraction"
ONE_KIND: Final = ("cell_type", "concentration_type")
MIN_EXTRACTIONS: Final = 3
"""COMET tells samples apart by their extraction from stock, or by number where fewer rows than these name it."""


def read_study(contents: bytes, source: str) -> dict[str, list[DilutedSample]]:
    """Return the diluted samples of every counting method in the file, in its order.

    As in COMET a sample is told by its fractions, stock solution and extraction, a row without a count is left out,
    and a fraction that wasn't measured is the target. Raises ConfigError, naming file and line, for a file without
    the template's columns, for a field that is no number, and for studies of two cell types in one.
    """
    table = parse_table(contents, source, (METHOD, TARGET, SAMPLE, DENSITY))
    rows = [row for row in table.rows if table.text(row, METHOD) and table.number(row, DENSITY) is not None]
    if not rows:
        raise ConfigError(f"{source}: no row has a {METHOD} and a {DENSITY}; fill in the counts")
    for column in ONE_KIND:
        kinds = sorted({table.text(row, column) for row in rows})
        if len(kinds) > 1:
            raise ConfigError(f"{source}: {column} holds {', '.join(map(repr, kinds))}; give a file for each")
    by_extraction = sum(bool(table.text(row, EXTRACTION)) for row in rows) >= MIN_EXTRACTIONS
    densities: dict[tuple[str, ...], list[float]] = {}
    first_rows: dict[tuple[str, ...], Row] = {}
    for row in rows:
        names = [METHOD, TARGET, MEASURED, "stock_solution", EXTRACTION if by_extraction else SAMPLE]
        if not table.text(row, names[-1]):
            raise table.refusal(row, f"{names[-1]} is empty, so that nobody knows which sample was counted")
        key = tuple(table.text(row, name) for name in names)
        densities.setdefault(key, []).append(table.number(row, DENSITY) or 0.0)
        first_rows.setdefault(key, row)
    methods: dict[str, list[DilutedSample]] = {}
    for key, counted in densities.items():
        methods.setdefault(key[0], []).append(_sample(table, first_rows[key], counted))
    return methods


def _sample(table: Table, row: Row, densities: list[float]) -> DilutedSample:
    target, measured = table.number(row, TARGET), table.number(row, MEASURED)
    if target is None:
        raise table.refusal(row, f"{TARGET} is empty; give the share of stock, e.g. 0.3")
    try:
        return DilutedSample(target, target if measured is None else measured, tuple(densities))
    except ValueError as error:
        raise table.refusal(row, str(error)) from None
