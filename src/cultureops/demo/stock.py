"""What is on record before the first patient: equipment commissioned and calibrated, lots received and released."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cultureops.access import Meaning, Signature
from cultureops.batch.approval import RECIPES, approve, approving
from cultureops.batch.recipe import find_recipe
from cultureops.clock import parse_iso
from cultureops.conduct import Command, shown_of
from cultureops.demo.people import ENGINEER, OPERATOR, QUALITY_ASSURANCE, STORES
from cultureops.demo.staff import Staff, hire
from cultureops.equipment.events import PREFIX as EQUIPMENT
from cultureops.equipment.events import Calibrated, Commissioned
from cultureops.equipment.handler import execute as keep_equipment
from cultureops.lab import Lab
from cultureops.ledger.event import Actor
from cultureops.material.events import PREFIX as LOT
from cultureops.material.events import LotReceived, LotReleased
from cultureops.material.handler import execute as keep_lot

__all__ = [
    "CRYO_MEDIUM",
    "FICOLL",
    "LOW_GLUCOSE_MEDIUM",
    "MEDIUM",
    "SALINE",
    "TRYPSIN",
    "approve_recipes",
    "put_into_use",
    "stock",
]

FICOLL: Final = "FICOLL-2025-11"
MEDIUM: Final = "MEDIUM-2026-01"
LOW_GLUCOSE_MEDIUM: Final = "DMEM-LG-2026-01"
TRYPSIN: Final = "TRYPSIN-2026-01"
CRYO_MEDIUM: Final = "CRYO-2026-01"
SALINE: Final = "SALINE-2026-02"
CALIBRATED_UNTIL: Final = parse_iso("2026-12-31T00:00:00Z")
USABLE_UNTIL: Final = parse_iso("2026-10-31T00:00:00Z")


@dataclass(frozen=True, slots=True)
class _Lot:
    id: str
    material: str
    quantity_ml: float


LOTS: Final = (
    _Lot(FICOLL, "density gradient medium", 2_000.0),
    _Lot(MEDIUM, "MEM-alpha with 10 % FBS and 1 % penicillin-streptomycin", 100_000.0),
    _Lot(LOW_GLUCOSE_MEDIUM, "low-glucose DMEM with 10 % FBS, L-glutamine and antibiotics", 100_000.0),
    _Lot(TRYPSIN, "trypsin-EDTA", 10_000.0),
    _Lot(CRYO_MEDIUM, "medium with 10 % dimethyl sulfoxide", 1_000.0),
    _Lot(SALINE, "0.9 % saline", 20_000.0),
)


async def put_into_use(lab: Lab, recipes: Iterable[str]) -> Staff:
    """Give people their accounts, and put equipment, lots and recipes into use; then say everybody's passphrase."""
    staff = await hire(lab.access)
    await stock(lab, staff)
    await approve_recipes(lab, staff, sorted(recipes))
    print(f"everybody here ({OPERATOR.id}, ...) logs in with: {staff.passphrase}", file=sys.stderr, flush=True)
    return staff


async def stock(lab: Lab, staff: Staff) -> None:
    """Put the lab's equipment into service and its material on the shelf."""
    for name in lab.equipment.ids():
        await _commission(lab, staff, name)
    for lot in LOTS:
        await _receive(lab, staff, lot)


async def approve_recipes(lab: Lab, staff: Staff, names: Iterable[str]) -> None:
    """Let quality assurance approve the newest version of recipes that come with cultureops."""
    for name in names:
        command = approving(find_recipe(name), "first use in this laboratory")
        signed = await _signed(lab, staff, RECIPES, command, QUALITY_ASSURANCE)
        await approve(lab.ledger, command, lab.clock.now(), QUALITY_ASSURANCE, signed)


async def _signed(lab: Lab, staff: Staff, prefix: str, command: Command, person: Actor) -> tuple[Signature, ...]:
    stream = prefix + command.subject_id
    shown = shown_of(stream, lab.ledger.read(stream), command)
    return await staff.sign(shown, [(person, Meaning.APPROVED)])


async def _commission(lab: Lab, staff: Staff, name: str) -> None:
    declared, now = lab.equipment.declared(name), lab.clock.now()
    qualified = Command(name, Commissioned(document=f"qualification report {name}"))
    calibrated = Command(name, Calibrated(certificate=f"CAL-{name}", calibrated_at=now, due=CALIBRATED_UNTIL))
    for command, person in ((qualified, QUALITY_ASSURANCE), (calibrated, ENGINEER)):
        signed = await _signed(lab, staff, EQUIPMENT, command, person)
        await keep_equipment(lab.ledger, declared, command, now, person, signed)


async def _receive(lab: Lab, staff: Staff, lot: _Lot) -> None:
    now = lab.clock.now()
    received = LotReceived(
        material=lot.material,
        supplier="house supplier",
        quantity=lot.quantity_ml,
        unit="mL",
        expires_at=USABLE_UNTIL,
        certificate=f"COA-{lot.id}",
    )
    await keep_lot(lab.ledger, Command(lot.id, received), now, STORES)
    released = Command(lot.id, LotReleased())
    signed = await _signed(lab, staff, LOT, released, QUALITY_ASSURANCE)
    await keep_lot(lab.ledger, released, now, QUALITY_ASSURANCE, signatures=signed)
