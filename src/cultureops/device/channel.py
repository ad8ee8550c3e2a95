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


_SUPPLY = ("active", "pressure_ok")

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
            "fan",
            *(f"{gas}_supply_{cylinder}_{state}" for gas in ("co2", "o2") for cylinder in "ab" for state in _SUPPLY),
            *("n2", "n2_setpoint", "gate", "transfer_station", "shovel", "action", "action_target"),
            *("ready", "busy", "warning", "error", "warning_code", "error_code"),
        ]
    ),
    "bioreactor": frozenset(
        [
            "temperature",
            "ph",
            "dissolved_oxygen",
            "agitation",
            *(f"{name}_setpoint" for name in ("temperature", "ph", "dissolved_oxygen", "agitation")),
            *(f"{gas}_flow" for gas in ("air", "o2", "co2", "n2")),
            "pressure",
            "weight",
            "volume",
            "optical_density",
            "growth_rate",
        ]
    ),
    "cryostore": frozenset(
        [
            *("temp_a", "temp_b", "level", "fill", "fill_time", "fill_alarm", "bypass", "lid", "mains", "battery"),
            *("level_high_limit", "level_low_limit", "fill_start_level", "fill_stop_level"),
        ]
    ),
    "freezer": frozenset(
        [
            *("temperature_setpoint", "warm_alarm_setpoint", "cold_alarm_setpoint"),
            *(f"tc{number}" for number in range(1, 11)),
            *("mains", "pulled_down", "service_mode", "shutdown", "door_1", "door_2", "alarm_test"),
        ]
    ),
    "bath": frozenset(
        [
            *("temperature", "temperature_setpoint", "heating_power", "external_temperature", "safety_temperature"),
            *("running", "status"),
        ]
    ),
    "refrigerator": frozenset(["temperature", "humidity", "door"]),
    "room": frozenset(["temperature", "humidity"]),
    "particle_counter": frozenset(
        [
            *(f"particles_{number}" for number in range(1, 9)),
            *("record_time", "running", "sampling", "particle_alarms"),
        ]
    ),
    "balance": frozenset(["weight", "stable"]),
    "centrifuge": frozenset(
        ["standstill", "program", "lid", "hatch", "rotor", "key_lock", "rotor_position", "rotor_positions"]
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
