"""Changes by quality assurance, and by alarms and refusals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from cultureops.batch import events as happened
from cultureops.batch.batch import Batch
from cultureops.batch.changes.base import Change, enter, take_out
from cultureops.batch.events import Recorded
from cultureops.batch.parts import Action, AlarmExposure, Deviation, Refusal
from cultureops.batch.state import State
from cultureops.ledger.event import Event

__all__ = ["QUALITY"]

_GRADES: Final = ("minor", "major", "critical")


def _opened(batch: Batch, recorded: happened.DeviationOpened, event: Event) -> Batch:
    deviation = Deviation(
        recorded.deviation_id,
        recorded.kind,
        recorded.severity,
        recorded.subject,
        recorded.description,
        event.occurred_at,
        recorded.due_at,
        drafted=recorded.drafted,
        rule_id=recorded.rule_id,
        exposures=(recorded.subject,) if recorded.drafted else (),
    )
    excepted = batch.excepted_gates if deviation.severity == "minor" else _no_longer(batch)
    return batch.changed(deviations=(*batch.deviations, deviation), excepted_gates=excepted)


def _extended(deviation: Deviation, recorded: happened.DeviationExtended, event: Event) -> Deviation:
    """What was investigated was another exposure; a milder grade was given to that one too."""
    return replace(
        deviation,
        severity=max(deviation.severity, recorded.severity, key=_GRADES.index),
        exposures=(*deviation.exposures, recorded.exposure_id),
        investigated_at=None,
    )


def _investigated(deviation: Deviation, recorded: happened.DeviationInvestigated, event: Event) -> Deviation:
    severity = deviation.severity if recorded.severity is None else recorded.severity
    return replace(deviation, investigated_at=event.occurred_at, severity=severity)


def _planned(deviation: Deviation, recorded: happened.ActionPlanned, event: Event) -> Deviation:
    action = Action(recorded.action_id, recorded.action, recorded.owner, event.occurred_at, recorded.due_at)
    return replace(deviation, actions=(*deviation.actions, action))


def _checked(deviation: Deviation, recorded: happened.EffectivenessChecked, event: Event) -> Deviation:
    return replace(
        deviation,
        actions=tuple(
            replace(action, checked_at=event.occurred_at, is_effective=recorded.is_effective)
            if action.id == recorded.action_id
            else action
            for action in deviation.actions
        ),
    )


def _no_longer(batch: Batch) -> frozenset[str]:
    """An exceptional release was decided on the deviations and alarms known then: it excepts no later ones."""
    return batch.excepted_gates - {"G12"}


def _on_deviation(change: Callable[[Deviation, Any, Event], Deviation]) -> Change:
    def on_batch(batch: Batch, recorded: Any, event: Event) -> Batch:
        return batch.changed(
            deviations=tuple(
                change(deviation, recorded, event) if deviation.id == recorded.deviation_id else deviation
                for deviation in batch.deviations
            ),
        )

    return on_batch


def _extension(batch: Batch, recorded: happened.DeviationExtended, event: Event) -> Batch:
    return _on_deviation(_extended)(batch.changed(excepted_gates=_no_longer(batch)), recorded, event)


def _held(batch: Batch, recorded: happened.Held, event: Event) -> Batch:
    return batch.changed(state=State.HOLD, since=event.occurred_at, held_from=batch.state)


def _resumed(batch: Batch, recorded: happened.Resumed, event: Event) -> Batch:
    if batch.held_from is None:
        return batch
    return batch.changed(state=batch.held_from, since=event.occurred_at, held_from=None)


def _destroyed(batch: Batch, recorded: happened.Destroyed, event: Event) -> Batch:
    ended = enter(State.DESTROYED, ends=True)(batch, recorded, event)
    return ended.changed(
        occupancies=take_out(ended.occupancies, event.occurred_at),
        vials=tuple(
            vial if vial.status == "thawed" else replace(vial, place=None, status="discarded") for vial in batch.vials
        ),
    )


def _alarm_exposed(batch: Batch, recorded: happened.AlarmExposed, event: Event) -> Batch:
    known = batch.exposures
    place = next((place for place, other in enumerate(known) if other.id == recorded.exposure_id), len(known))
    before = known[place] if place < len(known) else None
    if recorded.phase == "withdrawn":
        if before is None:
            return batch
        withdrawn = replace(before, withdrawn_at=recorded.at)
        return batch.changed(exposures=(*known[:place], withdrawn, *known[place + 1 :]))
    cleared_at = recorded.at if recorded.phase == "cleared" else None
    exposure = AlarmExposure(
        id=recorded.exposure_id,
        chamber=recorded.chamber,
        rule_id=recorded.rule_id,
        gmp_critical=recorded.gmp_critical or (before is not None and before.gmp_critical),
        raised_at=recorded.raised_at,
        cleared_at=cleared_at,
        text=recorded.text if before is None else before.text,
        minutes=recorded.minutes,
        degree_minutes=recorded.degree_minutes,
        unknown_minutes=recorded.unknown_minutes,
        suppressed=recorded.suppressed if before is None or before.is_by_design else before.suppressed,
    )
    is_new = exposure.wants_assessment and (before is None or not before.wants_assessment)
    return batch.changed(
        exposures=(*known[:place], exposure, *known[place + 1 :]),
        excepted_gates=_no_longer(batch) if is_new else batch.excepted_gates,
    )


def _refused(batch: Batch, recorded: happened.CommandRefused, event: Event) -> Batch:
    refusal = Refusal(event.occurred_at, recorded.command, event.actor.id, recorded.message)
    return batch.changed(refusals=(*batch.refusals, refusal))


QUALITY: Final[dict[type[Recorded], Change]] = {
    happened.DeviationOpened: _opened,
    happened.DeviationExtended: _extension,
    happened.DeviationInvestigated: _on_deviation(_investigated),
    happened.ActionPlanned: _on_deviation(_planned),
    happened.EffectivenessChecked: _on_deviation(_checked),
    happened.DeviationClosed: _on_deviation(
        lambda deviation, recorded, event: replace(deviation, closed_at=event.occurred_at)
    ),
    happened.Held: _held,
    happened.Resumed: _resumed,
    happened.Destroyed: _destroyed,
    happened.Recalled: enter(State.RECALLED, ends=True),
    happened.AlarmExposed: _alarm_exposed,
    happened.CommandRefused: _refused,
}
