"""The cells of a logger's file, whichever kind it is; workbooks (XLS, XLSX) by a library that is imported late."""

from __future__ import annotations

import csv
import io
from typing import TypeAlias

from cultureops.device.trace import MappingMismatch
from cultureops.errors import ConfigError
from cultureops_drivers.shipper_logger.mapping import TraceMapping

__all__ = ["Cells", "read_sheet"]

Cells: TypeAlias = list[list[object]]
"""Rows of cells as the file has them, the first one being line 1: texts, numbers, dates, "" where empty."""


def read_sheet(contents: bytes, file: str, mapping: TraceMapping) -> Cells:
    """Return all cells; raise ConfigError naming the file when it is of another kind."""
    return _workbook(contents, file, mapping.sheet) if mapping.sheet else _csv(contents, file, mapping)


def _csv(contents: bytes, file: str, mapping: TraceMapping) -> Cells:
    rows: Cells = []
    try:
        text = contents.decode(mapping.encoding)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=mapping.delimiter, strict=True)
        for row in reader:
            rows += [[] for _ in range(reader.line_num - len(rows) - 1)]  # a cell may hold line ends
            rows.append(list(row))
    except (UnicodeDecodeError, LookupError, csv.Error, TypeError) as error:
        raise ConfigError(f"{file}:{len(rows) + 1}: not a CSV file in {mapping.encoding}: {error}") from None
    return rows


def _workbook(contents: bytes, file: str, sheet: str) -> Cells:
    try:
        from python_calamine import CalamineWorkbook
    except ImportError:
        raise ConfigError(f"{file}: workbooks need the 'counters' extra; install cultureops[counters]") from None
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(contents))
        names = workbook.sheet_names
        if sheet not in names:
            raise MappingMismatch(f"{file}: has no sheet {sheet!r}, only {', '.join(names) or 'none'}")
        return [list(row) for row in workbook.get_sheet_by_name(sheet).to_python(skip_empty_area=False)]
    except ConfigError:
        raise
    except Exception as error:  # foreign code on foreign bytes: whatever it raises, the file is bad
        raise ConfigError(f"{file}: not a workbook: {' '.join(str(error).split())[:200]}") from None
