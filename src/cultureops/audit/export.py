"""The audit trail as a file to take home, and the proof that such a file still says what the ledger says.

CSV opens in a spreadsheet, JSON lines is one object a line; both hold the same cells. The last row says what was
chosen, how many rows that were, and the ledger's head then: whoever has the ledger makes the file anew and compares.
"""

from __future__ import annotations

import io
import json
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TextIO
from zoneinfo import ZoneInfo

from cultureops.audit.chosen import Chosen
from cultureops.audit.row import AuditRow
from cultureops.audit.trail import Trail
from cultureops.clock import iso, with_offset
from cultureops.csv_text import CsvWriter, read_csv
from cultureops.errors import ChainBroken, ConfigError, StorageError
from cultureops.ledger.head import Head

__all__ = ["COLUMNS", "FORMATS", "Export", "cells_of", "check_rows", "export_parts", "read_export", "write_export"]

COLUMNS: Final = (
    *("position", "subject", "what", "details", "changes", "user", "printed_name", "role", "witness", "source"),
    *("occurred", "recorded", "recorded_utc", "late_s", "reason", "signatures", "type", "stream", "version"),
    *("event_id", "chain_hash"),
)
FORMATS: Final = ("csv", "jsonl")
END: Final = "end of export"
_ROWS_A_PART: Final = 500
_LONGEST_LINE: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class Export:
    """What an export says of itself: the choice, the zone of its times, its number of rows, the ledger's head then."""

    chosen: Chosen
    zone: ZoneInfo
    rows: int
    head: Head

    def data(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"chosen": self.chosen.data(), "zone": self.zone.key, "rows": self.rows, "head": str(self.head)}

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Export:
        """Read what ``data`` returned; raises ConfigError for anything else."""
        try:
            rows, zone = data["rows"], ZoneInfo(data["zone"])
            if not isinstance(rows, int) or isinstance(rows, bool):
                raise TypeError
            return cls(Chosen.of(data["chosen"]), zone, rows, Head.parse(data["head"]))
        except (KeyError, TypeError, ValueError, AttributeError, OSError, StorageError):
            raise ConfigError("its last row is not the end of an export; export it again") from None


