"""What has happened to a batch: the closed vocabulary of its stream.

An event repeats the details of its command and adds what was derived. ``EVENTS`` is the whole list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cultureops.batch.events.base import Check, Recorded
from cultureops.batch.events.cryo import (
    Frozen,
    LabellingEnded,
    LabellingStarted,
    StorageChecked,
    ThawAuthorised,
    Thawed,
    TransferredIn,
    TransferredOut,
    VialsDiscarded,
    VialsMoved,
    Washed,
)
from cultureops.batch.events.culture import (
    BatchCreated,
    ConfluenceObserved,
    ConsentRecorded,
    Harvested,
    Isolated,
    MarrowReceived,
    MediumChanged,
    Moved,
    Passaged,
    Seeded,
    VesselsDiscarded,
    VesselsPooled,
    VesselsSplit,
)
from cultureops.batch.events.product import (
    Administered,
    AdverseEventRecorded,
    Closed,
    ConditionallyReleased,
    ExceptionallyReleased,
    Formulated,
    ReceivedAtSite,
    Rejected,
    Released,
    Resuspended,
    Reviewed,
    Shipped,
)
from cultureops.batch.events.quality import (
    ActionPlanned,
    AlarmExposed,
    CommandRefused,
    Destroyed,
    DeviationClosed,
    DeviationExtended,
    DeviationInvestigated,
    DeviationOpened,
    EffectivenessChecked,
    HandedOver,
    Held,
    LotStopped,
    Recalled,
    Resumed,
)
from cultureops.batch.events.record import (
    Corrected,
    CountAccepted,
    Counted,
    CountHeld,
    Noted,
    QcResulted,
    QcSampled,
    ResultFileRejected,
)
from cultureops.errors import BatchError
from cultureops.ledger.event import JsonValue

__all__ = [
    "EVENTS",
    "EVENT_TYPES",
    "ActionPlanned",
    "Administered",
    "AdverseEventRecorded",
    "AlarmExposed",
    "BatchCreated",
    "Check",
    "Closed",
    "CommandRefused",
    "ConditionallyReleased",
    "ConfluenceObserved",
    "ConsentRecorded",
    "Corrected",
    "CountAccepted",
    "CountHeld",
    "Counted",
    "Destroyed",
    "DeviationClosed",
    "DeviationExtended",
    "DeviationInvestigated",
    "DeviationOpened",
    "EffectivenessChecked",
    "ExceptionallyReleased",
    "Formulated",
    "Frozen",
    "HandedOver",
    "Harvested",
    "Held",
    "Isolated",
    "LabellingEnded",
    "LabellingStarted",
    "LotStopped",
    "MarrowReceived",
    "MediumChanged",
    "Moved",
    "Noted",
    "Passaged",
    "QcResulted",
    "QcSampled",
    "Recalled",
    "ReceivedAtSite",
    "Recorded",
    "Rejected",
    "Released",
    "ResultFileRejected",
    "Resumed",
    "Resuspended",
    "Reviewed",
    "Seeded",
    "Shipped",
    "StorageChecked",
    "ThawAuthorised",
    "Thawed",
    "TransferredIn",
    "TransferredOut",
    "VesselsDiscarded",
    "VesselsPooled",
    "VesselsSplit",
    "VialsDiscarded",
    "VialsMoved",
    "Washed",
    "data_of",
    "read_event",
]

EVENTS: Final[Mapping[str, type[Recorded]]] = {
    "batch_created": BatchCreated,
    "consent_recorded": ConsentRecorded,
    "marrow_received": MarrowReceived,
    "isolated": Isolated,
    "seeded": Seeded,
    "medium_changed": MediumChanged,
    "confluence_observed": ConfluenceObserved,
    "passaged": Passaged,
    "harvested": Harvested,
    "moved": Moved,
    "vessels_split": VesselsSplit,
    "vessels_pooled": VesselsPooled,
    "vessels_discarded": VesselsDiscarded,
    "frozen": Frozen,
    "vials_moved": VialsMoved,
    "vials_discarded": VialsDiscarded,
    "storage_checked": StorageChecked,
    "thaw_authorised": ThawAuthorised,
    "transferred_out": TransferredOut,
    "transferred_in": TransferredIn,
    "thawed": Thawed,
    "washed": Washed,
    "labelling_started": LabellingStarted,
    "labelling_ended": LabellingEnded,
    "resuspended": Resuspended,
    "formulated": Formulated,
    "reviewed": Reviewed,
    "released": Released,
    "rejected": Rejected,
    "shipped": Shipped,
    "received_at_site": ReceivedAtSite,
    "administered": Administered,
    "closed": Closed,
    "conditionally_released": ConditionallyReleased,
    "exceptionally_released": ExceptionallyReleased,
    "adverse_event_recorded": AdverseEventRecorded,
    "alarm_exposed": AlarmExposed,
    "lot_stopped": LotStopped,
    "command_refused": CommandRefused,
    "deviation_opened": DeviationOpened,
    "deviation_extended": DeviationExtended,
    "deviation_investigated": DeviationInvestigated,
    "action_planned": ActionPlanned,
    "effectiveness_checked": EffectivenessChecked,
    "deviation_closed": DeviationClosed,
    "held": Held,
    "resumed": Resumed,
    "destroyed": Destroyed,
    "recalled": Recalled,
    "handed_over": HandedOver,
    "counted": Counted,
    "count_held": CountHeld,
    "count_accepted": CountAccepted,
    "result_file_rejected": ResultFileRejected,
    "qc_sampled": QcSampled,
    "qc_resulted": QcResulted,
    "noted": Noted,
    "corrected": Corrected,
}

EVENT_TYPES: Final = {kind: name for name, kind in EVENTS.items()}


def data_of(event: Recorded) -> dict[str, JsonValue]:
    """Return an event's fields as JSON values; times become ISO 8601 text, what is empty is left out."""
    return event.model_dump(mode="json", exclude_defaults=True)


def read_event(event_type: str, data: Mapping[str, Any]) -> Recorded:
    """Read a stored event; raises BatchError naming kind and field when it is not of this vocabulary."""
    kind = EVENTS.get(event_type)
    if kind is None:
        raise BatchError(f"event {event_type!r} is not known to this version of cultureops; use a newer one")
    return kind(**data)
