"""What the chambers did while the batch stood in them: figures by stay, and series to draw by chamber and channel."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cultureops.clock import MINUTE_MS, SECOND_MS, iso
from cultureops.dossier import ChannelRecord, StayRecord
from cultureops.ledger.event import JsonValue
from cultureops.report.batch_record.words import Row, Words
from cultureops.units import label

__all__ = ["series_rows", "stay_rows"]


def stay_rows(words: Words) -> list[Row]:
    """Return every stay in a chamber with what its channels did, within the recipe's limits."""
    return [_stay(words, stay) for stay in words.dossier.stays]


def _stay(words: Words, stay: StayRecord) -> Row:
    return {
        "vessels": stay.stay.vessels,
        "chamber": words.chamber(stay.stay.chamber),
        **words.at("placed", stay.stay.placed),
        **words.at("taken", stay.stay.taken),
        "hours": round((stay.until - stay.stay.placed) / (3600 * SECOND_MS), 2),
        "channels": [_channel(channel) for channel in stay.channels],
    }


def _channel(record: ChannelRecord) -> Row:
    found, decimals = record.exposure, record.row.channel.decimals
    low, high = record.limits.low, record.limits.high

    def text(value: float | None, more: int = 0) -> str:
        return "–" if value is None else f"{value:.{decimals + more}f}".replace("-", "−")

    return {
        "channel": record.row.id,
        "name": record.row.channel.name.replace("_", " "),
        "unit": label(record.row.channel.unit),
        "simulated": record.row.simulated,
        "low": low,
        "high": high,
        "limits_text": _limits(low, high),
        "mean": found.mean,
        "mean_text": text(found.mean, 1),
        "minimum": found.minimum,
        "maximum": found.maximum,
        "range_text": f"{text(found.minimum)} to {text(found.maximum)}",
        "covered_s": found.covered_s,
        "out_of_range_min": round(found.out_of_range_s / 60, 1),
        "degree_minutes": round(found.degree_minutes_above + found.degree_minutes_below, 2),
        "unknown_min": round(found.unknown_s / 60, 1),
        "uncertain_min": round(found.uncertain_s / 60, 1),
    }


def _limits(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return "–"
    if low is None or high is None:
        return f"≤ {high:g}" if low is None else f"≥ {low:g}"
    return f"{low:g} to {high:g}"


def series_rows(words: Words) -> list[Row]:
    """Return each channel of each chamber over all stays in it, thinned to the width of a page.

    ``x`` are times [ms UTC], ``minimum``, ``maximum`` and ``mean`` values in ``unit``; None is a hole, as between two
    stays. ``alarms`` and ``doors`` are [from, to] in ms UTC.
    """
    by_channel: dict[tuple[str, str], list[tuple[StayRecord, ChannelRecord]]] = {}
    for stay in words.dossier.stays:
        for record in stay.channels:
            by_channel.setdefault((stay.stay.chamber, record.row.id), []).append((stay, record))
    return [_series(words, chamber, parts) for (chamber, _), parts in by_channel.items()]


def _series(words: Words, chamber: str, parts: list[tuple[StayRecord, ChannelRecord]]) -> Row:
    columns: dict[str, list[Any]] = {"x": [], "minimum": [], "maximum": [], "mean": []}
    last = None
    for stay, record in sorted(parts, key=lambda part: part[0].stay.placed):
        if last is not None and stay.stay.placed - last > MINUTE_MS:
            _add(columns, [last], [None], [None], [None])
        shown, more = record.series, record.row.channel.decimals + 1
        values = (_numbers(column, more) for column in (shown.minimum, shown.maximum, shown.mean))
        _add(columns, (shown.from_ms + shown.width_ms // 2).tolist(), *values)
        last = stay.until
    first = parts[0][1]
    start, end = min(stay.stay.placed for stay, _ in parts), max(stay.until for stay, _ in parts)
    simulated = " (simulated)" if first.row.simulated else ""
    return {
        "chamber": words.chamber(chamber),
        "channel": first.row.id,
        "title": f"{first.row.channel.name.replace('_', ' ')} in {words.chamber(chamber)}, {first.row.id}{simulated}",
        "unit": label(first.row.channel.unit),
        "decimals": first.row.channel.decimals,
        "from": iso(start),
        "to": iso(end),
        "from_ms": start,
        "to_ms": end,
        "limits": [limit for limit in (first.limits.low, first.limits.high) if limit is not None],
        **columns,
        "alarms": [
            [max(e.raised_at, start), min(e.cleared_at or end, end)]
            for e in words.dossier.batch.exposures
            if e.chamber == chamber and e.withdrawn_at is None and _is_about(e.rule_id, first)
        ],
        "doors": [list(span) for stay, _ in parts for span in stay.door_open],
    }


def _is_about(rule_id: str, record: ChannelRecord) -> bool:
    """Whether an alarm is about a channel, or about none in particular, as when a device fell silent."""
    parts = rule_id.split("/")
    return len(parts) < 3 or record.row.channel.name in parts[1:]


def _add(columns: dict[str, list[Any]], *more: Iterable[JsonValue]) -> None:
    for column, values in zip(columns.values(), more, strict=True):
        column.extend(values)


def _numbers(values: Any, decimals: int) -> list[float | None]:
    return [None if value != value else round(float(value), decimals) for value in values.tolist()]
