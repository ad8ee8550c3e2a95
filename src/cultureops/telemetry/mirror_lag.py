"""How far the mirror is behind, as a channel of cultureops itself, so that an ordinary alarm rule can watch it."""

from __future__ import annotations

from typing import Final

from cultureops.clock import SECOND_MS, Instant
from cultureops.device.channel import Channel, ChannelId, channel_id
from cultureops.device.reading import Quality, Reading, Reason

__all__ = ["LAG", "LAG_EVERY_MS", "LAG_ID", "OWN_DEVICE", "lag_reading"]

OWN_DEVICE: Final = "cultureops"
"""The name of this program where a device or a chamber is asked for; no other may bear it."""
LAG: Final = Channel("mirror_lag", "s", decimals=1)
LAG_EVERY_MS: Final = 10 * SECOND_MS
"""How often it is told."""
LAG_ID: Final[ChannelId] = channel_id(OWN_DEVICE, LAG.name)


def lag_reading(lag_s: float, now: Instant) -> Reading:
    """Return the age of the oldest reading that is not mirrored [s] as a reading."""
    return Reading(LAG_ID, lag_s, Quality.GOOD, Reason.NONE, now, now)