def cells_of(row: AuditRow, zone: ZoneInfo) -> dict[str, str]:
    """Return a row as the cells of an export, by column; times in the zone with its offset, and in UTC."""
    return {
        "position": str(row.position),
        "subject": row.subject,
        "what": row.what,
        "details": row.details,
        "changes": "\n".join(str(change) for change in row.changes),
        "user": row.actor_id,
        "printed_name": row.printed_name,
        "role": row.role,
        "witness": row.witness_id,
        "source": row.source,
        "occurred": with_offset(row.occurred_at, zone),
        "recorded": with_offset(row.recorded_at, zone),
        "recorded_utc": iso(row.recorded_at),
        "late_s": str((row.recorded_at - row.occurred_at) // 1000) if row.is_late else "",
        "reason": row.reason,
        "signatures": row.unsound
        or "\n".join(
            f"{one.meaning}: {one.printed_name} ({one.username}, {one.role}) {with_offset(one.signed_at, zone)}"
            for one in row.signatures
        ),
        "type": row.kind,
        "stream": row.stream,
        "version": str(row.version),
        "event_id": row.event_id,
        "chain_hash": row.hash,
    }


def write_export(
    trail: Trail, chosen: Chosen, head: Head, zone: ZoneInfo, out: TextIO, kind: str, *, has_bom: bool = False
) -> Export:
    """Write all that was chosen up to a head, which is that of the trail, the oldest first; return what was written."""
    parts = export_parts(trail, chosen, head, zone, kind, has_bom=has_bom)
    while True:
        try:
            out.write(next(parts))
        except StopIteration as end:
            written: Export = end.value
            return written


def export_parts(
    trail: Trail, chosen: Chosen, head: Head, zone: ZoneInfo, kind: str, *, has_bom: bool = False
) -> Generator[str, None, Export]:
    """Yield the text of an export, some rows at a time, and return what it says of itself."""
    text = io.StringIO(newline="")
    add = _csv(text, has_bom=has_bom) if kind == "csv" else _lines(text)
    count = 0
    for count, row in enumerate(trail.rows(chosen), 1):
        add(cells_of(row, zone))
        if count % _ROWS_A_PART == 0:
            yield _taken(text)
    written = Export(chosen, zone, count, head)
    add(_end(written))
    yield _taken(text)
    return written


def _taken(text: io.StringIO) -> str:
    said = text.getvalue()
    text.seek(0)
    text.truncate()
    return said


def _end(written: Export) -> dict[str, str]:
    said = json.dumps(written.data(), ensure_ascii=False)
    return dict.fromkeys(COLUMNS, "") | {"what": END, "details": said, "chain_hash": written.head.hash}


def _csv(out: TextIO, *, has_bom: bool) -> Callable[[dict[str, str]], object]:
    writer = CsvWriter(out, COLUMNS, has_bom=has_bom)
    return lambda cells: writer.write(cells[column] for column in COLUMNS)


def _lines(out: TextIO) -> Callable[[dict[str, str]], object]:
    return lambda cells: out.write(json.dumps(cells, ensure_ascii=False) + "\n")


def read_export(source: TextIO, name: str) -> tuple[Export, Iterator[tuple[int, dict[str, str]]]]:
    """Return what an export says of itself, and its rows with their lines; the source is read twice.

    Raises ConfigError where the file is no export, was cut off, or a line of it can't be read.
    """
    last = deque(_rows(source, name), maxlen=1)
    end = last[0][1] if last else None
    if end is None or end["what"] != END:
        raise ConfigError(f"{name}: does not end as an export does: it was cut off, or is none; export it again")
    try:
        written = Export.of(json.loads(end["details"]))
    except (ValueError, ConfigError, RecursionError):
        raise ConfigError(f"{name}: its last row is not the end of an export; export it again") from None
    source.seek(0)
    return written, _rows(source, name)


def _rows(source: TextIO, name: str) -> Iterator[tuple[int, dict[str, str]]]:
    first = source.read(1)
    source.seek(0)
    yield from _from_lines(source, name) if first == "{" else _from_csv(source, name)


def _from_csv(source: TextIO, name: str) -> Iterator[tuple[int, dict[str, str]]]:
    rows = read_csv(source, name)
    if tuple(next(rows, (1, []))[1]) != COLUMNS:
        raise ConfigError(f"{name}:1: expected the columns {','.join(COLUMNS)}; name a file that `audit export` wrote")
    for line, cells in rows:
        if len(cells) != len(COLUMNS):
            raise ConfigError(f"{name}:{line}: {len(cells)} cells under {len(COLUMNS)} headings")
        yield line, dict(zip(COLUMNS, cells, strict=True))


def _from_lines(source: TextIO, name: str) -> Iterator[tuple[int, dict[str, str]]]:
    for line, text in enumerate(iter(lambda: source.readline(_LONGEST_LINE), ""), 1):
        try:
            cells = json.loads(text)
        except (ValueError, RecursionError):
            raise ConfigError(f"{name}:{line}: not a line of JSON; export it again") from None
        if (
            not isinstance(cells, dict)
            or set(cells) != set(COLUMNS)
            or not all(isinstance(c, str) for c in cells.values())
        ):
            raise ConfigError(f"{name}:{line}: is no row of an export")
        yield line, cells


def check_rows(written: Export, rows: Iterator[tuple[int, dict[str, str]]], trail: Trail, name: str) -> int:
    """Compare an export with the ledger it was made from; return how many rows are as they were.

    ``trail`` ends at the export's head, which the ledger is known to hold. Raises ChainBroken that names the first row
    that was edited, left out or put in.
    """
    count = 0
    for row in trail.rows(written.chosen):
        line, found = next(rows)
        _compare(found, cells_of(row, written.zone), f"{name}:{line}")
        count += 1
    line, found = next(rows)
    if found["what"] != END or found["position"]:
        raise ChainBroken(f"{name}:{line}: position {found['position']} was put in; it is not among what was chosen")
    if next(rows, None) is not None:
        raise ChainBroken(f"{name}:{line}: ends here, and goes on after it")
    if found != _end(written) or count != written.rows:
        raise ChainBroken(f"{name}:{line}: the last row was edited: {count} rows were chosen, it says {written.rows}")
    return count


def _compare(found: dict[str, str], wanted: dict[str, str], place: str) -> None:
    if found == wanted:
        return
    here, expected = found["position"], wanted["position"]
    if here != expected:
        is_gone = not here or (here.isdecimal() and int(here) > int(expected))
        what = f"position {expected} was left out" if is_gone else f"position {here[:20]} was put in or moved"
        raise ChainBroken(f"{place}: {what}; the ledger has position {expected} here")
    column = next(column for column in COLUMNS if found[column] != wanted[column])
    said = f"{found[column][:60]!r}, the ledger says {wanted[column][:60]!r}"
    raise ChainBroken(f"{place}: position {here} was edited: {column} is {said}")
