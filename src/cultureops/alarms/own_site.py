"""The alarm of a site file that is not what the lab runs on; limits are ours [OWN]."""

from __future__ import annotations

from typing import Final

from cultureops.alarms.own import OWN, SHIFT_S, own_rule
from cultureops.alarms.rule import Priority, Rule
from cultureops.device.channel import channel_id

__all__ = ["SITE_DIFFERS", "site_file_rules"]

SITE_DIFFERS: Final = channel_id(OWN, "site_file_differs")


def site_file_rules() -> tuple[Rule, ...]:
    """Return the alarm of a site under change control."""
    return (
        own_rule(
            SITE_DIFFERS,
            limit=1.0,
            unit="1",
            deadband=0.5,
            priority=Priority.MEDIUM,
            cause="The site file was changed, moved or can't be read; quality assurance has not approved it as it is.",
            consequence="The lab goes on with the text that was approved: what was changed is not in force.",
            response="See what differs with `cultureops site diff`; have it approved (`cultureops site approve`) and "
            "start cultureops again, or put the file back.",
            respond_within_s=SHIFT_S,
        ),
    )
