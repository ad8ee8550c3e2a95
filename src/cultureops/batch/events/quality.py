"""Events of quality assurance."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cultureops.batch import commands as asked
from cultureops.batch.events.base import Recorded
from cultureops.batch.field import Flag, Name, Text, Time

__all__ = [
    "ActionPlanned",
    "AlarmExposed",
    "CommandRefused",
    "Destroyed",
    "DeviationClosed",
    "DeviationInvestigated",
    "DeviationOpened",
    "HandedOver",
    "Held",
    "LotStopped",
    "Recalled",
    "Resumed",
]


class AlarmExposed(Recorded):
    """An alarm of the chamber where the batch stood was raised, or cleared."""

    exposure_id: Name
    phase: Literal["raised", "cleared"]
    rule_id: Name
    chamber: Name
    channel: Name | None
    kind: Name
    priority: Name
    gmp_critical: Flag
    raised_at: Time
    at: Time
    text: Text


class LotStopped(Recorded):
    """A lot of material that this batch has used must not be used any more."""

    lot: Name
    status: Literal["quarantined", "recalled", "rejected"]
    text: Text


class CommandRefused(Recorded):
    """Somebody asked for what must not happen."""

    command: Name
    error: Literal["TransitionRefused", "GateFailed", "BatchError"]
    gates: tuple[Name, ...] = ()
    message: Annotated[Text, Field(min_length=1)]


class DeviationOpened(asked.OpenDeviation, Recorded):
    """Something did not go as the recipe has it."""


class DeviationInvestigated(asked.InvestigateDeviation, Recorded):
    """The cause was found."""


class ActionPlanned(asked.PlanAction, Recorded):
    """An action was planned."""


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
