"""Moves from the released product to the patient: pack, ship, receive, give each dose."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from cultureops.batch import commands as do
from cultureops.clock import HOUR_MS, MINUTE_MS, Instant
from cultureops.demo.lab import BOX_LOGGER, COLD_ROOM_TEMPERATURE
from cultureops.demo.logger_trip import begin_trip, end_trip
from cultureops.demo.people import CLINIC, CLINIC_WITNESS, LOGISTICS
from cultureops.demo.work import Work

__all__ = ["deliver"]

SHIPPER = "SHIPPER-4"
LASTS_MIN = 2.0
"""How long a dose takes where the recipe states neither a rate nor a duration."""


async def deliver(work: Work, transit_min: float, before_dose_min: float) -> AsyncIterator[Instant]:
    """Ship the doses at 2-8 °C and give them, each ``before_dose_min`` after what came before it."""
    transport = work.recipe.transport
    ship = do.Ship(
        shipper=SHIPPER,
        logger=BOX_LOGGER,
        temperature_c=round(work.shown(COLD_ROOM_TEMPERATURE), 1),
        scans=work.scans,
    )
    await begin_trip(work.fleet, BOX_LOGGER)
    await work.do(ship, LOGISTICS)
    yield work.now + round(transit_min * MINUTE_MS)
    low, high = transport.temperature_min.value, transport.temperature_max.value
    trip = await end_trip(work.lab, work.fleet, BOX_LOGGER, low, high)
    await work.do(
        do.ReceiveAtSite(
            temperature_min_c=trip.min_c,
            temperature_max_c=trip.max_c,
            out_of_range_min=trip.out_of_range_min,
            trace_sha256=trip.sha256,
            scans=work.scans,
        ),
        CLINIC,
    )
    for dose in work.batch.doses:
        route_name: Any = dose.route
        route = work.recipe.dose.routes[dose.route]
        yield work.now + round(before_dose_min * MINUTE_MS)
        rate = None if route.rate is None else route.rate.value
        began, lasts_ms = work.now, round((LASTS_MIN if route.duration is None else route.duration.value) * MINUTE_MS)
        yield began + (lasts_ms if rate is None else round(dose.volume_ml / rate * HOUR_MS))
        await work.do(
            do.Administer(
                route=route_name,
                container=dose.container,
                started_at=began,
                ended_at=work.now,
                volume_ml=dose.volume_ml,
                rate_ml_per_h=rate,
                level="L3-L4" if dose.route == "IT" else None,
                scans=work.scans,
            ),
            CLINIC,
            CLINIC_WITNESS,
        )
