"""Which column of a logger's file is what, as data.

``[trace]``: ``vendor model source kind`` (``workbook`` with ``sheet``, or ``csv`` with ``delimiter encoding``) and
``decimal``. ``[stated]``: labels in the file's head, whose value stands in the next cell: ``model serial_number
firmware readings first last utc_offset``, all optional; what the file states must be what its rows show. ``[time]``:
``column format``. ``[number]``: ``column`` that counts rows from 1, optional. ``[[channel]]``: ``name column unit
decimals`` and optionally ``valid_range``, ``missing`` (texts that stand for no value). Columns are named as the file
does, with the unit in the title where it has one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cultureops.device.channel import Channel
from cultureops.device.table import Table, load_table
from cultureops.errors import ConfigError
from cultureops.units import UCUM

__all__ = ["STATED", "Column", "TraceMapping", "find_mapping", "load_mapping"]

STATED: Final = ("model", "serial_number", "firmware", "readings", "first", "last", "utc_offset")
_FOLDER: Final = Path(__file__).parent / "mappings"


@dataclass(frozen=True, slots=True)
class Column:
    """One channel and the column it comes from."""

    channel: Channel
    title: str
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TraceMapping:
    """How one kind of file is read; ``sheet`` is empty for CSV."""

    name: str
    vendor: str
    model: str
    sheet: str
    delimiter: str
    encoding: str
    decimal: str
    stated: Mapping[str, str]
    time_title: str
    time_format: str
    number_title: str
    columns: tuple[Column, ...]

    @property
    def titles(self) -> tuple[str, ...]:
        """All column titles that must stand in the table's head."""
        number = (self.number_title,) if self.number_title else ()
        return (*number, self.time_title, *(column.title for column in self.columns))


def find_mapping(name: str) -> Path:
    """Return the file of a mapping, shipped (by name) or the user's own (by path ending in .toml)."""
    return Path(name) if name.endswith(".toml") else _FOLDER / f"{name}.toml"


def load_mapping(path: Path) -> TraceMapping:
    """Read a mapping; raise ConfigError with file and line for a wrong one."""
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in _FOLDER.glob("*.toml")))
        raise ConfigError(f"{path}: no such mapping; name a file that ends in .toml or one of: {known}")
    top = load_table(path)
    about, time, number, stated = (
        top.table("trace"), top.table("time"), top.optional_table("number"), top.optional_table("stated"),
    )  # fmt: skip
    is_workbook = about.text("kind", choices=("workbook", "csv")) == "workbook"
    about.text("source")
    mapping = TraceMapping(
        name=path.stem,
        vendor=about.text("vendor"),
        model=about.text("model"),
        sheet=about.text("sheet") if is_workbook else "",
        delimiter="" if is_workbook else about.text("delimiter", ","),
        encoding="" if is_workbook else about.text("encoding", "utf-8-sig"),
        decimal=about.text("decimal", ".", choices=(".", ",")),
        stated={} if stated is None else {key: stated.text(key) for key in STATED if stated.has(key)},
        time_title=time.text("column"),
        time_format=time.text("format"),
        number_title="" if number is None else number.text("column"),
        columns=tuple(_column(row) for row in top.tables("channel")),
    )
    for table in (about, time, number, stated, top):
        if table is not None:
            table.done()
    if not mapping.columns:
        raise top.error("has no [[channel]]; add at least one", "channel")
    if len(set(mapping.titles)) != len(mapping.titles):
        raise top.error("names a column twice", "channel")
    return mapping


def _column(row: Table) -> Column:
    channel = Channel(
        name=row.text("name"),
        unit=row.text("unit", choices=tuple(UCUM)),
        valid_range=_range(row),
        decimals=row.integer("decimals", 1, minimum=0, maximum=6),
    )
    column = Column(channel, row.text("column"), row.texts("missing"))
    row.done()
    return column


def _range(row: Table) -> tuple[float, float] | None:
    limits = row.numbers("valid_range")
    if not limits:
        return None
    if len(limits) != 2 or limits[0] >= limits[1]:
        raise row.error("expected two numbers, the lower one first", "valid_range")
    return limits[0], limits[1]
