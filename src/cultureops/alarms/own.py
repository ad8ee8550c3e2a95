"""Alarms of cultureops itself, which every site has and no site file can leave out."""

from __future__ import annotations

from typing import Final

from cultureops.alarms.rule import Kind, Priority, Rule
from cultureops.clock import Instant
from cultureops.device.channel import channel_id
from cultureops.device.reading import Quality, Reading, Reason

__all__ = ["NOT_KEPT", "kept_reading"]

_DEVICE: Final = "cultureops"
_CHANNEL: Final = channel_id(_DEVICE, "readings_not_kept")
NOT_KEPT: Final = Rule(
    id="cultureops/readings_not_kept",
    chamber=_DEVICE,
    channel=_CHANNEL,
    device=_DEVICE,
    kind=Kind.HIGH,
    limit=1.0,
    unit="1",
    deadband=0.5,
    on_delay_s=0.0,
    off_delay_s=0.0,
    misses=0,
    priority=Priority.HIGH,
    gmp_critical=False,
    consequence="Readings are in memory only: a stop of this machine would lose them.",
    response="Free the disk or mend it now; readings are tried again by themselves. Do not restart cultureops.",
)
"""Raised while the store can't keep or seal readings; watching and alarming go on from memory meanwhile."""


def kept_reading(is_failing: bool, now: Instant) -> Reading:
    """Say as a reading whether the store fails at present: 1 or 0."""
    return Reading(_CHANNEL, float(is_failing), Quality.GOOD, Reason.NONE, now, now)
