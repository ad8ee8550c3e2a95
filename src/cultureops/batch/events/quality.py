"""Events of quality assurance."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cultureops.batch import commands as asked
from cultureops.batch.commands.quality import Severity
from cultureops.batch.events.base import Recorded
from cultureops.batch.field import Flag, Name, SampleName, Text, Time

__all__ = [
    "ActionPlanned",
    "AlarmExposed",
    "CommandRefused",
    "Destroyed",
    "DeviationClosed",
    "DeviationExtended",
    "DeviationInvestigated",
    "DeviationOpened",
    "EffectivenessChecked",
    "HandedOver",
    "Held",
    "LotStopped",
    "Recalled",
    "Resumed",
]


_Amount = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0)]


class AlarmExposed(Recorded):
    """An alarm of the chamber where the batch stood was raised, or cleared, or proves not to be the batch's.

    ``since`` is when its condition began. ``minutes`` are those beyond the limit while the batch stood there, so far,
    ``degree_minutes`` the excess over them [unit x min], ``unknown_minutes`` those that nobody knows of; None where
    ``figures_reason`` says why not. ``suppressed`` is the suppression under which the condition came. ``because`` is
    the event that put the batch there, or took it away, later than the alarm.
    """

    exposure_id: Name
    phase: Literal["raised", "cleared", "withdrawn"]
    rule_id: Name
    chamber: Name
    channel: Name | None
    kind: Name
    priority: Name
    gmp_critical: Flag
    raised_at: Time
    at: Time
    text: Text
    since: Time | None = None
    minutes: _Amount | None = None
    degree_minutes: _Amount | None = None
    degree_unit: Text = ""
    unknown_minutes: _Amount | None = None
    figures_reason: Text = ""
    suppressed: Text = ""
    because: Text = ""


class LotStopped(Recorded):
    """A lot of material that this batch has used must not be used any more."""

    lot: Name
    status: Literal["quarantined", "recalled", "rejected"]
    text: Text


class CommandRefused(Recorded):
    """Somebody asked for what must not happen."""

    command: Name
    error: Literal["TransitionRefused", "GateFailed", "BatchError", "AccessError"]
    gates: tuple[Name, ...] = ()
    message: Annotated[Text, Field(min_length=1)]


class DeviationOpened(asked.OpenDeviation, Recorded):
    """Something did not go as the recipe has it; ``drafted`` where an alarm, its ``rule_id``, opened it by itself."""

    drafted: Flag = False
    rule_id: Name | None = None


class DeviationExtended(Recorded):
    """The alarm that a drafted deviation is about has come again before anybody had disposed of it."""

    deviation_id: SampleName
    exposure_id: Name
    severity: Severity
    description: Annotated[Text, Field(min_length=1)]


class DeviationInvestigated(asked.InvestigateDeviation, Recorded):
    """The cause was found; ``severity_before`` is the grade that was replaced."""

    severity_before: Severity | None = None


class ActionPlanned(asked.PlanAction, Recorded):
    """An action was planned."""


class EffectivenessChecked(asked.CheckEffectiveness, Recorded):
    """Somebody looked whether an action has worked."""


class DeviationClosed(asked.CloseDeviation, Recorded):
    """A deviation was closed."""


class Held(asked.Hold, Recorded):
    """The batch was stopped where it stands."""


class Resumed(asked.Resume, Recorded):
    """The batch goes on."""


class Destroyed(asked.Destroy, Recorded):
    """What was left was destroyed."""


class Recalled(asked.Recall, Recorded):
    """The product was called back."""


class HandedOver(asked.HandOver, Recorded):
    """The material changed hands."""
