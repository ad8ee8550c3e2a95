"""What the commands on the audit trail do: show it, write it out, compare what was written with the ledger."""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

from cultureops.audit import Chosen, Trail
from cultureops.audit.export import FORMATS, cells_of, check_rows, read_export, write_export
from cultureops.clock import SystemClock
from cultureops.errors import ChainBroken, ConfigError
from cultureops.keeping.batches import zone_of
from cultureops.keeping.entry import ledger_of, print_grid, print_json
from cultureops.ledger.event import JsonValue
from cultureops.ledger.head import Head
from cultureops.ledger.ledger import Ledger
from cultureops.progress import patience
from cultureops.telemetry.whole_file import whole_file

__all__ = ["export_audit", "list_audit", "verify_audit"]

STANDARD_OUTPUT: Final = "-"


def list_audit(
    data_dir: Path, chosen: Chosen, limit: int, cursor: int | None, *, oldest_first: bool, as_json: bool
) -> None:
    """Print a page of the audit trail; raises ConfigError where there is no ledger."""
    asyncio.run(_list(data_dir, chosen, limit, cursor, oldest_first=oldest_first, as_json=as_json))


async def _list(
    data_dir: Path, chosen: Chosen, limit: int, cursor: int | None, *, oldest_first: bool, as_json: bool
) -> None:
    zone = zone_of(data_dir)
    async with ledger_of(data_dir, SystemClock()) as ledger:
        head = ledger.head()
        page = await asyncio.to_thread(
            Trail(ledger, head.position).page, chosen, limit, cursor, oldest_first=oldest_first
        )
    rows = [cells_of(row, zone) for row in page.rows]
    if as_json:
        print_json({"head": str(head), "chosen": chosen.data(), "rows": rows, "cursor": page.cursor})
        return
    print_grid(
        ("position", "recorded", "who", "about", "what", "why"),
        [
            (
                *(row["position"], row["recorded"], _who(row), row["subject"]),
                *("\n".join(part for part in (row["details"] or row["what"], row["changes"]) if part), row["reason"]),
            )
            for row in rows
        ],
        "nothing on record fits",
    )
    if page.cursor is not None:
        print(f"there is more: --cursor {page.cursor}", file=sys.stderr)


def _who(row: dict[str, str]) -> str:
    name = f"{row['printed_name']} " if row["printed_name"] else ""
    witness = f", witness {row['witness']}" if row["witness"] else ""
    return f"{name}{row['user']} ({row['role']}){witness}"


def export_audit(data_dir: Path, out: Path, chosen: Chosen, *, has_bom: bool) -> None:
    """Write what was chosen to a new CSV or JSON lines file; '-' is CSV on standard output."""
    kind = "csv" if str(out) == STANDARD_OUTPUT else out.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise ConfigError(f"{out}: expected a name that ends in .csv or .jsonl, or - for CSV on standard output")
    asyncio.run(_export(data_dir, out, chosen, kind, has_bom=has_bom))


async def _export(data_dir: Path, out: Path, chosen: Chosen, kind: str, *, has_bom: bool) -> None:
    zone = zone_of(data_dir)
    async with ledger_of(data_dir, SystemClock()) as ledger:
        head = ledger.head()
        with patience(f"writing {out}"), _opened(out) as text:
            trail = Trail(ledger, head.position)
            written = await asyncio.to_thread(write_export, trail, chosen, head, zone, text, kind, has_bom=has_bom)
    print(f"{written.rows} rows written to {out}, ledger head {head}", file=sys.stderr)


@contextmanager
def _opened(out: Path) -> Iterator[TextIO]:
    if str(out) == STANDARD_OUTPUT:
        yield sys.stdout
        return
    with whole_file(out) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        yield text
        text.detach()


def verify_audit(data_dir: Path, export: Path, *, as_json: bool) -> None:
    """Compare an export with the ledger; raises ChainBroken that names the first row which does not fit.

    The ledger's whole chain is followed first, and whether it holds the export's head.
    """
    asyncio.run(_verify(data_dir, export, as_json=as_json))


async def _verify(data_dir: Path, export: Path, *, as_json: bool) -> None:
    try:
        source = await asyncio.to_thread(export.open, encoding="utf-8", newline="")
    except OSError as error:
        raise ConfigError(f"{export}: {error.strerror or error}; name a file that `audit export` wrote") from None
    with source:
        try:
            with patience(f"comparing {export}"):
                written, rows = await asyncio.to_thread(read_export, source, export.name)
                async with ledger_of(data_dir, SystemClock()) as ledger:  # opening it hashes every event again
                    _check_head(ledger, written.head, export.name)
                    position = ledger.head().position
                    trail = Trail(ledger, written.head.position)
                    count = await asyncio.to_thread(check_rows, written, rows, trail, export.name)
        except UnicodeDecodeError:
            raise ConfigError(f"{export}: is no text in UTF-8; name a file that `audit export` wrote") from None
    if as_json:
        print_json({"rows": count, "head": str(written.head), "chosen": written.chosen.data()})
    else:
        chosen = ", ".join(f"{name} {_listed(value)}" for name, value in written.chosen.data().items())
        of = f"of what was chosen ({chosen})" if chosen else "of the whole ledger"
        print(f"{export}: {count} rows, all as the ledger has them, none {of} left out; head {written.head}")
        if more := position - written.head.position:
            print(f"  {more} events have come since")


def _listed(value: JsonValue) -> str:
    return " and ".join(str(one) for one in value) if isinstance(value, list) else str(value)


def _check_head(ledger: Ledger, head: Head, name: str) -> None:
    """Refuse an export whose head is none of this ledger's; raises ChainBroken."""
    if head.position > ledger.head().position:
        raise ChainBroken(f"{name}: was made of {head.position} events, the ledger ends at {ledger.head().position}")
    last = next(ledger.read_all(head.position - 1, 1), None) if head.position else None
    if head != (Head() if last is None else Head(last.position, last.hash)):
        raise ChainBroken(
            f"{name}: position {head.position} of the ledger has another hash: it is another, or rewritten"
        )
