"""The list of alarms as pages show it: those that want somebody first, then by priority, with what they endanger."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cultureops.alarms import AlarmView, Priority, describe
from cultureops.alarms.permission import is_critical_now, longest_shelving_s
from cultureops.batch.alarm_told import EndangeredBatch
from cultureops.clock import Instant
from cultureops.web.context import WebContext

__all__ = ["AlarmRow", "alarm_row", "alarm_rows", "suppressed_rows"]

_ORDER: Final = {Priority.HIGH: 0, Priority.MEDIUM: 1, Priority.LOW: 2}


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """One alarm that is not back to normal; ``longest_shelving_min`` is how long it may be shelved [min]."""

    view: AlarmView
    text: str
    batches: tuple[EndangeredBatch, ...]
    needs_witness: bool
    longest_shelving_min: int


async def alarm_rows(context: WebContext, now: Instant) -> tuple[AlarmRow, ...]:
    """Return the alarms that are announced."""
    views = sorted(
        context.engine.active(),
        key=lambda view: (
            not view.state.wants_acknowledgement,
            not view.rule.gmp_critical,
            _ORDER[view.rule.priority],
            view.raised_at,
        ),
    )
    return await _rows(context, views, now)


async def suppressed_rows(context: WebContext, now: Instant) -> tuple[AlarmRow, ...]:
    """Return the alarms that are shelved, out of service or suppressed by design, conditions that last first."""
    return await _rows(context, sorted(context.engine.suppressed(), key=lambda view: not view.is_active), now)


async def alarm_row(context: WebContext, view: AlarmView, now: Instant) -> AlarmRow:
    """Return one alarm."""
    (row,) = await _rows(context, [view], now)
    return row


async def _rows(context: WebContext, views: Sequence[AlarmView], now: Instant) -> tuple[AlarmRow, ...]:
    endangered = await asyncio.gather(*(context.endangered(view, now) for view in views))
    return tuple(_row(context, view, batches, now) for view, batches in zip(views, endangered, strict=True))


def _row(context: WebContext, view: AlarmView, batches: tuple[EndangeredBatch, ...], now: Instant) -> AlarmRow:
    is_critical = is_critical_now(view.rule, context.batches.exposed, now)
    longest_s = longest_shelving_s(view.rule, is_critical=is_critical)
    text = describe(view.rule, view.value, [batch.batch_id for batch in batches])
    return AlarmRow(view, text, batches, is_critical, int(longest_s // 60))
