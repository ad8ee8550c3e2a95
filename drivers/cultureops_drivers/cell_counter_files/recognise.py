"""Which cell counter wrote a file, told by what it holds. Pure; the library for workbooks is imported late."""

from __future__ import annotations

import codecs
import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from cultureops.errors import ProtocolError

__all__ = ["Format", "as_text", "is_workbook", "recognise", "workbook_rows"]

ZIP, COMPOUND = b"PK\x03\x04", bytes.fromhex("d0cf11e0a1b11ae1")
MOST_UNPACKED: Final = 200_000_000
"""Bytes a workbook may unpack to; a run of a hundred samples needs less than one million."""
HEAD_LINES: Final = 40


@dataclass(frozen=True, slots=True)
class Format:
    """A counter's export: its name at the parser, the ending that the parser goes by, what people call it."""

    vendor: str
    suffix: str
    label: str


def recognise(contents: bytes) -> Format | None:
    """Return the format of a file, None when it is none that is known here; raise ProtocolError for a bad workbook."""
    if is_workbook(contents):
        rows = workbook_rows(contents)
        suffix = ".xlsx" if contents.startswith(ZIP) else ".xls"
        return next((Format(vendor, suffix, label) for vendor, label, is_it in _WORKBOOKS if is_it(rows)), None)
    text = as_text(contents)
    if text is None:
        return None
    lines = [line for line in text[:20_000].splitlines() if line.strip()][:HEAD_LINES]
    if not lines:
        return None
    return next((Format(vendor, suffix, label) for vendor, suffix, label, is_it in _TEXTS if is_it(lines)), None)


def is_workbook(contents: bytes) -> bool:
    """Say whether the file begins as a workbook does, XLSX or XLS."""
    return contents.startswith((ZIP, COMPOUND))


def as_text(contents: bytes) -> str | None:
    """Return the text of a file in UTF-8, UTF-16 with its mark or Windows-1252; None for what is no text."""
    if contents.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    elif b"\0" in contents:
        return None
    else:
        encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            return contents.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


def workbook_rows(contents: bytes) -> list[list[str]]:
    """Return the first sheet of a workbook as texts; raise ProtocolError for what is no sound one."""
    try:
        from python_calamine import CalamineWorkbook
    except ImportError:
        raise ProtocolError("workbooks need the 'counters' extra; install cultureops[counters]") from None
    try:
        if contents.startswith(ZIP):
            with zipfile.ZipFile(io.BytesIO(contents)) as packed:
                unpacked = sum(part.file_size for part in packed.infolist())
            if unpacked > MOST_UNPACKED:
                raise ProtocolError(f"unpacks to {unpacked:,} bytes, at most {MOST_UNPACKED:,} are read")
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(contents))
        sheet = workbook.get_sheet_by_index(0)
        return [[str(cell).strip() for cell in row] for row in sheet.to_python(skip_empty_area=False)]
    except ProtocolError:
        raise
    except Exception as error:  # foreign code on foreign bytes: whatever it raises, the file is bad
        raise ProtocolError(f"not a sound workbook: {' '.join(str(error).split())[:200]}") from None


def _is_blu(lines: Sequence[str]) -> bool:
    return "Viability (%)" in lines[0] and "Viable (x10^6) cells/mL" in lines[0]


def _is_xr(lines: Sequence[str]) -> bool:
    return lines[0].startswith("Vi-CELL XR")


def _is_nc_view(lines: Sequence[str]) -> bool:
    return lines[0].startswith("NAME,SAMPLE ID,") and "VIABILITY (%)" in lines[0]


def _is_cedex(lines: Sequence[str]) -> bool:
    return "Cedex ID" in lines[0] and "Viable Cell Conc." in lines[0]


def _is_matrix(lines: Sequence[str]) -> bool:
    is_flat = "Well Name" in lines[0] and ("Live Count" in lines[0] or "Live Cells/mL" in lines[0])
    return is_flat or lines[0].startswith("Plate Name,")


def _is_nucleoview(lines: Sequence[str]) -> bool:
    return any(line.lstrip('"').startswith("Viability (%)") for line in lines)


def _cells(row: Sequence[str]) -> list[str]:
    return [cell for cell in row if cell]


def _is_xr_book(rows: Sequence[Sequence[str]]) -> bool:
    return bool(rows) and any(cell.upper().startswith("VI-CELL") for cell in _cells(rows[0]))


def _is_cedex_book(rows: Sequence[Sequence[str]]) -> bool:
    return bool(rows) and "Cedex ID" in rows[0] and "Viable Cell Conc." in rows[0]


def _is_matrix_book(rows: Sequence[Sequence[str]]) -> bool:
    return any("Well Name" in row and any("Live Co" in cell for cell in row) for row in rows[:15])


_TEXTS: Final[tuple[tuple[str, str, str, Callable[[Sequence[str]], bool]], ...]] = (
    ("BECKMAN_VI_CELL_BLU", ".csv", "Vi-CELL BLU", _is_blu),
    ("BECKMAN_VI_CELL_XR", ".txt", "Vi-CELL XR", _is_xr),
    ("CHEMOMETEC_NC_VIEW", ".csv", "NC-View", _is_nc_view),
    ("ROCHE_CEDEX_HIRES", ".csv", "Cedex HiRes", _is_cedex),
    ("REVVITY_MATRIX", ".csv", "Revvity Matrix", _is_matrix),
    ("CHEMOMETEC_NUCLEOVIEW", ".csv", "NucleoView NC-200", _is_nucleoview),
)
_WORKBOOKS: Final[tuple[tuple[str, str, Callable[[Sequence[Sequence[str]]], bool]], ...]] = (
    ("BECKMAN_VI_CELL_XR", "Vi-CELL XR", _is_xr_book),
    ("ROCHE_CEDEX_HIRES", "Cedex HiRes", _is_cedex_book),
    ("REVVITY_MATRIX", "Revvity Matrix", _is_matrix_book),
)
