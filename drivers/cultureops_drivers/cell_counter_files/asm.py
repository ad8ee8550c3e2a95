"""Counts out of an Allotrope cell-counting document (REC/2024/09). Pure, but for the parser that is imported late."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import PurePath
from typing import Any, Final

from cultureops.device.driver import CountResult
from cultureops.device.plausibility import flagged
from cultureops.errors import ProtocolError
from cultureops_drivers.cell_counter_files.nucleoview import remarks
from cultureops_drivers.cell_counter_files.recognise import as_text, is_workbook, workbook_rows
from cultureops_drivers.cell_counter_files.xr_workbook import check_all_read, check_dates_there

__all__ = ["counts_of", "parse"]

Node = Mapping[str, Any]
XR: Final = "BECKMAN_VI_CELL_XR"
NUCLEOVIEW: Final = "CHEMOMETEC_NUCLEOVIEW"

_NO_SAMPLE_ID: Final = ("", "nan", "None")
"""What the parser makes of an empty cell."""


def parse(contents: bytes, file: str, file_format: str, *, suffix: str = "") -> tuple[CountResult, ...]:
    """Read the counts of one result file.

    ``file_format`` is a name in allotropy's ``Vendor``, ``suffix`` the ending to parse by, that of the name by default.
    Raises ProtocolError, and whatever the parser raises.
    """
    from allotropy.parser_factory import Vendor
    from allotropy.to_allotrope import allotrope_from_io

    rows = workbook_rows(contents) if file_format == XR and is_workbook(contents) else []
    check_dates_there(rows, file)
    text = None if is_workbook(contents) else as_text(contents)
    # The parser reads UTF-8 everywhere, other encodings for some formats only.
    readable = contents if text is None else text.encode()
    name = str(PurePath(file).with_suffix(suffix)) if suffix else file
    document = allotrope_from_io(io.BytesIO(readable), name, Vendor[file_format])
    results = counts_of(document, file, hashlib.sha256(contents).hexdigest())
    if not results:
        raise ProtocolError(f"{file}: holds no count")
    check_all_read(rows, len(results), file)
    said = remarks(text) if file_format == NUCLEOVIEW and text is not None else ()
    return tuple(replace(result, flags=(*result.flags, *said)) for result in results)


def counts_of(document: Node, file: str, sha256: str) -> tuple[CountResult, ...]:
    """Return the counts of an Allotrope document in its order; raise ProtocolError when it is of another kind."""
    try:
        results = tuple(_count(measurement, file, sha256) for measurement in _measurements(document))
    except (KeyError, TypeError, IndexError) as error:
        raise ProtocolError(f"{file}: the count document lacks {error}") from None
    return _missing_cells_flagged(results)


def _missing_cells_flagged(results: tuple[CountResult, ...]) -> tuple[CountResult, ...]:
    """Flag counts without cells in a file whose others have them: the instrument wrote an error in their place."""
    if all(result.total_cells is None for result in results):
        return results
    return tuple(
        replace(result, flags=(*result.flags, "cells_missing")) if result.total_cells is None else result
        for result in results
    )


def _measurements(document: Node) -> Iterator[Node]:
    for count in document["cell counting aggregate document"]["cell counting document"]:
        yield from count["measurement aggregate document"]["measurement document"]


def _count(measurement: Node, file: str, sha256: str) -> CountResult:
    values = measurement["processed data aggregate document"]["processed data document"][0]
    sample_id = str(measurement["sample document"]["sample identifier"]).strip()
    result = CountResult(
        sample_id="" if sample_id in _NO_SAMPLE_ID else sample_id,
        counted_at_local=_local(measurement["measurement time"]),
        viability_pct=_quantity(values, "viability (cell counter)", "%"),
        viable_density_1e6_per_ml=_quantity(values, "viable cell density (cell counter)", "10^6 cells/mL"),
        total_density_1e6_per_ml=_quantity(values, "total cell density (cell counter)", "10^6 cells/mL"),
        viable_cells=_cells(values, "viable cell count"),
        total_cells=_cells(values, "total cell count"),
        average_diameter_um=_quantity(values, "average total cell diameter", "µm"),
        source_file=file,
        source_sha256=sha256,
    )
    return flagged(result, (*_errors(measurement), *_broken_cells(values)))


def _local(time: str) -> str:
    """Take the time as it stands on the instrument: whatever zone the parser put to it is not in the file."""
    return datetime.fromisoformat(time).replace(tzinfo=None).isoformat(timespec="seconds")


def _errors(measurement: Node) -> Iterator[str]:
    for error in measurement.get("error aggregate document", {}).get("error document", ()):
        yield str(error.get("error feature", error.get("error", "unknown"))).replace(" ", "_")


def _quantity(values: Node, name: str, unit: str) -> float | None:
    quantity = values.get(name)
    if quantity is None or quantity["value"] is None:
        return None
    if quantity["unit"] != unit:
        raise ProtocolError(f"{name} is in {quantity['unit']}, expected {unit}")
    return float(quantity["value"])


def _cells(values: Node, name: str) -> int | None:
    cells = _quantity(values, name, "cell")
    return int(cells) if cells is not None and cells.is_integer() else None


def _broken_cells(values: Node) -> Iterator[str]:
    for name in ("viable cell count", "total cell count"):
        cells = _quantity(values, name, "cell")
        if cells is not None and not cells.is_integer():
            yield f"{name.replace(' ', '_')}_not_whole"
