"""The marks of a chamber's window in words, and for the script that draws them; all texts are plain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cultureops.alarms.activation import Activation
from cultureops.alarms.text import duration
from cultureops.clock import SECOND_MS, Instant
from cultureops.units import label
from cultureops.web.chamber.gaps import GapRow
from cultureops.web.chamber.marks import ChamberMarks, Setting
from cultureops.web.templating import number, title

__all__ = ["Told", "alarm_words", "marks_json", "sharpness", "told"]

AS_READ = "as read from the instrument"


@dataclass(frozen=True, slots=True)
class Told:
    """One row of a chamber's events; ``end`` is None for what was a moment."""

    start: Instant
    end: Instant | None
    of: str
    words: str
    by: str


def marks_json(marks: ChamberMarks) -> dict[str, Any]:
    """Return the marks ready for JSON; times are ms UTC, an end that is null lasts."""
    return {
        "alarms": [
            {
                "channel": alarm.channel, "from": alarm.since, "to": alarm.ended_at, "text": alarm_words(alarm),
                "priority": alarm.priority, "rule_id": alarm.rule_id,
            }
            for alarm in marks.alarms
        ],
        "limits": [
            {"channel": row.channel, "from": row.start, "to": row.end, "value": row.value, "text": row.words}
            for row in marks.limits
        ],
        "settings": [
            {"channel": row.channel.removesuffix("_setpoint"), "from": row.start, "to": row.end, "value": row.value}
            for row in marks.settings
        ],
        "states": [
            {"from": row.start, "to": row.end, "text": f"{row.device}: {row.words}"} for row in marks.states
        ],
        "gaps": [{"from": row.from_ms, "to": row.to_ms, "text": _gap(row)} for row in marks.gaps],
        "events": [{"at": row.start, "text": f"{row.of}: {row.words}"} for row in told(marks) if row.end is None],
        "stays": [
            {"batch": row.batch, "vessels": row.vessels, "from": row.placed, "to": row.taken} for row in marks.stays
        ],
        "sharp_ms": marks.sharp_ms,
        "more": marks.more,
        "knows_limits": marks.knows_limits,
    }  # fmt: skip


def alarm_words(alarm: Activation) -> str:
    """Say what an alarm was of and at which limit, as it was set then."""
    of = alarm.rule_id if alarm.channel is None else title(alarm.channel.rpartition("/")[2])
    limit = "" if alarm.limit is None else f" at {alarm.limit:g} {label(alarm.unit)}"
    hidden = f", {alarm.suppressed.replace('_', ' ')}" if alarm.suppressed else ""
    return f"{alarm.level}: {of}, {alarm.kind.replace('_', ' ')}{limit}{hidden}"


def told(marks: ChamberMarks) -> tuple[Told, ...]:
    """Return what happened to the chamber, its doors and setpoints in one list, the newest first."""
    rows = [
        *(Told(one.at, None, one.of, one.words, f"{one.who}{one.reason and ': '}{one.reason}") for one in marks.events),
        *(Told(one.start, None, one.channel.partition("/")[0], _change(one), AS_READ) for one in marks.changes),
        *(Told(one.start, one.end, one.device, one.words, AS_READ) for one in marks.states),
    ]
    return tuple(sorted(rows, key=lambda row: row.start, reverse=True))


def sharpness(marks: ChamberMarks) -> str:
    """Say how sharp the times of doors and setpoints are."""
    return duration(marks.sharp_ms / SECOND_MS)


def _change(setting: Setting) -> str:
    """Say from what to what a setpoint was changed."""
    before, after = number(setting.before, setting.decimals), number(setting.value, setting.decimals)
    return f"{setting.title} setpoint {before} → {after} {setting.unit}"


def _gap(gap: GapRow) -> str:
    """Say which device gave no value for what, and why."""
    return f"{gap.device}: no {', '.join(gap.titles)}, {gap.reason}"
