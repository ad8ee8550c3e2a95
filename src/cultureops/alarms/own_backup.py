"""Alarms of the backups: the last attempt failed, or none has succeeded for too long."""

from __future__ import annotations

from typing import Final

from cultureops.alarms.own import OWN, SHIFT_S, own_rule
from cultureops.alarms.rule import Priority, Rule
from cultureops.device.channel import ChannelId, channel_id

__all__ = ["BACKUP_AGE", "BACKUP_FAILED", "backup_rules"]

BACKUP_FAILED: Final[ChannelId] = channel_id(OWN, "backup_failed")
BACKUP_AGE: Final[ChannelId] = channel_id(OWN, "backup_age")


def backup_rules(alarm_after_s: float) -> tuple[Rule, ...]:
    """Return the alarms of a site that has backups made; ``alarm_after_s`` [s] is the longest time without one."""
    return (
        own_rule(
            BACKUP_FAILED,
            limit=1.0,
            unit="1",
            deadband=0.5,
            priority=Priority.MEDIUM,
            cause="The backup could not be made: its disk is full or away, or what was to be copied is damaged.",
            consequence="If this machine fails now, everything since the last good backup is lost.",
            response="Read why in the ledger, stream backup; mend it and run `cultureops backup` by hand.",
            respond_within_s=SHIFT_S,
        ),
        own_rule(
            BACKUP_AGE,
            limit=alarm_after_s,
            unit="s",
            priority=Priority.HIGH,
            cause="No backup has succeeded for longer than the site allows.",
            consequence="If this machine fails now, all records and readings of that time are lost.",
            response="Check the backup's disk or host and run `cultureops backup` by hand; it shows what is wrong.",
            respond_within_s=SHIFT_S,
        ),
    )
