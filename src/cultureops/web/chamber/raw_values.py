"""Readings of one channel as they are kept, one by one: on pages for looking, as CSV to take home."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from cultureops.acquisition.supervisor import MeasuredChannel
from cultureops.clock import DAY_MS, HOUR_MS, Instant, iso
from cultureops.csv_text import CsvWriter
from cultureops.device.reading import Reading
from cultureops.telemetry import Series, TelemetryStore
from cultureops.units import label
from cultureops.web.chamber.window import Window

__all__ = ["LONGEST_CSV_MS", "LONGEST_PAGE_MS", "PAGE_ROWS", "RawPage", "RawRow", "csv_parts", "raw_page"]

PAGE_ROWS: Final = 200
LONGEST_PAGE_MS: Final = DAY_MS
LONGEST_CSV_MS: Final = 7 * DAY_MS
_PART_MS: Final = HOUR_MS
_COLUMNS: Final = (
    *("channel", "device time (UTC)", "received (UTC)", "value", "unit", "quality", "reason", "revised"),
    *("verified", "simulated"),
)


@dataclass(frozen=True, slots=True)
class RawRow:
    """One reading; ``is_revised`` where another one of the same instant had arrived before and is kept beneath."""

    reading: Reading
    is_revised: bool


@dataclass(frozen=True, slots=True)
class RawPage:
    """Some of a window's readings in order; ``next_ms`` is where the next page begins, None where there is none."""

    rows: tuple[RawRow, ...]
    count: int
    next_ms: Instant | None


async def raw_page(store: TelemetryStore, row: MeasuredChannel, window: Window, after: Instant | None) -> RawPage:
    """Return the first readings of a window, or those from ``after`` on; the window is a day at most."""
    start = window.start if after is None else min(max(after, window.start), window.end)
    series = await store.series(row.id, start, window.end)
    shown = _head(series, PAGE_ROWS)
    next_ms = int(series.source_ms[PAGE_ROWS]) if series.source_ms.size > PAGE_ROWS else None
    return RawPage(_rows(row, shown), int(series.source_ms.size), next_ms)


async def csv_parts(store: TelemetryStore, row: MeasuredChannel, window: Window) -> AsyncIterator[bytes]:
    """Yield a window's readings as CSV, an hour at a time, each written beside the event loop."""
    yield await asyncio.to_thread(_as_csv, row, (), has_head=True)
    for start in range(window.start, window.end, _PART_MS):
        series = await store.series(row.id, start, min(start + _PART_MS, window.end))
        if series.source_ms.size:
            yield await asyncio.to_thread(lambda read: _as_csv(row, _rows(row, read), has_head=False), series)


def _head(series: Series, count: int) -> Series:
    return Series(
        series.source_ms[:count], series.received_ms[:count], series.value[:count], series.quality[:count],
        series.reason[:count], series.revised[:count],
    )  # fmt: skip


def _rows(row: MeasuredChannel, series: Series) -> tuple[RawRow, ...]:
    both = zip(series.readings(row.id), series.revised.tolist(), strict=True)
    return tuple(RawRow(reading, is_revised) for reading, is_revised in both)


def _as_csv(row: MeasuredChannel, rows: Sequence[RawRow], *, has_head: bool) -> bytes:
    out = io.StringIO()
    writer = CsvWriter(out, _COLUMNS, has_bom=has_head)
    if not has_head:
        out.seek(0)
        out.truncate()
    for one in rows:
        reading = one.reading
        writer.write(
            (
                *(reading.channel, iso(reading.source_time), iso(reading.received_time), reading.value),
                *(label(row.channel.unit), reading.quality.name, reading.reason.text, one.is_revised),
                *(row.channel.verified, row.simulated),
            )
        )
    return out.getvalue().encode()
