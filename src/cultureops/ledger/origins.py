"""A hub's copies of its gateways' logs, looked at beside the heads that the hub's own record has of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from cultureops.errors import StorageError, Unreadable
from cultureops.ledger.event import Event, decode
from cultureops.ledger.examine import CheckSignatures, Examined, examine
from cultureops.ledger.finding import Finding, Kind
from cultureops.ledger.head import Head
from cultureops.ledger.known import Known
from cultureops.ledger.signed_head import SignedHead
from cultureops.ledger.storage import FAILURES, cause
from cultureops.ledger.table import read_rows
from cultureops.ledger.whereabouts import Whereabouts, open_reader, storage_at

__all__ = ["HEAD_RECORDED", "ORIGINS_FOLDER", "STREAM_PREFIX", "examine_origins", "recorded_heads"]

ORIGINS_FOLDER: Final = "origins"
STREAM_PREFIX: Final = "origin:"
HEAD_RECORDED: Final = "origin_head_recorded"


def recorded_heads(ledger: Whereabouts) -> dict[str, list[Known]]:
    """Return by gateway the heads of its log that a hub's ledger has recorded; raises Unreadable."""
    found: dict[str, list[Known]] = {}
    try:
        with open_reader(ledger) as connection:
            rows = (row for row in read_rows(connection) if row.stream.startswith(STREAM_PREFIX))
            for event in (decode(row.canonical, row.hash) for row in rows):
                if event.type == HEAD_RECORDED:
                    found.setdefault(event.stream.removeprefix(STREAM_PREFIX), []).append(_known(event))
    except FAILURES as error:
        name = storage_at(ledger).name
        raise Unreadable(f"{name}: can't be read: {cause(error)}; restore a verified backup") from None
    return found


def _known(event: Event) -> Known:
    head = SignedHead.read(event.data)
    return Known(f"the hub's record at position {event.position}", Head(head.size, head.chain_hash))


def examine_origins(
    folder: Path, recorded: Mapping[str, Iterable[Known]], check_signatures: CheckSignatures | None = None
) -> tuple[dict[str, Examined], tuple[Finding, ...]]:
    """Look at every log in a hub's folder of them, and for those that its record speaks of; nothing is changed.

    One that is older than a head on record was rolled back; one that does not contain it was written anew.
    """
    logs, findings = dict[str, Examined](), list[Finding]()
    names = {path.stem for path in folder.glob("*.sqlite")} | recorded.keys()
    for name in sorted(names):
        path = folder / f"{name}.sqlite"
        where = f"{folder.name}/{path.name}"
        if not path.is_file():
            findings.append(Finding(Kind.UNREADABLE, where, "is missing, and the hub's record has heads of it"))
            continue
        try:
            logs[name] = found = examine(path, recorded.get(name, ()), check_signatures)
        except StorageError as error:
            findings.append(Finding(Kind.UNREADABLE, where, str(error)))
            continue
        findings += (Finding(one.kind, f"{where} {one.where}", one.detail, one.position) for one in found.findings)
    return logs, tuple(findings)
