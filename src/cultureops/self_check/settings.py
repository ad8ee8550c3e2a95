"""The ``[self_check]`` section of a site file: where the alarms of cultureops itself begin."""

from __future__ import annotations

from typing import Final

from cultureops.alarms.own import OwnLimits
from cultureops.config import Table

__all__ = ["self_check_from"]

_DAY_S: Final = 86_400.0
_HOUR_S: Final = 3_600.0


def self_check_from(table: Table | None) -> OwnLimits:
    """Read the section, or take the defaults where there is none; raises ConfigError with file and line.

    A limit can be moved, not taken away: what would never be reached, or always, is refused.
    """
    known = OwnLimits()
    if table is None:
        return known
    limits = OwnLimits(
        disk_warning_pct=table.number("disk_warning_pct", known.disk_warning_pct, minimum=0.1, maximum=90),
        disk_alarm_pct=table.number("disk_alarm_pct", known.disk_alarm_pct, minimum=0.1, maximum=90),
        disk_warning_gb=table.number("disk_warning_gb", known.disk_warning_gb, minimum=0.01, maximum=100_000),
        disk_alarm_gb=table.number("disk_alarm_gb", known.disk_alarm_gb, minimum=0.01, maximum=100_000),
        mirror_lag_s=table.number("mirror_lag_s", known.mirror_lag_s, minimum=10, maximum=30 * _DAY_S),
        broker_away_s=table.number("broker_away_s", known.broker_away_s, minimum=10, maximum=_DAY_S),
        clock_unsynchronised_s=table.number(
            "clock_unsynchronised_s", known.clock_unsynchronised_s, minimum=0, maximum=_DAY_S
        ),
        record_behind_s=table.number("record_behind_s", known.record_behind_s, minimum=10, maximum=_HOUR_S),
        gateway_silent_s=table.number("gateway_silent_s", known.gateway_silent_s, minimum=10, maximum=_HOUR_S),
        gateway_clock_s=table.number("gateway_clock_s", known.gateway_clock_s, minimum=1, maximum=_HOUR_S),
    )
    table.done()
    for unit in ("pct", "gb"):
        warning, alarm = getattr(limits, f"disk_warning_{unit}"), getattr(limits, f"disk_alarm_{unit}")
        if alarm >= warning:
            key = f"disk_alarm_{unit}" if table.has(f"disk_alarm_{unit}") else f"disk_warning_{unit}"
            raise table.error(
                f"the alarm at {alarm:g} would come no later than the warning at {warning:g}; the warning comes first, "
                "while there is more space left", key
            )  # fmt: skip
    return limits
