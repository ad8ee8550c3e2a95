"""What the ledger keeps of a link to a device: that it came up, and who answered, or that it was lost, and why."""

from __future__ import annotations

from typing import Final

from cultureops.acquisition.poller import LinkEvent, LinkState
from cultureops.device.driver import Identity
from cultureops.device.reading import Reason
from cultureops.errors import StorageError
from cultureops.ledger.event import Actor, Event, JsonValue, NewEvent, Source

__all__ = ["link_event_in", "link_recorded", "link_stream"]

_SYSTEM: Final = Actor("cultureops", "system")
_PREFIX: Final = "device_"
_REASONS: Final = {reason.name.lower(): reason for reason in Reason}


def link_stream(device: str) -> str:
    """Return the stream of a device."""
    return f"device:{device}"


def link_recorded(event: LinkEvent) -> NewEvent:
    """Return the fact that the ledger keeps."""
    identity = event.identity
    data: dict[str, JsonValue] = {"device": event.device}
    if identity is not None:
        data |= {
            "vendor": identity.vendor,
            "model": identity.model,
            "serial_number": identity.serial_number,
            "firmware": identity.firmware,
        }
    else:
        data |= {"reason": event.reason.name.lower()}
    return NewEvent(f"{_PREFIX}{event.state}", data, _SYSTEM, Source.SYSTEM, event.at)


def link_event_in(event: Event) -> LinkEvent | None:
    """Read it back; None for an event of another kind. Raises StorageError for one that is not as written."""
    device = event.stream.removeprefix("device:")
    if device == event.stream or event.type not in {f"{_PREFIX}{state}" for state in LinkState}:
        return None
    try:
        state, data = LinkState(event.type.removeprefix(_PREFIX)), event.data
        if state is LinkState.LOST:
            return LinkEvent(device, state, event.occurred_at, None, _REASONS[str(data["reason"])], "")
        names = ("vendor", "model", "serial_number", "firmware")
        identity = Identity(*(str(data[name]) for name in names))
        return LinkEvent(device, state, event.occurred_at, identity, Reason.NONE, "")
    except KeyError as missing:
        raise StorageError(f"event {event.position}: {missing} is not in what is said of {device}") from None
