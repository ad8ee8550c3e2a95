"""What the command `alarms replay` does: a logged trace through the rules of a file, printed transition by transition.

The file is read once, row by row, into one number and one code a cell; transitions are printed as they come.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from cultureops.alarms.rehearsal import MISSING_PERIODS, Poll, rehearse, with_missed_polls
from cultureops.alarms.rehearsal_rows import TRACE, TraceColumn, commands_from, trace_columns, trace_rules
from cultureops.alarms.rule import Kind, Rule
from cultureops.clock import MINUTE_MS, Instant, iso, parse_iso
from cultureops.config import load
from cultureops.device.channel import Kind as ChannelKind
from cultureops.device.channel import channel_id
from cultureops.device.reading import Quality, Reading, Reason, bad_reading
from cultureops.errors import ConfigError
from cultureops.field import printable
from cultureops.keeping.entry import instant
from cultureops.keeping.replay_report import JsonPrinter, Tally, TextPrinter, about
from cultureops.logger_file.columns import ColumnTrace, Layout, find_layout, holds_several, read_columns
from cultureops.logger_file.gap import gaps, median_period_ms
from cultureops.logger_file.lines import TextFile, text_file
from cultureops.logger_file.stamp import DateOrder
from cultureops.telemetry.exchange import COLUMNS
from cultureops.telemetry.local_time import zone_named

__all__ = ["Asked", "replay_file"]

_BLOCK_ROWS: Final = 10_000
_PROGRESS_ROWS: Final = 250_000
_LOSS_PERIODS: Final = 3
_SKIPPED_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user said: the time's column, the zone of times without offset, the span to be looked at, date order."""

    time: str | None = None
    zone: str | None = None
    since: str | None = None
    until: str | None = None
    dates: DateOrder | None = None


def replay_file(source: Path, rules_file: Path, asked: Asked, *, as_json: bool) -> None:
    """Print every transition that the rules make of a trace, its gaps, and how often each alarm was raised.

    Raises ConfigError for a wrong rules file, with its line, or a wrong option, Unreadable for a file that is no trace.
    """
    zone = None if asked.zone is None else zone_named(asked.zone)
    table = load(rules_file)
    file = text_file(source)
    layout = find_layout(file, asked.time)
    _check_one_series(file, layout)
    columns = trace_columns(table, layout.columns)
    commands = commands_from(table, trace_rules(table, columns, 0.0), zone or ZoneInfo("UTC"))
    table.done()
    watched = _watched(columns, trace_rules(table, columns, 0.0))
    trace = _read(file, layout, watched, zone, asked)
    period_ms = _period_ms(trace, watched)
    rules = trace_rules(table, columns, period_ms / 1000)
    polls = with_missed_polls(_polls(trace, watched), period_ms, [_id(column) for column in watched], rules)
    printed = JsonPrinter() if as_json else TextPrinter(rules)
    tally = Tally(rules)
    for found in rehearse(rules, polls, commands):
        tally.take(found)
        printed.take(found)
    tally.end(int(trace.times_ms[-1]))
    printed.end(about(source, rules_file, trace, period_ms, _gap_rows(trace, watched, period_ms), tally))


def _check_one_series(file: TextFile, layout: Layout) -> None:
    """Refuse our own export of several channels, whose values all stand in one column."""
    if set(COLUMNS[:3]) <= set(layout.titles) and holds_several(file, layout, COLUMNS[1]):
        raise ConfigError(f"{file.name}: holds several channels below each other; export one alone, with --channel")


def _id(column: TraceColumn) -> str:
    return channel_id(TRACE, column.channel.name)


def _watched(columns: Sequence[TraceColumn], rules: Sequence[Rule]) -> tuple[TraceColumn, ...]:
    """Return the columns that rules look at; for loss of communication every one tells whether something came."""
    if any(rule.kind is Kind.COMMUNICATION for rule in rules):
        return tuple(columns)
    needed = {name for rule in rules for name in (*rule.channels, *(one.channel for one in rule.suppressors))}
    return tuple(column for column in columns if _id(column) in needed)


def _read(
    file: TextFile, layout: Layout, watched: Sequence[TraceColumn], zone: ZoneInfo | None, asked: Asked
) -> ColumnTrace:
    def progress(rows: int) -> None:
        print(f"{file.name}: {rows:,} rows read", file=sys.stderr)

    trace = read_columns(
        file,
        layout,
        list(dict.fromkeys(column.title for column in watched)),
        states=[column.title for column in watched if column.channel.kind is ChannelKind.STATE],
        zone=zone,
        dates=asked.dates,
        progress=progress,
    )
    trace = _within_ranges(trace, watched)
    since = None if asked.since is None else _bound(asked.since, "--from", zone)
    until = None if asked.until is None else _bound(asked.until, "--to", zone)
    first, last = iso(int(trace.times_ms[0])), iso(int(trace.times_ms[-1]))
    if since is not None or until is not None:
        trace = _between(trace, since, until)
        if not trace.times_ms.size:
            raise ConfigError(f"{file.name}: no row lies between --from and --to; it goes from {first} to {last}")
    for remark in _remarks(trace):
        print(f"cultureops: {file.name}: {remark}", file=sys.stderr)
    return trace


