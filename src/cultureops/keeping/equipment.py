"""What the commands `equipment` do and print."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cultureops.clock import Instant, SystemClock, iso
from cultureops.conduct import shown_of
from cultureops.equipment.decide import RULES
from cultureops.equipment.events import PREFIX
from cultureops.equipment.handler import execute
from cultureops.equipment.register import EquipmentRegister
from cultureops.equipment.state import EquipmentState
from cultureops.errors import ConfigError
from cultureops.field import Details
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
from cultureops.ledger.store import Ledger
from cultureops.site import equipment_register, read_site

__all__ = ["keep_equipment", "list_due", "list_equipment", "show_equipment"]

DEFAULT_SITE = Path("site.toml")


def list_equipment(data_dir: Path, site: Path | None, at: str | None, *, as_json: bool) -> None:
    """Print every piece of equipment as it was at a time."""
    instant = as_of(at)
    register = asyncio.run(_read(data_dir, _declared(site)))
    states = [state for name in register.ids() if (state := register.fact(name, instant)) is not None]
    if as_json:
        print_json([_as_json(state, instant) for state in states])
        return
    rows = [
        (state.id, state.kind, state.service.value, _calibration(state, instant), state.certificate, state.reason)
        for state in states
    ]
    print_grid(("id", "kind", "service", "calibration", "certificate", "why"), rows, "no equipment on record")


def show_equipment(data_dir: Path, site: Path | None, equipment_id: str, at: str | None, *, as_json: bool) -> None:
    """Print one piece of equipment as it was at a time, and all that was recorded of it."""
    stream, instant, register = stream_named(PREFIX, equipment_id), as_of(at), _declared(site)

    async def read() -> list[dict[str, Any]]:
        async with ledger_of(data_dir, SystemClock()) as ledger:
            events = ledger.read(stream)
        for event in events:
            register.apply(event)
        return history(events)

    recorded = asyncio.run(read())
    state = register.fact(equipment_id, instant)
    if state is None:
        raise ConfigError(f"equipment {equipment_id[:60]!r}: not on record at {iso(instant)}; see `equipment list`")
    if as_json:
        print_json(_as_json(state, instant) | {"history": recorded})
        return
    print(f"{state.id}: {state.title}, {state.service.value}, calibration {_calibration(state, instant)}")
    rows = [
        (e["occurred_at"], e["type"], f"{e['actor']} ({e['role']})", e["reason"], _said(e["data"])) for e in recorded
    ]
    print_grid(("when", "what", "who", "why", "details"), rows, "only the site file speaks of it")


def list_due(data_dir: Path, site: Path | None, within_days: float, *, as_json: bool) -> None:
    """Print the calibrations that end soon, or have ended."""
    now = SystemClock().now()
    rows = asyncio.run(_read(data_dir, _declared(site))).due(now, within_days)
    if as_json:
        print_json([_as_json(row.equipment, now) | {"due": iso(row.due), "is_over": row.is_over} for row in rows])
        return
    shown = [
        (row.equipment.id, iso(row.due), "over" if row.is_over else "due", row.equipment.certificate) for row in rows
    ]
    print_grid(("id", "until", "", "certificate"), shown, f"no calibration ends within {within_days:g} days")


def keep_equipment(
    data_dir: Path,
    site: Path | None,
    equipment_id: str,
    details: Callable[[], Details],
    entry: Entry,
    *,
    as_json: bool,
) -> None:
    """Record one event of a piece of equipment and print it as it then stands."""
    command, person = entry.command(PREFIX, equipment_id, details), entry.person()
    declared, clock = _declared(site).declared(equipment_id), SystemClock()

    async def keep() -> EquipmentState:
        async with entering(data_dir, clock) as (ledger, desk):
            rule, stream = RULES.get(type(command.details)), stream_named(PREFIX, equipment_id)
            meaning = None if rule is None else rule.signed
            signatures = await proven(
                desk, person, entry.secret, RECORDS, meaning, lambda: shown_of(stream, ledger.read(stream), command)
            )
            return await execute(ledger, declared, command, clock.now(), person, signatures)

    state, now = asyncio.run(keep()), clock.now()
    if as_json:
        print_json(_as_json(state, now))
    else:
        print(f"{state.id}: {state.service.value}, calibration {_calibration(state, now)}")


def _declared(site: Path | None) -> EquipmentRegister:
    """Read what the site file declares; without one named, that of this folder where there is one."""
    file = DEFAULT_SITE if site is None and DEFAULT_SITE.is_file() else site
    return EquipmentRegister() if file is None else equipment_register(read_site(file))


async def _read(data_dir: Path, register: EquipmentRegister) -> EquipmentRegister:
    async with ledger_of(data_dir, SystemClock()) as ledger:
        _apply_all(ledger, register)
    return register


def _apply_all(ledger: Ledger, register: EquipmentRegister) -> None:
    for stream in ledger.streams(PREFIX):
        for event in ledger.read(stream):
            register.apply(event)


def _as_json(state: EquipmentState, at: Instant) -> dict[str, Any]:
    return {
        "id": state.id,
        "kind": state.kind or None,
        "title": state.title,
        "service": state.service.value,
        "in_service": state.in_service,
        "since": when(state.since),
        "reason": state.reason,
        "commissioned_at": when(state.commissioned_at),
        "document": state.document,
        "serial_number": state.serial_number,
        "calibration": _validity(state, at),
        "calibrated_at": when(state.calibrated_at),
        "calibrated_until": when(state.calibrated_until),
        "certificate": state.certificate,
    }


def _validity(state: EquipmentState, at: Instant) -> str:
    if state.calibrated_until is None:
        return "none"
    return "ended" if state.calibration_ended(at) else "valid"


def _calibration(state: EquipmentState, at: Instant) -> str:
    if state.calibrated_until is None:
        return "none on record"
    return f"{'ended' if state.calibration_ended(at) else 'until'} {iso(state.calibrated_until)}"


def _said(data: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in data.items())
