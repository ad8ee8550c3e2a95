"""Culture facts as channels of the batch: a projection of the ledger into telemetry, rebuildable at any time."""

from __future__ import annotations

from typing import Any, Final

from cultureops.batch import events as happened
from cultureops.batch.batch import batch_of, stream_of
from cultureops.batch.events import Recorded, read_event
from cultureops.batch.state import State
from cultureops.clock import Instant
from cultureops.device.channel import Channel, ChannelId, Kind, channel_id
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.ledger.event import Event

__all__ = ["FACT_CHANNELS", "batch_channels", "channel_rows"]

FACT_CHANNELS: Final = (
    Channel("confluence", "%", valid_range=(0, 100), decimals=1),
    Channel("viability", "%", valid_range=(0, 100), decimals=2),
    Channel("viable_density", "10*6/mL", decimals=4),
    Channel("passage", "1", Kind.STATE, decimals=0),
    Channel("cumulative_population_doublings", "1", decimals=2),
    Channel("residual_dmso", "%", valid_range=(0, 100), decimals=4),
    Channel("step", "1", Kind.STATE, decimals=0),
)

_STEPS: Final[dict[type[Recorded], State]] = {
    happened.BatchCreated: State.CREATED,
    happened.MarrowReceived: State.RECEIVED,
    happened.Isolated: State.ISOLATED,
    happened.Seeded: State.CULTURE,
    happened.Harvested: State.HARVESTED,
    happened.Frozen: State.CRYO,
    happened.ThawAuthorised: State.THAW_AUTHORISED,
    happened.TransferredOut: State.IN_TRANSFER,
    happened.TransferredIn: State.RECEIVED_LAB,
    happened.Thawed: State.THAWED,
    happened.Washed: State.WASHED,
    happened.LabellingStarted: State.LABELLING,
    happened.LabellingEnded: State.WASHED,
    happened.Resuspended: State.RESUSPENDED,
    happened.Formulated: State.FORMULATED,
    happened.Reviewed: State.REVIEWED,
    happened.Released: State.RELEASED,
    happened.ExceptionallyReleased: State.RELEASED,
    happened.ConditionallyReleased: State.CONDITIONALLY_RELEASED,
    happened.Rejected: State.REJECTED,
    happened.Shipped: State.SHIPPED,
    happened.ReceivedAtSite: State.RECEIVED_AT_SITE,
    happened.Administered: State.ADMINISTERED,
    happened.Closed: State.CLOSED,
    happened.Held: State.HOLD,
    happened.Recalled: State.RECALLED,
    happened.Destroyed: State.DESTROYED,
}


def batch_channels(event: Event) -> tuple[Reading, ...]:
    """Return what an event says as readings of ``batch:<id>/<name>``, at the time when it happened.

    Empty for an event of another stream, or one without a culture fact. A correction repeats the readings of the
    corrected event with its values as they read now.
    """
    batch_id = batch_of(event.stream)
    if batch_id is None:
        return ()
    recorded, at = read_event(event.type, event.data), event.occurred_at
    if isinstance(recorded, happened.Corrected):
        at = recorded.occurred_at
        recorded = read_event(recorded.event_type, recorded.data)
    return tuple(_reading(event, name, value, at) for name, value in _values(recorded).items())


def _reading(event: Event, name: str, value: float, at: Instant) -> Reading:
    return Reading(channel_id(event.stream, name), value, Quality.GOOD, Reason.NONE, at, max(at, event.recorded_at))


def _values(recorded: Recorded) -> dict[str, float]:
    values: dict[str, Any] = {}
    if isinstance(recorded, happened.ConfluenceObserved):
        values["confluence"] = recorded.confluence_pct
    if isinstance(recorded, happened.Counted | happened.CountAccepted | happened.Passaged | happened.Harvested):
        values["viability"] = recorded.viability_pct
        values["viable_density"] = recorded.viable_density_1e6_per_ml
    if isinstance(recorded, happened.Passaged | happened.Harvested):
        values["cumulative_population_doublings"] = recorded.cumulative_population_doublings
    if isinstance(recorded, happened.Washed):
        values["residual_dmso"] = recorded.residual_dmso_pct
    if isinstance(recorded, happened.Seeded | happened.Passaged):
        values["passage"] = recorded.passage
    is_interim = isinstance(recorded, happened.Reviewed) and recorded.is_interim
    if (state := _STEPS.get(type(recorded))) is not None and not is_interim:
        values["step"] = state.step
    return {name: float(value) for name, value in values.items()}


def channel_rows(batch_id: str) -> dict[ChannelId, Channel]:
    """Return the rows of a batch's channels by their ids, ``batch:<id>/<name>``."""
    return {channel_id(stream_of(batch_id), channel.name): channel for channel in FACT_CHANNELS}
