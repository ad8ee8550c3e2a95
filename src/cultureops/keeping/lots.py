"""What the commands `lots` do and print."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from cultureops.access import Signature
from cultureops.access.desk import AccessDesk
from cultureops.batch.lot_stop import tell_batches
from cultureops.clock import SystemClock, iso
from cultureops.conduct import Command, shown_of
from cultureops.errors import BatchError, ConfigError
from cultureops.field import Details, printable
from cultureops.keeping.entry import (
    Entry,
    as_of,
    entering,
    history,
    ledger_of,
    print_grid,
    print_json,
    stream_named,
    when,
)
from cultureops.keeping.proof import RECORDS, proven
from cultureops.ledger.event import Actor
from cultureops.ledger.store import Ledger
from cultureops.material.decide import RULES
from cultureops.material.events import PREFIX, LotRecalled
from cultureops.material.handler import execute
from cultureops.material.lot import LotState, Status
from cultureops.material.register import LotRegister
from cultureops.material.use import LotUse, by_batch, uses_of

__all__ = ["keep_lot", "list_lots", "recall_lot", "show_lot"]


def list_lots(data_dir: Path, status: str | None, at: str | None, *, as_json: bool) -> None:
    """Print every lot as it was at a time, or those in one status."""
    if status is not None and status not in list(Status):
        raise ConfigError(f"--status: expected one of {', '.join(Status)}, not {status[:40]!r}")
    instant, register = as_of(at), LotRegister()

    async def read() -> None:
        async with ledger_of(data_dir, SystemClock()) as ledger:
            for stream in ledger.streams(PREFIX):
                _apply(ledger, stream, register)

    asyncio.run(read())
    found = [lot for name in register.ids() if (lot := register.fact(name, instant)) is not None]
    lots = [lot for lot in found if status in (None, lot.status)]
    if as_json:
        print_json([_as_json(lot) for lot in lots])
        return
    rows = [
        (
            lot.id,
            lot.material,
            lot.supplier,
            f"{lot.quantity:g} {lot.unit}",
            lot.status,
            iso(lot.expires_at),
            lot.reason,
        )
        for lot in lots
    ]
    print_grid(("lot", "material", "supplier", "received", "status", "expires", "why"), rows, "no such lot on record")


def show_lot(data_dir: Path, lot_id: str, at: str | None, *, as_json: bool) -> None:
    """Print one lot as it was at a time, all that was recorded of it, and the batches that it touched."""
    stream, instant, register = stream_named(PREFIX, lot_id), as_of(at), LotRegister()

    async def read() -> tuple[list[dict[str, Any]], tuple[LotUse, ...]]:
        async with ledger_of(data_dir, SystemClock()) as ledger:
            _apply(ledger, stream, register)
            return history(ledger.read(stream)), uses_of(lot_id, ledger.read_all())

    recorded, uses = asyncio.run(read())
    lot = register.fact(lot_id, instant)
    if lot is None and not uses:
        raise ConfigError(
            f"lot {lot_id[:60]!r}: not on record at {iso(instant)}, and no batch names it; see `lots list`"
        )
    if as_json:
        print_json({"id": lot_id, "lot": _lot_json(lot), "history": recorded, "batches": _touched(uses)})
        return
    print(_line(lot) if lot else f"{lot_id}: not on record at {iso(instant)}; batches name it all the same")
    rows = [(e["occurred_at"], e["type"], f"{e['actor']} ({e['role']})", e["reason"]) for e in recorded]
    print_grid(("when", "what", "who", "why"), rows, "nothing was recorded of it")
    _print_touched(lot_id, uses)


def keep_lot(data_dir: Path, lot_id: str, details: Callable[[], Details], entry: Entry, *, as_json: bool) -> None:
    """Record one event of a lot and print it as it then stands."""
    command, person, clock = entry.command(PREFIX, lot_id, details), entry.person(), SystemClock()

    async def keep() -> LotState:
        async with entering(data_dir, clock) as (ledger, desk):
            signatures = await _signed(ledger, desk, command, person, entry)
            told = partial(tell_batches, ledger, lot_id)
            return await execute(ledger, command, clock.now(), person, told, signatures)

    lot = asyncio.run(keep())
    if as_json:
        print_json(_as_json(lot))
    else:
        print(_line(lot))


def recall_lot(data_dir: Path, lot_id: str, entry: Entry, *, yes: bool, as_json: bool) -> None:
    """Say which batches a lot touched and, once that is confirmed, record its recall."""
    command, person, clock = entry.command(PREFIX, lot_id, LotRecalled), entry.person(), SystemClock()

    async def touched() -> tuple[tuple[LotUse, ...], int]:
        async with ledger_of(data_dir, clock) as ledger:
            known = ledger.head().position
            return uses_of(lot_id, ledger.read_all(limit=known)), known

    async def keep(known: int) -> tuple[LotState, tuple[LotUse, ...]]:
        async with entering(data_dir, clock) as (ledger, desk):
            signatures = await _signed(ledger, desk, command, person, entry)
            told = partial(tell_batches, ledger, lot_id)
            lot = await execute(ledger, command, clock.now(), person, told, signatures)
            return lot, uses_of(lot_id, ledger.read_all(after_position=known))

    uses, known = asyncio.run(touched())
    _print_touched(lot_id, uses, to_stderr=as_json)
    if not yes:
        _confirm(lot_id)
    lot, used_meanwhile = asyncio.run(keep(known))
    if used_meanwhile:
        _print_touched(lot_id, used_meanwhile, to_stderr=as_json)
    uses = tuple(sorted({*uses, *used_meanwhile}, key=by_batch))
    if as_json:
        print_json({"id": lot_id, "lot": _lot_json(lot), "batches": _touched(uses)})
    else:
        print(_line(lot))


async def _signed(
    ledger: Ledger, desk: AccessDesk, command: Command, person: Actor, entry: Entry
) -> tuple[Signature, ...]:
    """Have a person prove who they are, and sign where the step asks for it."""
    rule, stream = RULES.get(type(command.details)), PREFIX + command.subject_id
    meaning = None if rule is None else rule.signed
    return await proven(
        desk, person, entry.secret, RECORDS, meaning, lambda: shown_of(stream, ledger.read(stream), command)
    )


def _confirm(lot_id: str) -> None:
    if not sys.stdin.isatty():
        raise ConfigError(f"lot {lot_id}: nothing was recorded; say --yes to recall it")
    print(f"Recall lot {lot_id}? It can't be used or released again. [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise BatchError(f"lot {lot_id}: not recalled, nothing was recorded")


def _apply(ledger: Ledger, stream: str, register: LotRegister) -> None:
    for event in ledger.read(stream):
        register.apply(event)


def _line(lot: LotState) -> str:
    why = f" ({lot.reason})" if lot.reason else ""
    return printable(f"{lot.id}: {lot.material} of {lot.supplier}, {lot.status}{why}, expires {iso(lot.expires_at)}")


def _lot_json(lot: LotState | None) -> dict[str, Any] | None:
    return None if lot is None else _as_json(lot)


def _as_json(lot: LotState) -> dict[str, Any]:
    return {
        "id": lot.id,
        "status": lot.status.value,
        "since": iso(lot.since),
        "reason": lot.reason,
        "material": lot.material,
        "supplier": lot.supplier,
        "quantity": lot.quantity,
        "unit": lot.unit,
        "expires_at": iso(lot.expires_at),
        "certificate": lot.certificate,
        "received_at": iso(lot.received_at),
        "released_at": when(lot.released_at),
    }


def _touched(uses: Sequence[LotUse]) -> list[dict[str, Any]]:
    return [
        {
            "batch_id": batch_id,
            "uses": [
                {
                    "event_id": use.event_id,
                    "type": use.event_type,
                    "field": use.field,
                    "occurred_at": iso(use.occurred_at),
                }
                for use in found
            ],
        }
        for batch_id, found in groupby(uses, key=lambda use: use.batch_id)
    ]


def _print_touched(lot_id: str, uses: Sequence[LotUse], *, to_stderr: bool = False) -> None:
    out = sys.stderr if to_stderr else sys.stdout
    batches = _touched(uses)
    if not batches:
        print(f"no batch names lot {lot_id}", file=out)
    for batch in batches:
        named = ", ".join(f"{use['type']} {use['field']} {use['occurred_at']}" for use in batch["uses"])
        print(f"batch {batch['batch_id']}: {named}", file=out)
