"""Tables of numbers as people save them: text in, columns out; what can't be read is refused with its line."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from cultureops.errors import ConfigError

__all__ = ["Row", "Table", "parse_table"]

DELIMITERS: Final = (",", ";", "\t", "|")
HEADER_WITHIN: Final = 50
"""Rows that may stand above the header: a title, a date, an instrument's name."""
ABSENT: Final = frozenset({"", "na", "n/a", "nan"})
NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
SHOWN: Final = 100
"""Characters of a stranger's text that an error repeats."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its line in the file and its fields, one for each column."""

    line: int
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows below a header; ``columns`` are plain names: small letters and underscores."""

    source: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    decimal_comma: bool

    def has(self, column: str) -> bool:
        """Return whether there is a column of this name."""
        return plain(column) in self.columns

    def text(self, row: Row, column: str) -> str:
        """Return a field without the blanks around it; empty where it says NA or the column is absent."""
        if not self.has(column):
            return ""
        field = row.fields[self.columns.index(plain(column))].strip()
        return "" if field.casefold() in ABSENT else field

    def number(self, row: Row, column: str) -> float | None:
        """Return a field as a finite number, None where it is absent; raise ConfigError for anything else."""
        field = self.text(row, column)
        if not field:
            return None
        written = field.replace(",", ".") if self.decimal_comma and field.count(",") == 1 else field
        if not NUMBER.fullmatch(written) or not math.isfinite(float(written)):
            raise self.refusal(row, f"{column}: {field[:SHOWN]!r} is no number; write e.g. 1250000 or 1.25e6")
        return float(written)

    def pairs(self, x: str, y: str) -> tuple[list[float], list[float], int]:
        """Return two columns side by side, and how many rows have no ``y``; raise ConfigError for a lonely ``y``."""
        xs: list[float] = []
        ys: list[float] = []
        without = 0
        for row in self.rows:
            first, second = self.number(row, x), self.number(row, y)
            if second is None:
                without += 1
            elif first is None:
                raise self.refusal(row, f"{y} has a value but {x} has none; fill it in or take the row out")
            else:
                xs.append(first)
                ys.append(second)
        return xs, ys, without

    def refusal(self, row: Row, why: str) -> ConfigError:
        """Return the error that names the file and the row's line."""
        return ConfigError(f"{self.source}:{row.line}: {why}")


def plain(name: str) -> str:
    """Return a column's name in small letters with underscores, so that ``Cell Conc`` is ``cell_conc``."""
    return re.sub(r"[\s_-]+", "_", name.strip().casefold()).strip("_")


def parse_table(contents: bytes, source: str, needed: Sequence[str]) -> Table:
    """Read delimited text whose header names at least the ``needed`` columns.

    The header may stand below other lines; comma, semicolon, tab or bar separate; a decimal comma is understood
    where the comma doesn't separate. Raises ConfigError for text that isn't such a table, a row with more or fewer
    fields than the header, and a needed column that is there twice.
    """
    text = _decoded(contents, source)
    wanted = {plain(name) for name in needed}
    for delimiter in DELIMITERS:
        rows = _rows(text, delimiter, source)
        for row in islice(rows, HEADER_WITHIN):
            columns = tuple(plain(field) for field in row.fields)
            if wanted <= set(columns):
                return _table(source, _trimmed(columns), wanted, rows, decimal_comma=delimiter != ",")
    raise ConfigError(f"{source}: expected a header with the columns {', '.join(needed)}, found {_found(text)}")


def _table(
    source: str, columns: tuple[str, ...], wanted: set[str], rows: Iterator[Row], *, decimal_comma: bool
) -> Table:
    twice = [name for name in sorted(wanted) if columns.count(name) > 1]
    if twice:
        raise ConfigError(f"{source}: the column {twice[0]} is there twice; leave one")
    kept = []
    for row in rows:
        fields = _trimmed(row.fields, len(columns))
        if not any(field.strip() for field in fields):
            continue
        if len(fields) != len(columns):
            raise ConfigError(f"{source}:{row.line}: {len(fields)} fields under {len(columns)} columns; mend the row")
        kept.append(Row(row.line, fields))
    return Table(source, columns, tuple(kept), decimal_comma)


def _trimmed(fields: tuple[str, ...], at_least: int = 0) -> tuple[str, ...]:
    """Drop the empty fields that a spreadsheet leaves to the right."""
    end = len(fields)
    while end > at_least and not fields[end - 1].strip():
        end -= 1
    return fields[:end]


def _rows(text: str, delimiter: str, source: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=None), delimiter=delimiter)
    try:
        for fields in reader:
            yield Row(reader.line_num, tuple(fields))
    except csv.Error as error:
        raise ConfigError(f"{source}:{reader.line_num}: not CSV: {error}") from None


def _decoded(contents: bytes, source: str) -> str:
    encoding = "utf-16" if contents[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = contents.decode(encoding)
    except UnicodeDecodeError:
        text = "\0" if encoding == "utf-16" else contents.decode("latin-1")
    if "\0" in text:
        raise ConfigError(f"{source}: no text but binary data; save the table as CSV")
    if not text.strip():
        raise ConfigError(f"{source}: the file is empty")
    return text


def _found(text: str) -> str:
    first = next(line for line in text.splitlines() if line.strip()).strip()
    shown = "".join(sign if sign.isprintable() else "?" for sign in first[:SHOWN])
    return repr(shown + ("…" if len(first) > SHOWN else ""))
