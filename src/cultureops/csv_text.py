"""The one way to write CSV: as RFC 4180 has it, and without a cell that a spreadsheet would run as a formula.

A spreadsheet runs what begins with ``=``, ``+``, ``-`` or ``@``, also behind a character that it takes for the end of a
cell (which one depends on where it was installed) or of a line. There an apostrophe is put before it; numbers and UTC
offsets stay as they are. ``read_cell`` takes exactly those apostrophes away again.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TextIO

from cultureops.errors import ConfigError

__all__ = ["BOM", "CsvWriter", "read_cell", "read_csv", "write_cell"]

BOM: Final = "\ufeff"
"""Put first it tells a spreadsheet that the text is UTF-8."""

_HARMLESS: Final = r"[+-](?:\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\d\d:\d\d)(?=[;\t\r\n]|\Z)"
_BEGIN: Final = r"(?:(?<![^;\t\r\n])|(?<=\A\ufeff))(?:[^\S;\t\r\n]|\")*"
"""Where a cell may begin: at the start, behind another program's delimiter, or in a new line; blanks and quotes."""
_FORMULA: Final = re.compile(rf"({_BEGIN})(?=(?!{_HARMLESS})'*[=+\-@\uff1d\uff0b\uff0d\uff20])")
_NEUTRAL: Final = re.compile(rf"({_BEGIN})'(?='*[=+\-@\uff1d\uff0b\uff0d\uff20])")
_TAB: Final = re.compile(r"\A(?='*[\t\r\n])")
_NEUTRAL_TAB: Final = re.compile(r"\A'(?='*[\t\r\n])")
_PLAIN: Final = re.compile(r"[^\s\"'=+\-@\uff1d\uff0b\uff0d\uff20\ufeff][^;\t\r\n]*")
"""What needs no closer look; most cells of a long export."""


def write_cell(value: object) -> str:
    """Return a value as the text of a cell that no spreadsheet runs; None is empty, numbers stay numbers."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    return text if _PLAIN.fullmatch(text) else _TAB.sub("'", _FORMULA.sub(r"\1'", text))


def read_cell(text: str) -> str:
    """Return the text that ``write_cell`` was given."""
    return text if _PLAIN.fullmatch(text) else _NEUTRAL.sub(r"\1", _NEUTRAL_TAB.sub("", text))


class CsvWriter:
    """Writes rows under a heading, all of the same length; raises ValueError for one that is not.

    Open a file for it with ``newline=""`` and ``encoding="utf-8"``; ``has_bom`` puts a mark of UTF-8 before the text.
    """

    def __init__(self, out: TextIO, columns: Sequence[str], *, has_bom: bool = False) -> None:
        if has_bom:
            out.write(BOM)
        self._rows = csv.writer(out, lineterminator="\r\n")
        self._width = len(columns)
        self.write(columns)

    def write(self, cells: Iterable[object]) -> None:
        """Write one row."""
        texts = [write_cell(cell) for cell in cells]
        if len(texts) != self._width:
            raise ValueError(f"{len(texts)} cells under {self._width} headings")
        self._rows.writerow(texts)


def read_csv(source: TextIO, name: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, cells) of a CSV text as they were given to a ``CsvWriter``, the heading too.

    Raises ConfigError that names file and line where the text is no CSV.
    """
    rows = csv.reader(source, strict=True)
    try:
        for cells in rows:
            if rows.line_num == 1 and cells and cells[0].startswith(BOM):
                cells[0] = cells[0].removeprefix(BOM)
            yield rows.line_num, [read_cell(cell) for cell in cells]
    except csv.Error as error:
        raise ConfigError(f"{name}:{rows.line_num}: not CSV: {error}") from None
