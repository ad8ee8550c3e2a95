"""Rules, channels and readings for tests of the challenge."""

from __future__ import annotations

from typing import Any

from cultureops.acquisition import MeasuredChannel
from cultureops.alarms.rule import Kind, Priority, Rule
from cultureops.challenge.room import Room
from cultureops.device.channel import Channel
from cultureops.device.channel import Kind as ChannelKind
from cultureops.device.reading import Quality, Reading, Reason, bad_reading

MINUTE = 60_000
T0 = 1_767_600_000_000


def rule(kind: Kind = Kind.HIGH, **changes: Any) -> Rule:
    values: dict[str, Any] = {
        "id": f"inc/temperature/{kind}",
        "chamber": "incubator_1",
        "channel": "inc/temperature",
        "device": "inc",
        "kind": kind,
        "limit": 38.0,
        "unit": "Cel",
        "deadband": 0.2,
        "on_delay_s": 600.0,
        "off_delay_s": 120.0,
        "misses": 3,
        "priority": Priority.HIGH,
        "gmp_critical": True,
        "consequence": "Cells die.",
        "response": "Look.",
    }
    return Rule(**(values | changes))


def measured(
    name: str = "temperature",
    *,
    device: str = "inc",
    kind: ChannelKind = ChannelKind.MEASUREMENT,
    bounds: tuple[float, float] | None = (-20.0, 100.0),
    decimals: int = 2,
    period_s: int = 60,
) -> MeasuredChannel:
    channel = Channel(name, "Cel", kind, bounds, decimals=decimals)
    return MeasuredChannel(f"{device}/{name}", device, "incubator_1", channel, True, period_s * 1000)


def room(*rules: Rule, natural: dict[str, float] | None = None, channels: tuple[MeasuredChannel, ...] = ()) -> Room:
    rows = channels or (
        measured(),
        measured("temperature_setpoint", kind=ChannelKind.SETPOINT),
        measured("sister"),
        measured("door", kind=ChannelKind.STATE, bounds=(0.0, 1.0), decimals=0),
    )
    shown = {"inc/temperature": 37.0, "inc/temperature_setpoint": 37.0, "inc/sister": 37.1, "inc/door": 0.0}
    return Room(rules, {row.id: row for row in rows}, shown if natural is None else natural)


def good(value: float, at: int, channel: str = "inc/temperature") -> Reading:
    return Reading(channel, value, Quality.GOOD, Reason.NONE, at, at)


def lost(at: int, channel: str = "inc/temperature", reason: Reason = Reason.TIMEOUT) -> Reading:
    return bad_reading(channel, reason, at, at)
