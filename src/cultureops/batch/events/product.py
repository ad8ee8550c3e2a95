"""Events from the suspension to the patient."""

from __future__ import annotations

from cultureops.batch import commands as asked
from cultureops.batch.events.base import Recorded
from cultureops.batch.field import Cells, Flag, Time, Whole

__all__ = [
    "Administered",
    "AdverseEventRecorded",
    "Closed",
    "ConditionallyReleased",
    "ExceptionallyReleased",
    "Formulated",
    "ReceivedAtSite",
    "Rejected",
    "Released",
    "Resuspended",
    "Reviewed",
    "Shipped",
]


class Resuspended(asked.Resuspend, Recorded):
    """The cells were taken up in the product's diluent."""

    viable_cells: Cells
    expires_at: Time


class Formulated(asked.Formulate, Recorded):
    """The containers were filled."""


class Reviewed(asked.Review, Recorded):
    """The record was reviewed up to ``reviewed_version`` of the stream; before a thaw ``is_interim``."""

    reviewed_version: Whole
    is_interim: Flag = False


class Released(asked.Release, Recorded):
    """The product was released."""


class Rejected(asked.Reject, Recorded):
    """The batch was rejected."""


class Shipped(asked.Ship, Recorded):
    """The product left the house."""


class ReceivedAtSite(asked.ReceiveAtSite, Recorded):
    """The product arrived at the hospital."""


class Administered(asked.Administer, Recorded):
    """One dose was given."""

    viable_cells: Cells


class Closed(asked.Close, Recorded):
    """The record was closed."""


class ConditionallyReleased(asked.ReleaseConditionally, Recorded):
    """The product was released while its final sterility culture is pending."""


class ExceptionallyReleased(asked.ReleaseExceptionally, Recorded):
    """A product that fails the named gates was released for one patient's sake."""

    problems: tuple[str, ...]


class AdverseEventRecorded(asked.RecordAdverseEvent, Recorded):
    """Something happened to the patient after a dose."""
