"""Alarms of the machine that cultureops runs on: the disk that holds the data, and the clock."""

from __future__ import annotations

from typing import Final

from cultureops.alarms.own import HALF_HOUR_S, OWN, SHIFT_S, OwnLimits, own_rule
from cultureops.alarms.rule import Kind, Level, Priority, Rule
from cultureops.device.channel import ChannelId, channel_id

__all__ = ["CLOCK_JUMP", "CLOCK_UNSYNCHRONISED", "DISK_FREE", "DISK_FREE_SHARE", "machine_rules"]

DISK_FREE: Final = channel_id(OWN, "disk_free")
DISK_FREE_SHARE: Final = channel_id(OWN, "disk_free_share")
CLOCK_UNSYNCHRONISED: Final = channel_id(OWN, "clock_unsynchronised")
CLOCK_JUMP: Final = channel_id(OWN, "clock_jump")
_DISK: Final = "cultureops/disk"


def machine_rules(limits: OwnLimits) -> tuple[Rule, ...]:
    """Return the alarms of the disk that holds the data, and of the machine's clock."""
    return (
        *_disk_rules(DISK_FREE_SHARE, "%", limits.disk_warning_pct, limits.disk_alarm_pct, 0.1),
        *_disk_rules(DISK_FREE, "GBy", limits.disk_warning_gb, limits.disk_alarm_gb, 0.05),
        own_rule(
            CLOCK_UNSYNCHRONISED,
            limit=1.0,
            unit="1",
            deadband=0.5,
            on_delay_s=limits.clock_unsynchronised_s,
            off_delay_s=60.0,
            priority=Priority.MEDIUM,
            cause="No time server steers the machine's clock, or it may be wrong by more than it should.",
            consequence="The times in the record drift away from those of other systems.",
            response="Start the time service, check its server and network; record how far the clock was off.",
            respond_within_s=SHIFT_S,
        ),
        own_rule(
            CLOCK_JUMP,
            limit=1.0,
            unit="s",
            off_delay_s=60.0,
            priority=Priority.MEDIUM,
            cause="Somebody or a time service set the machine's clock, or the machine slept.",
            consequence="Times in the record before and after the leap do not fit together by themselves.",
            response="Find out who or what set the clock; both times stand in the ledger, stream clock.",
            respond_within_s=SHIFT_S,
        ),
    )


def _disk_rules(channel: ChannelId, unit: str, warning: float, alarm: float, deadband_share: float) -> tuple[Rule, ...]:
    """Warn of a disk that fills while there is time to tidy up, and again when there is none."""
    return (
        own_rule(
            channel,
            kind=Kind.LOW,
            level=Level.WARNING,
            limit=warning,
            unit=unit,
            deadband=warning * deadband_share,
            on_delay_s=60.0,
            off_delay_s=60.0,
            priority=Priority.LOW,
            cause="The disk of the data folder fills.",
            consequence="When it is full, readings and events stay in memory and are lost at a stop.",
            response="Archive old months, move other files away or enlarge the disk.",
            respond_within_s=SHIFT_S,
            group=_DISK,
        ),
        own_rule(
            channel,
            kind=Kind.LOW,
            limit=alarm,
            unit=unit,
            deadband=alarm * deadband_share,
            off_delay_s=60.0,
            priority=Priority.HIGH,
            cause="The disk of the data folder is almost full.",
            consequence="Soon readings and events stay in memory and are lost at a stop.",
            response="Free space now; never delete files of the data folder. Do not restart cultureops.",
            respond_within_s=HALF_HOUR_S,
            group=_DISK,
        ),
    )
