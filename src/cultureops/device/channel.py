"""What a device can say: one frozen row per measured quantity, and the standard names of each class."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["STANDARD_NAMES", "Channel", "ChannelId", "Kind", "channel_id"]

ChannelId = str
"""``<device>/<channel>``, e.g. ``incubator_1/co2``; a batch's own facts are ``batch:<id>/<name>``."""


class Kind(StrEnum):
    """How a channel's number is to be read."""

    MEASUREMENT = "measurement"
    SETPOINT = "setpoint"
    STATE = "state"


STANDARD_NAMES: dict[str, frozenset[str]] = {
    "incubator": frozenset(
        [
            "temperature",
            "co2",
            "humidity",
            "o2",
            "temperature_setpoint",
            "co2_setpoint",
            "humidity_setpoint",
            "o2_setpoint",
            "door",
        ]
    ),
    "cryostore": frozenset(
        ["temp_a", "temp_b", "level", "fill", "fill_time", "fill_alarm", "bypass", "lid", "mains", "battery"]
    ),
}


@dataclass(frozen=True, slots=True)
class Channel:
    """One quantity of one device.

    ``unit`` is a UCUM code; ``valid_range`` is what the instrument can measure at all, outside of which a value is
    BAD; ``max_rate_per_min`` is the fastest believable change; ``decimals`` is the resolution that is stored and
    shown; ``verified`` is False where the address or meaning is second-hand.
    """

    name: str
    unit: str
    kind: Kind = Kind.MEASUREMENT
    valid_range: tuple[float, float] | None = None
    max_rate_per_min: float | None = None
    decimals: int = 2
    verified: bool = True


def channel_id(device: str, name: str) -> ChannelId:
    """Join a device's name and a channel's name into the channel's identity."""
    return f"{device}/{name}"
