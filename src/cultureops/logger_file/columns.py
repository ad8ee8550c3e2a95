"""Any number of columns of numbers over time, read from delimited text row by row: for files of millions of rows.

What is no number is kept as the reason why there is none. Nothing is guessed: a time that could be read two ways, or
a comma that could be a decimal sign or a separator, is refused.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from cultureops.errors import ConfigError, Unreadable
from cultureops.logger_file.cell import Column
from cultureops.logger_file.lines import TextFile
from cultureops.logger_file.row_time import RowTimes
from cultureops.logger_file.stamp import DateOrder, date_order, looks_like_time
from cultureops.logger_file.title import time_places

__all__ = ["ColumnTrace", "Layout", "Skipped", "find_layout", "holds_several", "read_columns"]

_DELIMITERS: Final = (";", "\t", ",", "|")
_HEAD_ROWS: Final = 300
_LOOK_AHEAD_ROWS: Final = 3
_SHOWN: Final = 40
_LARGEST_SKIPPED_SHARE: Final = 0.1
_PROGRESS_ROWS: Final = 250_000


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is to be read: its delimiter, the line of its titles [from 1], and where the time stands."""

    delimiter: str
    head_line: int
    titles: tuple[str, ...]
    times: tuple[int, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The titles of all columns but the time's, in file order; some may come twice or be empty."""
        return tuple(title for place, title in enumerate(self.titles) if place not in self.times)

    def place(self, column: str) -> int:
        """Return where a column stands in a row."""
        return next(place for place, title in enumerate(self.titles) if title == column and place not in self.times)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row that has no place in time."""

    line: int
    why: str


@dataclass(frozen=True, slots=True)
class ColumnTrace:
    """Rows by ascending time [ms UTC], rows of one time in file order.

    ``values`` are NaN and ``reasons`` [codes of Reason] not 0 where there is no number. ``out_of_order`` rows were
    older than one above them; ``duplicates`` have the time of the row before them, ``identical`` of these also its
    values: they are left out.
    """

    times_ms: NDArray[np.int64]
    values: dict[str, NDArray[np.float64]]
    reasons: dict[str, NDArray[np.uint8]]
    rows: int
    out_of_order: int
    duplicates: int
    identical: int
    skipped: tuple[Skipped, ...]


def find_layout(file: TextFile, time: str | None) -> Layout:
    """Find the titles, one of which is ``time`` or says that it is the time, or stands over times.

    Raises Unreadable for what is no such table, ConfigError for a ``time`` that is not there.
    """
    refusal: Unreadable | None = None
    for delimiter in _DELIMITERS:
        try:
            rows = list(islice(_rows(file, delimiter), _HEAD_ROWS))
        except Unreadable as error:  # another delimiter may be the right one
            refusal = refusal or error
            continue
        for at, (line, cells) in enumerate(rows):
            titles = tuple(cell.strip() for cell in cells)
            times = _times(titles, [below for _, below in rows[at + 1 : at + 1 + _LOOK_AHEAD_ROWS]], time)
            if times:
                return Layout(delimiter, line, titles, times)
    if refusal is not None:
        raise refusal
    if time is not None:
        raise ConfigError(f"{file.name}: found no titles with {time!r} above rows; say --time as the file writes it")
    raise Unreadable(
        f"{file.name}: found no titles above rows that begin with a time; expected a table such as "
        "'timestamp,temperature' above '2026-01-15 09:30:00,37.0'; name another time column with --time"
    )


def _times(titles: Sequence[str], below: Sequence[Sequence[str]], asked: str | None) -> tuple[int, ...]:
    """Return where the time stands if these are titles; a line of units may stand between them and the first row."""
    if len(titles) < 2 or not below:
        return ()
    if asked is not None:
        wanted = asked.strip()
        exact = [place for place, title in enumerate(titles) if title == wanted]
        return tuple(exact or [at for at, title in enumerate(titles) if title.casefold() == wanted.casefold()])[:1]
    named = time_places(titles)
    if named and any(looks_like_time(_joined(cells, named)) for cells in below):
        return named
    if any(looks_like_time(title) for title in titles):
        return ()
    return tuple(place for place, cell in enumerate(below[0][: len(titles)]) if looks_like_time(cell))[:1]


def _joined(cells: Sequence[str], places: Sequence[int]) -> str:
    return " ".join(cells[place].strip() for place in places if place < len(cells))


def holds_several(file: TextFile, layout: Layout, column: str) -> bool:
    """Whether a column says different things in different rows."""
    place = layout.place(column)
    texts = (cells[place].strip() for _, cells in _below(file, layout) if len(cells) > place)
    first = next(texts, "")
    return any(text != first for text in texts)


def read_columns(
    file: TextFile,
    layout: Layout,
    wanted: Collection[str],
    *,
    states: Collection[str] = (),
    zone: ZoneInfo | None = None,
    dates: DateOrder | None = None,
    progress: Callable[[int], None] | None = None,
) -> ColumnTrace:
    """Read the ``wanted`` columns; those of ``states`` may also say on, off, open, closed, true, false, yes or no.

    Times without offset are of ``zone``, else UTC. A row whose time can't be read is skipped; where that is more than
    one in ten, or a row has more cells than titles, a quote is not closed or a column has two decimal signs,
    Unreadable names the line. Raises ConfigError for times that ``zone`` or ``dates`` must settle.
    """
    columns = [Column(title, layout.place(title), title in states, layout.delimiter) for title in wanted]
    clock = RowTimes(file.name, zone, lambda: dates or _date_order(file, layout))
    skipped: list[Skipped] = []
    width = len(layout.titles)
    count = 0
    for line, cells in _below(file, layout):
        if len(cells) > width and any(cell.strip() for cell in cells[width:]):
            raise Unreadable(
                f"{file.name}:{line}: {len(cells)} cells under {width} titles; is a decimal comma not quoted?"
            )
        count += 1
        time = _joined(cells, layout.times)
        if len(cells) == 1 or not clock.take(line, time):
            if any(cell.strip() for cell in cells):
                why = "is cut off" if len(cells) == 1 else "is no time"
                skipped.append(Skipped(line, f"{time[:_SHOWN]!r} {why}"))
            else:
                count -= 1
            continue
        for column in columns:
            column.take(cells[column.place] if column.place < len(cells) else "", line, file.name)
        if progress is not None and not count % _PROGRESS_ROWS:
            progress(count)
    if not count or len(skipped) > max(1.0, _LARGEST_SKIPPED_SHARE * count) or len(skipped) == count:
        _refuse(file, layout, skipped, count)
    return _sorted(clock.instants(), columns, count, tuple(skipped))


def _date_order(file: TextFile, layout: Layout) -> DateOrder:
    rows = ((line, _joined(cells, layout.times)) for line, cells in _below(file, layout))
    return date_order([row for row in rows if looks_like_time(row[1])], file.name)


def _refuse(file: TextFile, layout: Layout, skipped: Sequence[Skipped], count: int) -> None:
    if not count:
        raise Unreadable(f"{file.name}:{layout.head_line}: there is no row under the titles")
    title = " ".join(layout.titles[place] for place in layout.times)
    raise Unreadable(
        f"{file.name}:{skipped[0].line}: {skipped[0].why}, and {len(skipped)} of {count} rows are like it; "
        f"expected times such as 2026-01-15 09:30:00 in column {title!r}; name another one with --time"
    )


def _sorted(
    times_ms: NDArray[np.int64], columns: Sequence[Column], rows: int, skipped: tuple[Skipped, ...]
) -> ColumnTrace:
    out_of_order = int((times_ms < np.maximum.accumulate(times_ms)).sum()) if times_ms.size else 0
    values = {column.title: np.frombuffer(column.values, np.float64) for column in columns}
    reasons = {column.title: np.frombuffer(column.reasons, np.uint8) for column in columns}
    if out_of_order:
        order = np.argsort(times_ms, kind="stable")
        times_ms = times_ms[order]
        values = {title: column[order] for title, column in values.items()}
        reasons = {title: column[order] for title, column in reasons.items()}
    again = np.concatenate(([False], np.diff(times_ms) == 0))
    same = again.copy()
    for title in values:
        column, why = values[title], reasons[title]
        same[1:] &= (why[1:] == why[:-1]) & ((column[1:] == column[:-1]) | (why[1:] != 0))
    if same.any():
        times_ms = times_ms[~same]
        values = {title: column[~same] for title, column in values.items()}
        reasons = {title: column[~same] for title, column in reasons.items()}
    return ColumnTrace(
        times_ms, values, reasons, rows, out_of_order, int(again.sum()), int(same.sum()), skipped
    )  # fmt: skip


def _rows(file: TextFile, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row that is not blank, with its line."""
    with file.open() as text:
        reader = csv.reader(text, delimiter=delimiter)
        line = 0
        try:
            for cells in reader:
                if reader.line_num > line + 1:
                    raise Unreadable(f"{file.name}:{line + 1}: a quote is opened here and not closed in its line")
                line = reader.line_num
                if cells:
                    yield line, cells
        except csv.Error as error:
            raise Unreadable(f"{file.name}:{line + 1}: no row of a table: {error}") from None


def _below(file: TextFile, layout: Layout) -> Iterator[tuple[int, list[str]]]:
    return (row for row in _rows(file, layout.delimiter) if row[0] > layout.head_line)
