"""The ledger's keys and signed heads, for those who look after them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cultureops.access import Role
from cultureops.clock import SystemClock, iso
from cultureops.errors import AccessError
from cultureops.keeping.entry import Entry, ledger_of, print_json
from cultureops.keeping.proof import desk_of, proven
from cultureops.ledger.keys import KEYS_FOLDER, KeyFolder
from cultureops.ledger.store import SqlLedger
from cultureops.recording import open_ledger_beside

__all__ = ["introduce_key", "print_heads", "rotate_key"]


async def rotate_key(data_dir: Path, keys: Path | None, entry: Entry, *, as_json: bool) -> None:
    """Let a new key, signed by the present one, take its place; raises StorageError where that one is not at hand."""
    async with _as_administrator(data_dir, keys, entry) as ledger:
        key_id = await ledger.rotate_key(entry.person(), entry.reason)
        _print_key(ledger, key_id, as_json=as_json)


async def introduce_key(data_dir: Path, keys: Path | None, entry: Entry, *, as_json: bool) -> None:
    """Let a new key take the place of one that was lost."""
    async with _as_administrator(data_dir, keys, entry) as ledger:
        await ledger.introduce_key(entry.person(), entry.reason)
        _print_key(ledger, ledger.keys()[-1].key.id, as_json=as_json)


async def print_heads(data_dir: Path, *, as_json: bool) -> None:
    """Print the keys and the newest head, in full and as it stands on paper."""
    async with ledger_of(data_dir, SystemClock()) as ledger:
        heads = await asyncio.to_thread(ledger.signed_heads)
        if as_json:
            newest = None if not heads else {**heads[-1].data(), "printed": str(heads[-1].printed)}
            print_json({"heads": len(heads), "newest": newest})
            return
        if not heads:
            print(f"{data_dir}: no head is signed yet; a running lab signs them")
            return
        newest_head = heads[-1]
        print(f"{len(heads)} heads; the newest, of {iso(newest_head.signed_at)} by key {newest_head.key_id}:")
        print(f"{newest_head.head}\non paper: {newest_head.printed}")


@asynccontextmanager
async def _as_administrator(data_dir: Path, keys: Path | None, entry: Entry) -> AsyncIterator[SqlLedger]:
    """Open a ledger with its keys for a person who has proven to be an administrator; raises AccessError."""
    person = entry.person()
    if person.role != Role.ADMINISTRATOR:
        raise AccessError(f"keys are an administrator's, {person.id} acts as {person.role}; use --role AD")
    clock = SystemClock()
    async with open_ledger_beside(data_dir, clock, KeyFolder(keys or data_dir / KEYS_FOLDER)) as ledger:
        await proven(await desk_of(data_dir, ledger, clock), person, entry.secret, "")
        yield ledger


def _print_key(ledger: SqlLedger, key_id: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"key_id": key_id, "position": ledger.keys()[-1].position})
    else:
        print(f"key {key_id} signs from position {ledger.keys()[-1].position} on")
