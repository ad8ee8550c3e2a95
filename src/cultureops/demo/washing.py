"""The move that takes the cryoprotectant out: dilute, spin down, take off; the volumes follow one another."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from cultureops.batch import commands as do
from cultureops.clock import MINUTE_MS, Instant
from cultureops.demo.lab import CENTRIFUGE
from cultureops.demo.stock import SALINE
from cultureops.demo.work import Work

__all__ = ["WashVolume", "wash"]

SPIN_G, SPIN_MIN = 300.0, 10.0
HANDLING_MS: Final = 2 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class WashVolume:
    """One wash: diluent added and suspension left [mL]."""

    added_ml: float
    left_ml: float


async def wash(work: Work, volume_ml: float, washes: Sequence[WashVolume], diluent: str) -> AsyncIterator[Instant]:
    """Wash ``volume_ml`` of thawed cells as often as there are volumes."""
    before_ml = volume_ml
    for index, volumes in enumerate(washes, 1):
        await work.act("wash", added_ml=volumes.added_ml, left_ml=volumes.left_ml, centrifuge=CENTRIFUGE)
        yield work.now + round(SPIN_MIN * MINUTE_MS) + HANDLING_MS
        await work.do(
            do.Wash(
                index=index,
                vol_before_ml=before_ml,
                vol_added_ml=volumes.added_ml,
                vol_left_ml=volumes.left_ml,
                relative_centrifugal_force_g=SPIN_G,
                spin_min=SPIN_MIN,
                diluent=diluent,
                diluent_lot=SALINE,
                centrifuge=CENTRIFUGE,
            )
        )
        before_ml = volumes.left_ml
