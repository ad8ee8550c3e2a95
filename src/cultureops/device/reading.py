"""The one object that travels from the poller to the store, the alarms and the screen.

A failure is a reading too: no value, BAD, and why. Quality codes are those of OPC (192, 64, 0).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, Self

from cultureops.clock import Instant
from cultureops.device.channel import Channel, ChannelId

__all__ = ["COMMUNICATION_REASONS", "Quality", "Reading", "Reason", "Sample", "bad_reading", "judge"]


class Quality(IntEnum):
    """How far a value can be trusted (OPC quality codes)."""

    BAD = 0
    UNCERTAIN = 64
    GOOD = 192


class Reason(IntEnum):
    """Why a reading is not GOOD. Codes are stored: never renumber, only add."""

    NONE = 0
    TIMEOUT = 1
    NOT_CONNECTED = 2
    PROTOCOL_ERROR = 3
    DEVICE_FAULT = 4
    NOT_FINITE = 5
    SENTINEL = 6
    OUT_OF_RANGE = 7
    NOT_DELIVERED = 8
    UNVERIFIED = 9
    DRIVER_ERROR = 10
    SUSPECT = 11
    NOT_AS_AGREED = 12
    OUT_OF_CALIBRATION = 13

    @property
    def text(self) -> str:
        """What a person reads."""
        return _TEXTS[self]


_TEXTS: dict[Reason, str] = {
    Reason.NONE: "",
    Reason.TIMEOUT: "no answer before the deadline",
    Reason.NOT_CONNECTED: "no link to the device",
    Reason.PROTOCOL_ERROR: "answer not allowed by the protocol",
    Reason.DEVICE_FAULT: "device reports a fault",
    Reason.NOT_FINITE: "not a finite number",
    Reason.SENTINEL: "device says: no such sensor",
    Reason.OUT_OF_RANGE: "outside what the instrument can measure",
    Reason.NOT_DELIVERED: "answer lacks this channel",
    Reason.UNVERIFIED: "address or meaning is second-hand",
    Reason.DRIVER_ERROR: "driver failed",
    Reason.SUSPECT: "a leap that a second reading did not confirm",
    Reason.NOT_AS_AGREED: "device is set to another unit or mode",
    Reason.OUT_OF_CALIBRATION: "calibration has ended",
}

COMMUNICATION_REASONS = frozenset(
    {Reason.TIMEOUT, Reason.NOT_CONNECTED, Reason.PROTOCOL_ERROR, Reason.NOT_DELIVERED, Reason.DRIVER_ERROR}
)
"""Reasons that count as a missed poll for the communication-loss alarm."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a driver read for one channel by its name: a number, or None and the reason."""

    name: str
    value: float | None
    reason: Reason = Reason.NONE


class _Fields(NamedTuple):
    channel: ChannelId
    value: float | None
    quality: Quality
    reason: Reason
    source_time: Instant
    received_time: Instant


class Reading(_Fields):
    """One value of one channel at one time, or the reason why there is none.

    ``source_time`` is when the instrument says, or when the request was sent; ``received_time`` is when the answer
    was here [ms UTC]. ``value`` is a finite float, or None exactly when ``quality`` is BAD. A tuple, so that the store
    takes thousands apart at once; raises ValueError.
    """

    __slots__ = ()

    def __new__(
        cls, channel: ChannelId, value: float | None, quality: Quality, reason: Reason, source_time: Instant,
        received_time: Instant,
    ) -> Self:  # fmt: skip
        """Refuse a value without quality and a failure without reason."""
        if (value is None) != (quality is Quality.BAD):
            raise ValueError(f"{channel}: a reading has no value exactly when it is BAD")
        if value is not None and not math.isfinite(value):
            raise ValueError(f"{channel}: {value} is not a finite number")
        if quality is Quality.BAD and reason is Reason.NONE:
            raise ValueError(f"{channel}: a BAD reading needs a reason")
        return tuple.__new__(cls, (channel, value, quality, reason, source_time, received_time))


def bad_reading(channel: ChannelId, reason: Reason, source_time: Instant, received_time: Instant) -> Reading:
    """Build the reading that says there is no value, and why."""
    return Reading(channel, None, Quality.BAD, reason, source_time, received_time)


def judge(
    identity: ChannelId,
    channel: Channel,
    sample: Sample,
    source_time: Instant,
    received_time: Instant,
    *,
    out_of_calibration: bool = False,
) -> Reading:
    """Turn a driver's sample into a reading: NaN, infinities and impossible values become BAD with their reason.

    A value of a channel whose address or meaning is second-hand, or of an instrument out of calibration, is UNCERTAIN,
    never GOOD.
    """
    value = sample.value
    if value is None:
        reason = sample.reason or Reason.NOT_DELIVERED
    elif not math.isfinite(value):
        reason = Reason.NOT_FINITE
    elif channel.valid_range is not None and not channel.valid_range[0] <= value <= channel.valid_range[1]:
        reason = Reason.OUT_OF_RANGE
    elif not channel.verified:
        return Reading(identity, value, Quality.UNCERTAIN, Reason.UNVERIFIED, source_time, received_time)
    elif sample.reason:
        return Reading(identity, value, Quality.UNCERTAIN, sample.reason, source_time, received_time)
    elif out_of_calibration:
        return Reading(identity, value, Quality.UNCERTAIN, Reason.OUT_OF_CALIBRATION, source_time, received_time)
    else:
        return Reading(identity, value, Quality.GOOD, Reason.NONE, source_time, received_time)
    return bad_reading(identity, reason, source_time, received_time)