def _bound(text: str, option: str, zone: ZoneInfo | None) -> Instant:
    """Read an option's time; without offset it is of the trace's zone, like the trace's own times."""
    try:
        stamp = datetime.fromisoformat(text)
    except ValueError:
        return instant(text, option)
    return parse_iso((stamp if stamp.tzinfo else stamp.replace(tzinfo=zone or ZoneInfo("UTC"))).isoformat())


def _within_ranges(trace: ColumnTrace, watched: Sequence[TraceColumn]) -> ColumnTrace:
    """Give no value to what a sensor can't show."""
    for column in watched:
        if column.channel.valid_range is not None:
            low, high = column.channel.valid_range
            values, reasons = trace.values[column.title], trace.reasons[column.title]
            reasons[(reasons == 0) & ~((values >= low) & (values <= high))] = Reason.OUT_OF_RANGE
    return trace


def _between(trace: ColumnTrace, since: Instant | None, until: Instant | None) -> ColumnTrace:
    first = 0 if since is None else int(np.searchsorted(trace.times_ms, since, "left"))
    last = trace.times_ms.size if until is None else int(np.searchsorted(trace.times_ms, until, "left"))
    return replace(
        trace,
        times_ms=trace.times_ms[first:last],
        values={title: values[first:last] for title, values in trace.values.items()},
        reasons={title: reasons[first:last] for title, reasons in trace.reasons.items()},
    )


def _remarks(trace: ColumnTrace) -> Iterator[str]:
    if trace.out_of_order:
        yield f"{trace.out_of_order} rows were older than one above them; put in order"
    if trace.duplicates:
        yield f"{trace.duplicates} rows have the time of another, {trace.identical} of them the same values as well"
    for row in trace.skipped[:_SKIPPED_SHOWN]:
        yield printable(f"line {row.line} left out: {row.why}")
    if len(trace.skipped) > _SKIPPED_SHOWN:
        yield f"{len(trace.skipped) - _SKIPPED_SHOWN} further rows left out"
    for title, reasons in trace.reasons.items():
        if (reasons != 0).all():
            yield printable(f"column {title!r} holds no usable number")


def _period_ms(trace: ColumnTrace, watched: Sequence[TraceColumn]) -> int:
    stated = [column.period_s for column in watched if column.period_s is not None]
    return round(min(stated) * 1000) if stated else median_period_ms(trace.times_ms)


def _polls(trace: ColumnTrace, watched: Sequence[TraceColumn]) -> Iterator[Poll]:
    """Yield the rows as polls of one device."""
    good, none = Quality.GOOD, Reason.NONE
    for start in range(0, trace.times_ms.size, _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        cells = [
            (_id(column), trace.values[column.title][block].tolist(), trace.reasons[column.title][block].tolist())
            for column in watched
        ]
        if start and not start % _PROGRESS_ROWS:
            print(f"{start:,} rows replayed", file=sys.stderr)
        for row, at in enumerate(trace.times_ms[block].tolist()):
            yield (
                at,
                [
                    bad_reading(name, Reason(reasons[row]), at, at)
                    if reasons[row]
                    else Reading(name, values[row], good, none, at, at)
                    for name, values, reasons in cells
                ],
            )


def _gap_rows(trace: ColumnTrace, watched: Sequence[TraceColumn], period_ms: int) -> list[dict[str, Any]]:
    """Say of each column where it tells nothing for longer than a row takes, in the order of time."""
    found: list[tuple[Instant, dict[str, Any]]] = []
    for column in watched:
        reasons = trace.reasons[column.title]
        own_ms = _own_period_ms(trace.times_ms, reasons, column, period_ms)
        if not own_ms:
            continue
        for gap in gaps(trace.times_ms, reasons, MISSING_PERIODS * own_ms, MISSING_PERIODS * period_ms):
            lasted_ms = gap.end - gap.start
            row = {
                "channel": column.channel.name,
                "from": iso(gap.start),
                "to": iso(gap.end),
                "seconds": lasted_ms / 1000,
                "reason": gap.reason,
                "is_loss": lasted_ms > max(_LOSS_PERIODS * own_ms, MINUTE_MS),
            }
            found.append((gap.start, row))
    return [row for _, row in sorted(found, key=lambda one: one[0])]


def _own_period_ms(times_ms: NDArray[np.int64], reasons: NDArray[np.uint8], column: TraceColumn, period_ms: int) -> int:
    """Return how often a column says something: with each row, unless most of its cells are empty."""
    if column.period_s is not None:
        return round(column.period_s * 1000)
    is_sparse = np.count_nonzero(reasons == Reason.NOT_DELIVERED) > reasons.size / 2
    return (median_period_ms(times_ms[reasons == 0]) if is_sparse else 0) or period_ms
