"""The rows of a logger's file, whichever kind it is: text by each delimiter it may have, a workbook by each sheet."""

from __future__ import annotations

import codecs
import csv
import io
import zipfile
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time
from functools import partial
from typing import Final, TypeAlias

from cultureops.errors import ConfigError, Unreadable

__all__ = ["Cell", "Row", "Source", "is_workbook", "sources_of"]

Cell: TypeAlias = str | float
Row: TypeAlias = tuple[int, Sequence[Cell]]
"""Line number from 1, and cells."""
Source: TypeAlias = Callable[[], Iterator[Row]]
"""One way to read a file's rows, from the first on at each call; raises csv.Error where it is not the way."""

ZIP, COMPOUND = b"PK\x03\x04", bytes.fromhex("d0cf11e0a1b11ae1")
MOST_UNPACKED: Final = 500_000_000
"""Bytes a workbook may unpack to; the million rows that a sheet can hold need less."""
_DELIMITERS: Final = (";", "\t", ",", "|")


def is_workbook(contents: bytes) -> bool:
    """Say whether a file begins as a workbook does, XLS or XLSX."""
    return contents.startswith((ZIP, COMPOUND))


def sources_of(contents: bytes, file: str) -> tuple[Source, ...]:
    """Return the ways to read a file, the likelier first; raise Unreadable for what is neither text nor workbook."""
    if is_workbook(contents):
        return tuple(partial(iter, rows) for rows in _sheets(contents, file))
    text = _text(contents, file)
    return tuple(partial(_rows, text, delimiter) for delimiter in _DELIMITERS)


def _text(contents: bytes, file: str) -> str:
    if not contents.strip():
        raise Unreadable(f"{file}: is empty")
    utf16 = contents.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for encoding in ("utf-16",) if utf16 else ("utf-8-sig", "cp1252"):
        try:
            text = contents.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise Unreadable(f"{file}: is no text; expected a table such as CSV, or a workbook")


def _rows(text: str, delimiter: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    for cells in reader:
        yield reader.line_num, cells


def _sheets(contents: bytes, file: str) -> list[list[Row]]:
    try:
        from python_calamine import CalamineWorkbook
    except ImportError:
        raise ConfigError(f"{file}: workbooks need the 'counters' extra; install cultureops[counters]") from None
    try:
        if contents.startswith(ZIP):
            with zipfile.ZipFile(io.BytesIO(contents)) as packed:
                unpacked = sum(part.file_size for part in packed.infolist())
            if unpacked > MOST_UNPACKED:
                raise Unreadable(f"{file}: unpacks to {unpacked:,} bytes; at most {MOST_UNPACKED:,} are read")
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(contents))
        sheets = [workbook.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in workbook.sheet_names]
    except Unreadable:
        raise
    except Exception as error:  # foreign code on foreign bytes: whatever it raises, the file is bad
        raise Unreadable(f"{file}: not a workbook: {' '.join(str(error).split())[:200]}") from None
    return [[(line, [_cell(cell) for cell in row]) for line, row in enumerate(rows, 1)] for rows in sheets]


def _cell(cell: object) -> Cell:
    if isinstance(cell, datetime | date | time):
        return cell.isoformat(" ") if isinstance(cell, datetime) else cell.isoformat()
    return float(cell) if isinstance(cell, int | float) and not isinstance(cell, bool) else str(cell)
