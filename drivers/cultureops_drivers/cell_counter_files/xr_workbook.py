"""Rows of a Vi-CELL XR workbook that hold a count: the parser passes over a row without a date and says nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cultureops.errors import ProtocolError

__all__ = ["check_all_read", "check_dates_there"]

Rows = Sequence[Sequence[str]]

_DATES: Final = ("Sample date/time", "Sample data/time", "Sample date")
"""Titles of the column; the second is how some versions of the maker's program spell it."""


def check_dates_there(rows: Rows, file: str) -> None:
    """Raise ProtocolError when a run summary has no column of sample dates."""
    at = _head(rows)
    if at is not None and not any(title in _DATES for title in rows[at]):
        near = next((title for title in rows[at] if "date" in title.lower()), "none that is like it")
        raise ProtocolError(f"{file}:{at + 1}: expected a column {_DATES[0]!r}, found {near!r}; export the run again")


def check_all_read(rows: Rows, read: int, file: str) -> None:
    """Raise ProtocolError when more rows of a run summary look like a count than were read.

    A first row without any date is no count: some exports begin with one that their program hides. A report on a single
    sample, which has another layout, is left to the parser.
    """
    at = _head(rows)
    if at is None:
        return
    viability, date = rows[at].index("Viability"), next(rows[at].index(title) for title in _DATES if title in rows[at])
    counts = 0
    for number, row in enumerate(rows[at + 2 :]):  # the head takes two rows
        is_hidden = number == 0 and not (len(row) > date and row[date])
        counts += not is_hidden and bool(row) and bool(row[0]) and _is_number(row, viability)
    if counts > read:
        raise ProtocolError(
            f"{file}: {counts} rows hold a count, and {read} could be read; "
            "look for a sample date that is missing or mangled"
        )


def _head(rows: Rows) -> int | None:
    return next((at for at, row in enumerate(rows) if row and row[0] == "Sample ID" and "Viability" in row), None)


def _is_number(row: Sequence[str], place: int) -> bool:
    try:
        float(row[place])
    except (ValueError, IndexError):
        return False
    return True
