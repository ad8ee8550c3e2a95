"""What was recorded of a chamber's equipment and links, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cultureops.clock import Instant, parse_iso
from cultureops.device.reading import Reason
from cultureops.equipment.events import EVENTS, PREFIX
from cultureops.errors import ConfigError
from cultureops.ledger.event import Event

__all__ = ["Happened", "happened"]

_REASONS: Final = {reason.name.lower(): reason.text for reason in Reason}
_IDENTITY: Final = ("vendor", "model", "serial_number", "firmware")


@dataclass(frozen=True, slots=True)
class Happened:
    """One event: when, to what, what (``kind`` is the event's type), who and why."""

    at: Instant
    of: str
    kind: str
    words: str
    who: str
    reason: str
    position: int


def happened(event: Event) -> Happened:
    """Tell an event of a stream of equipment or of a device."""
    of = event.stream.removeprefix(PREFIX).removeprefix("device:")
    return Happened(
        _when(event), of, event.type, _words(event), f"{event.actor.id} ({event.actor.role})", event.reason,
        event.position,
    )  # fmt: skip


def _when(event: Event) -> Instant:
    """Return when it was so: a calibration holds from when it was done."""
    try:
        return parse_iso(str(event.data["calibrated_at"])) if event.type == "calibrated" else event.occurred_at
    except (KeyError, ConfigError):
        return event.occurred_at


def _words(event: Event) -> str:
    said = {name: str(value) for name, value in event.data.items() if isinstance(value, str | int | float)}
    match event.type:
        case "device_identified":
            who = " ".join(said[name] for name in _IDENTITY if said.get(name))
            return f"link up, {who or 'unnamed instrument'}"
        case "device_lost":
            reason = said.get("reason", "")
            return f"link lost: {_REASONS.get(reason) or reason or 'no reason said'}"
        case "calibrated":
            return f"calibrated, certificate {said.get('certificate', '–')}, until {said.get('due', '–')[:10]}"
        case "commissioned":
            return f"commissioned, report {said.get('document', '–')}"
        case other if other in EVENTS:
            return other.replace("_", " ")
        case other:
            return f"{other.replace('_', ' ')} (not known to this version)"
