"""The list of alarms as pages show it: the gravest first, of those the ones that want somebody, the oldest first."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from cultureops.alarms import AlarmView, Priority, State, describe
from cultureops.alarms.permission import is_critical_now, longest_shelving_s
from cultureops.alarms.text import duration
from cultureops.batch.alarm_told import EndangeredBatch
from cultureops.clock import MINUTE_MS, Instant
from cultureops.web.board.figures import Figures
from cultureops.web.context import WebContext

__all__ = ["QUICK_REASONS", "AlarmRow", "alarm_row", "alarm_rows", "left_of", "suppressed_rows"]

QUICK_REASONS: Final = ("On my way", "Seen, at work on it")
_ORDER: Final = {Priority.HIGH: 0, Priority.MEDIUM: 1, Priority.LOW: 2}


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """One alarm that is not back to normal.

    ``longest_shelving_min`` is how long it may be shelved [min], ``age`` how long it has stood, ``left`` what is left
    of its suppression in words, empty where it is not suppressed. ``respond_by`` is when its time to respond ends.
    """

    view: AlarmView
    text: str
    batches: tuple[EndangeredBatch, ...]
    needs_witness: bool
    longest_shelving_min: int
    age: str
    respond_by: Instant
    left: str = ""

    @property
    def quick_reasons(self) -> tuple[str, ...]:
        """Reasons for an acknowledgement that are chosen by one tap, by gloved hands."""
        return QUICK_REASONS


async def alarm_rows(
    context: WebContext, now: Instant, most: int | None = None, figures: Figures | None = None
) -> tuple[AlarmRow, ...]:
    """Return the alarms that are announced, the most urgent first; so many at most where ``most`` is given.

    With ``figures`` what they mean for batches is shared with whoever else looks, and waited for shortly.
    """
    return await _rows(context, by_urgency(context.engine.active())[:most], now, figures)


def by_urgency(views: Iterable[AlarmView]) -> list[AlarmView]:
    """Return alarms with the most urgent first: those nobody has acknowledged before the others of their priority."""
    return sorted(
        views,
        key=lambda view: (
            _ORDER[view.rule.priority],
            not view.state.wants_acknowledgement,
            not view.rule.gmp_critical,
            view.raised_at,
        ),
    )


async def suppressed_rows(context: WebContext, now: Instant) -> tuple[AlarmRow, ...]:
    """Return the alarms that are shelved, out of service or suppressed by design: conditions that last first."""
    return await _rows(context, sorted(context.engine.suppressed(), key=_hidden), now)


def _hidden(view: AlarmView) -> tuple[object, ...]:
    return not view.is_active, _ORDER[view.rule.priority], view.rule.id


async def alarm_row(context: WebContext, view: AlarmView, now: Instant) -> AlarmRow:
    """Return one alarm."""
    (row,) = await _rows(context, [view], now)
    return row


def left_of(view: AlarmView, now: Instant) -> str:
    """Say how long a suppression goes on, and what ends it; empty where there is none."""
    match view.state:
        case State.SHELVED if view.shelf is not None and view.shelf.until is not None:
            minutes = max(0, -(-(view.shelf.until - now) // MINUTE_MS))
            return f"{minutes} min left{', or until the condition is gone' if view.shelf.one_shot else ''}"
        case State.OUT_OF_SERVICE:
            return "until somebody puts it back into service"
        case State.SUPPRESSED_BY_DESIGN:
            causes = " or ".join(dict.fromkeys(one.channel for one in view.rule.suppressors))
            longest_s = max((one.max_s for one in view.rule.suppressors if one.max_s is not None), default=None)
            at_most = "" if longest_s is None else f", at most {duration(longest_s)} in one go"
            return f"while {causes} explains it{at_most}" if causes else "while its state explains it"
        case _:
            return ""


async def _rows(
    context: WebContext, views: Sequence[AlarmView], now: Instant, figures: Figures | None = None
) -> tuple[AlarmRow, ...]:
    ask = context.endangered if figures is None else figures.of
    endangered = await asyncio.gather(*(ask(view, now) for view in views))
    return tuple(_row(context, view, batches, now) for view, batches in zip(views, endangered, strict=True))


def _row(context: WebContext, view: AlarmView, batches: tuple[EndangeredBatch, ...], now: Instant) -> AlarmRow:
    batches_here = context.batches
    is_critical = is_critical_now(view.rule, batches_here.exposed, now, is_known=batches_here.is_known(now))
    longest_s = longest_shelving_s(view.rule, is_critical=is_critical)
    text = describe(view.rule, view.value, [batch.batch_id for batch in batches])
    age = duration(max(0, now - view.raised_at) / 1000)
    respond_by = view.raised_at + round(view.rule.respond_within_s * 1000)
    return AlarmRow(view, text, batches, is_critical, int(longest_s // 60), age, respond_by, left_of(view, now))
