"""Events that only add to the record."""

from __future__ import annotations

from typing import Any

from cultureops.batch import commands as asked
from cultureops.batch.events.base import Recorded
from cultureops.batch.field import Name, Time, Whole

__all__ = [
    "Corrected",
    "CountAccepted",
    "CountHeld",
    "Counted",
    "Noted",
    "QcResulted",
    "QcSampled",
    "ResultFileRejected",
]


class _Counted(Recorded):
    """Where a count belongs, from its sample id: ``<batch>.[P<passage>-]<stage>-<replicate>``."""

    passage: Whole | None
    stage: Name
    replicate: Whole


class Counted(asked.Count, _Counted):
    """A count came in."""


class CountHeld(asked.HoldCount, Recorded):
    """An implausible count was held for a person."""


class CountAccepted(asked.AcceptCount, _Counted):
    """A person let a held count count."""

    device: Name


class ResultFileRejected(asked.RejectResultFile, Recorded):
    """A result file that names this batch could not be read."""


class QcSampled(asked.SampleQc, Recorded):
    """A sample was taken."""

    passage: Whole


class QcResulted(asked.RecordQcResult, Recorded):
    """A test was read."""

    test: asked.QcTest
    days_since_sampling: float


class Noted(asked.Note, Recorded):
    """Something was said for the record."""


class Corrected(asked.Correct, Recorded):
    """One field of an earlier event was corrected; ``data`` is that event as it reads now."""

    event_type: Name
    occurred_at: Time
    old_value: str | bool | int | float
    data: dict[str, Any]
