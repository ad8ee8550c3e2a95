"""Values that instruments show now and that a field of a step can take: good and fresh ones only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cultureops.acquisition.supervisor import MeasuredChannel
from cultureops.batch.collecting import SOURCES, ChannelSource
from cultureops.batch.field import Details
from cultureops.clock import SECOND_MS, Instant
from cultureops.device.reading import Quality
from cultureops.units import label
from cultureops.web.context import WebContext
from cultureops.web.form.details_form import Taking

__all__ = ["takes_of", "with_taken"]

_PERIODS: Final = 3
"""A value is fresh while no more than so many readings of its channel are due since."""
_TAKE: Final = "take."
_FROM: Final = "collected."


def takes_of(context: WebContext, step: type[Details], field: str, place: str) -> tuple[Taking, ...]:
    """Return what instruments show for a field; ``place`` is the chamber that the form names, empty while it does not.

    Those of one chamber stand together, in the order of their names.
    """
    now, latest = context.clock.now(), context.store.latest()
    found: list[Taking] = []
    for row in sorted(context.channels.values(), key=lambda row: row.id):
        if not any(_gives(context, row, source) for source in SOURCES.get((step, field), ())):
            continue
        reading = latest.get(row.id)
        if reading is None or reading.value is None or reading.quality is not Quality.GOOD:
            continue
        if (place and row.chamber != place) or not _is_fresh(reading.source_time, row, now):
            continue
        shown = f"{reading.value:.{row.channel.decimals}f} {label(row.channel.unit)}"
        source = f"{row.chamber} {row.channel.name}" if row.channel.name != "temperature" else str(row.chamber)
        age_s = max(0, (now - reading.source_time) // SECOND_MS)
        found.append(Taking(row.id, source, reading.source_time, reading.value, shown, age_s, row.simulated))
    return tuple(found)


def _gives(context: WebContext, row: MeasuredChannel, source: ChannelSource) -> bool:
    chamber = None if row.chamber is None else context.chambers.get(row.chamber)
    return (
        chamber is not None
        and chamber.chamber_class == source.chamber_class
        and row.channel.name in source.channels
        and row.channel.unit == source.unit
    )


def _is_fresh(at: Instant, row: MeasuredChannel, now: Instant) -> bool:
    return now - at <= _PERIODS * row.period_ms


async def with_taken(context: WebContext, form: Mapping[str, Any]) -> dict[str, Any]:
    """Return a form in which each value that is to be taken stands in its field, as a form without scripts asks for it.

    What somebody has typed into the field stays, and is typed by hand.
    """
    filled = dict(form)
    for key, origin in form.items():
        field = key.removeprefix(_TAKE)
        if not key.startswith(_TAKE) or str(form.get(field, "")).strip():
            continue
        channel, _, at = str(origin).rpartition("@")
        if channel not in context.channels or not at.isdecimal() or len(at) > 15:
            continue
        series = await context.store.series(channel, int(at), int(at) + 1)
        value = next((one.value for one in series.readings(channel) if one.value is not None), None)
        if value is not None:
            filled |= {field: f"{value:.15g}", _FROM + field: str(origin)}
    return filled
