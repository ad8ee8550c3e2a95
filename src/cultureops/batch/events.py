"""What has happened to a batch: the closed vocabulary of its stream.

An event repeats the details of its command and adds what was derived. ``EVENTS`` is the whole list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import Field

from cultureops.batch import commands as asked
from cultureops.batch.field import (
    Cells,
    Density,
    Details,
    Flag,
    Hours,
    Name,
    Part,
    PatientToken,
    Percent,
    Sha256,
    Text,
    Time,
    Whole,
)
from cultureops.errors import BatchError
from cultureops.ledger.event import JsonValue

__all__ = [
    "EVENTS",
    "Administered",
    "AlarmExposed",
    "BatchCreated",
    "Check",
    "Closed",
    "CommandRefused",
    "ConfluenceObserved",
    "ConsentRecorded",
    "Corrected",
    "CountAccepted",
    "CountHeld",
    "Counted",
    "Formulated",
    "Harvested",
    "Isolated",
    "MarrowReceived",
    "MediumChanged",
    "Moved",
    "Noted",
    "Passaged",
    "QcResulted",
    "QcSampled",
    "ReceivedAtSite",
    "Recorded",
    "Rejected",
    "Released",
    "ResultFileRejected",
    "Resuspended",
    "Reviewed",
    "Seeded",
    "Shipped",
    "data_of",
    "read_event",
]


class Check(Part):
    """A hard gate that held nothing up, with the facts it looked at."""

    gate: Name
    used: dict[str, Any]


class Recorded(Details):
    """What every event may carry besides its own fields."""

    checks: tuple[Check, ...] = ()
    warnings: tuple[Text, ...] = ()
    witness_id: Name | None = None


class BatchCreated(Recorded):
    """A batch was opened; it keeps to this recipe in this version."""

    patient_token: PatientToken
    recipe: Name
    recipe_version: Whole
    recipe_sha256: Sha256


class ConsentRecorded(asked.RecordConsent, Recorded):
    """The patient's consent and eligibility were recorded."""


class MarrowReceived(asked.ReceiveMarrow, Recorded):
    """The marrow was taken in."""


class Isolated(asked.Isolate, Recorded):
    """Mononuclear cells were won."""


class Seeded(asked.Seed, Recorded):
    """The primary culture was started."""

    passage: Whole
    density_per_cm2: float


class MediumChanged(asked.ChangeMedium, Recorded):
    """The medium was replaced."""

    interval_h: Hours


class ConfluenceObserved(asked.ObserveConfluence, Recorded):
    """Confluence was judged."""

    passage: Whole


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


class _Yield(Recorded):
    """What came off the vessels; growth figures that are undefined are None, ``growth_note`` says why."""

    harvested_viable_cells: Cells
    viable_density_1e6_per_ml: Density
    viability_pct: Percent
    counts: tuple[Name, ...]
    hours: Hours
    population_doublings: float | None
    doubling_time_h: float | None
    growth_note: Text
    cumulative_population_doublings: float


class Passaged(asked.Passage, _Yield):
    """Cells were detached and seeded anew; ``passage`` is the new one."""

    passage: Whole
    density_per_cm2: float


class Harvested(asked.Harvest, _Yield):
    """Cells were harvested for the product."""

    passage: Whole


class QcSampled(asked.SampleQc, Recorded):
    """A sample was taken."""

    passage: Whole


class QcResulted(asked.RecordQcResult, Recorded):
    """A test was read."""

    test: asked.QcTest
    days_since_sampling: float


class Resuspended(asked.Resuspend, Recorded):
    """The cells were taken up in the product's diluent."""

    viable_cells: Cells
    expires_at: Time


class Formulated(asked.Formulate, Recorded):
    """The containers were filled."""


class Reviewed(asked.Review, Recorded):
    """The record was reviewed up to ``reviewed_version`` of the stream."""

    reviewed_version: Whole


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


class Moved(asked.Move, Recorded):
    """Vessels were carried into another chamber."""

    from_chamber: Name


class Noted(asked.Note, Recorded):
    """Something was said for the record."""


class Corrected(asked.Correct, Recorded):
    """One field of an earlier event was corrected; ``data`` is that event as it reads now."""

    event_type: Name
    occurred_at: Time
    old_value: str | bool | int | float
    data: dict[str, Any]


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


class CommandRefused(Recorded):
    """Somebody asked for what must not happen."""

    command: Name
    error: Literal["TransitionRefused", "GateFailed", "BatchError"]
    gates: tuple[Name, ...] = ()
    message: Annotated[Text, Field(min_length=1)]


EVENTS: Final[Mapping[str, type[Recorded]]] = {
    "batch_created": BatchCreated,
    "consent_recorded": ConsentRecorded,
    "marrow_received": MarrowReceived,
    "isolated": Isolated,
    "seeded": Seeded,
    "medium_changed": MediumChanged,
    "confluence_observed": ConfluenceObserved,
    "counted": Counted,
    "count_held": CountHeld,
    "count_accepted": CountAccepted,
    "result_file_rejected": ResultFileRejected,
    "passaged": Passaged,
    "harvested": Harvested,
    "qc_sampled": QcSampled,
    "qc_resulted": QcResulted,
    "resuspended": Resuspended,
    "formulated": Formulated,
    "reviewed": Reviewed,
    "released": Released,
    "rejected": Rejected,
    "shipped": Shipped,
    "received_at_site": ReceivedAtSite,
    "administered": Administered,
    "closed": Closed,
    "moved": Moved,
    "noted": Noted,
    "corrected": Corrected,
    "alarm_exposed": AlarmExposed,
    "command_refused": CommandRefused,
}

EVENT_TYPES: Final = {kind: name for name, kind in EVENTS.items()}

R = TypeVar("R", bound=Recorded)


def data_of(event: Recorded) -> dict[str, JsonValue]:
    """Return an event's fields as JSON values; times become ISO 8601 text, what is empty is left out."""
    return event.model_dump(mode="json", exclude_defaults=True)


def read_event(event_type: str, data: Mapping[str, Any]) -> Recorded:
    """Read a stored event; raises BatchError naming kind and field when it is not of this vocabulary."""
    kind = EVENTS.get(event_type)
    if kind is None:
        raise BatchError(f"event {event_type!r} is not known to this version of cultureops; use a newer one")
    return kind(**data)
