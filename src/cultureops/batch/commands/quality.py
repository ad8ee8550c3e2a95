"""Commands of quality assurance: deviations, holds, the end of what must not be used."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cultureops.batch.field import Details, Flag, Name, SampleName, Scans, Text, Time

__all__ = [
    "CheckEffectiveness",
    "CloseDeviation",
    "Destroy",
    "DeviationKind",
    "HandOver",
    "Hold",
    "InvestigateDeviation",
    "OpenDeviation",
    "PlanAction",
    "Recall",
    "Resume",
    "Severity",
]

Severity = Literal["minor", "major", "critical"]
DeviationKind = Literal["deviation", "oos", "alarm"]
_Words = Annotated[Text, Field(min_length=1)]


class OpenDeviation(Details):
    """Say that something did not go as the recipe has it.

    ``oos`` is a result out of specification, ``alarm`` what an alarm of a chamber meant for the batch.
    """

    deviation_id: SampleName
    kind: DeviationKind = "deviation"
    severity: Severity
    subject: Name
    description: _Words
    due_at: Time | None = None


class InvestigateDeviation(Details):
    """Say what the cause was and what it means for the batch.

    ``severity`` grades the deviation anew, with the reason why; without it the present grade is confirmed.
    """

    deviation_id: SampleName
    root_cause: _Words
    impact: _Words
    severity: Severity | None = None
    severity_reason: Text = ""


class PlanAction(Details):
    """Plan a corrective or preventive action (CAPA)."""

    deviation_id: SampleName
    action_id: SampleName
    action: _Words
    owner: Name
    due_at: Time


class CheckEffectiveness(Details):
    """Say whether a planned action has done what it was planned for, and how that is known."""

    deviation_id: SampleName
    action_id: SampleName
    is_effective: Flag
    evidence: _Words


class CloseDeviation(Details):
    """Close a deviation after its investigation.

    ``effectiveness`` says how those of its actions are known to work whose effectiveness was not checked on its own.
    """

    deviation_id: SampleName
    conclusion: _Words
    effectiveness: Text = ""


class Hold(Details):
    """Stop the batch where it stands; the reason stands in the command."""


class Resume(Details):
    """Let a held batch go on; the reason stands in the command."""


class Destroy(Details):
    """Destroy what is left of a rejected or recalled batch, with a second person."""

    method: Name
    everything_destroyed: Flag


class Recall(Details):
    """Call a released product back; the reason stands in the command."""

    notified: Name


class HandOver(Details):
    """Hand the batch's material from one person's care into another's, with two independent scans."""

    from_place: Name
    to_place: Name
    scans: Scans
