"""Moves of the first day: open the batch, take in the marrow, win the mononuclear cells."""

from __future__ import annotations

from collections.abc import AsyncIterator

from cultureops.batch import commands as do
from cultureops.clock import HOUR_MS, MINUTE_MS, Instant
from cultureops.demo.people import WITNESS
from cultureops.demo.work import Work

__all__ = ["intake"]


async def intake(work: Work, marrow_ml: tuple[float, float], aspirate: str, reagent_lot: str) -> AsyncIterator[Instant]:
    """Receive between two volumes of marrow [mL] and win what cells this kind of aspirate gives."""
    await work.do(do.CreateBatch(patient_token=work.patient.token, recipe=work.recipe.name))
    await work.do(do.RecordConsent(form="consent form v3", eligible=True))
    yield work.now + 30 * MINUTE_MS
    received_ml = round(work.random.uniform(*marrow_ml), 1)
    await work.do(
        do.ReceiveMarrow(
            marrow_ml=received_ml,
            collected_at=work.now - 2 * HOUR_MS,
            anticoagulant="heparin",
            receipt_temperature_c=round(work.random.uniform(18.0, 22.0), 1),
            donor_markers="HIV, HBV, HCV, syphilis negative",
            scans=work.scans,
        ),
        witness=WITNESS,
    )
    yield work.now + 3 * HOUR_MS
    won = await work.act("isolate", culture=work.vessels(0), marrow_ml=received_ml, aspirate=aspirate)
    await work.do(
        do.Isolate(
            method=work.recipe.isolation.method.text,
            reagent_lots=(reagent_lot,),
            mnc_count=won["cells"],
            viability_pct=won["viability_pct"],
        )
    )
    yield work.now + 30 * MINUTE_MS
