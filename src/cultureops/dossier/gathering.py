"""Gathering a dossier, from a ledger and a store of readings, whoever keeps them: a lab, its folder, or a pack."""

from __future__ import annotations

import asyncio

from cultureops.clock import Instant
from cultureops.dossier.dossier import Dossier, Place
from cultureops.dossier.measured import Telemetry, stays_of
from cultureops.dossier.written import Records, read_record
from cultureops.ledger.signed_head import SignedHead

__all__ = ["gather_dossier"]


async def gather_dossier(
    batch_id: str,
    records: Records,
    telemetry: Telemetry,
    place: Place,
    now: Instant,
    signed_head: SignedHead | None = None,
) -> Dossier:
    """Gather the dossier of a batch as of ``now`` [ms UTC]; ``signed_head`` is the ledger's newest, for the reports.

    Raises ConfigError for a batch that nobody knows or where its recipe is nowhere, BatchError for what can't be an id,
    StorageError for a ledger or store that can't be read.
    """
    written = await asyncio.to_thread(read_record, batch_id, records, place, now)
    batch = written.batch
    until = now if batch.ended_at is None else batch.ended_at
    return Dossier(
        place=place,
        now=now,
        head=written.head,
        batch=batch,
        recipe=written.recipe,
        events=written.events,
        related=written.related,
        people=written.people,
        lots=written.lots,
        equipment=written.equipment,
        stays=await stays_of(batch, written.recipe, telemetry, place, until),
        signed_head=signed_head,
    )
