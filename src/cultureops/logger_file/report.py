"""The judgement of one logger file, as JSON or as lines for a person."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cultureops.analysis.cold_chain import ColdChain, Product, assess, highest_mkt_c
from cultureops.clock import DAY_MS, SECOND_MS
from cultureops.errors import ConfigError, Unreadable
from cultureops.logger_file.stamp import DateOrder
from cultureops.logger_file.title import TemperatureUnit
from cultureops.logger_file.trace import LoggerTrace, read_logger_file
from cultureops.telemetry.local_time import zone_named

__all__ = ["Asked", "as_json", "report"]

MOST_BYTES: Final = 100_000_000
"""A year of readings every ten seconds has less."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user said: limits [°C], product, how the file is to be read, the limit of a gap [s]."""

    low_c: float | None = None
    high_c: float | None = None
    product: Product = "other"
    zone: str | None = None
    mapping: str | None = None
    column: str | None = None
    unit: TemperatureUnit | None = None
    dates: DateOrder | None = None
    gap_s: float | None = None


def report(source: Path, asked: Asked, *, json_alone: bool) -> None:
    """Print what a file shows; remarks go to standard error.

    Raises Unreadable for a file that can't be read, ConfigError for what the user asked and can't be, or must say.
    """
    zone = None if asked.zone is None else zone_named(asked.zone)
    if asked.low_c is not None and asked.high_c is not None and asked.low_c >= asked.high_c:
        raise ConfigError(f"--low {asked.low_c:g} must be below --high {asked.high_c:g}")
    trace = read_logger_file(
        _contents(source),
        source.name,
        zone=zone,
        mapping=asked.mapping,
        column=asked.column,
        unit=asked.unit,
        dates=asked.dates,
    )
    try:
        judged = assess(
            trace.times_ms,
            trace.values_c,
            low_c=asked.low_c,
            high_c=asked.high_c,
            product=asked.product,
            gap_limit_ms=None if asked.gap_s is None else max(1, round(asked.gap_s * SECOND_MS)),
        )
    except ValueError as error:
        raise ConfigError(f"{source.name}: {error}") from None
    for remark in trace.remarks:
        print(f"cultureops: {source.name}: {remark}", file=sys.stderr)
    if json_alone:
        print(json.dumps(as_json(judged, trace), indent=1, allow_nan=False))
    else:
        print("\n".join(_lines(judged, trace)))


def as_json(judged: ColdChain, trace: LoggerTrace) -> dict[str, Any]:
    """Return the judgement as JSON values: °C, seconds, times as text, ``mkt`` None for a frozen product only."""
    return {
        "readings": judged.readings,
        "min": _rounded(judged.min_c),
        "max": _rounded(judged.max_c),
        "mean": _rounded(judged.mean_c),
        "mkt": None if judged.mkt_c is None else _rounded(judged.mkt_c),
        "out_of_range_s": judged.out_of_range_s,
        "excursions": [
            {
                "start": trace.text(row.start),
                "end": trace.text(row.end),
                "duration_s": row.duration_s,
                "extreme": _rounded(row.extreme_c),
                "degree_min": _rounded(row.degree_min),
                "direction": row.direction,
            }
            for row in judged.excursions
        ],
        "gaps": [
            {"start": trace.text(gap.start), "end": trace.text(gap.end), "duration_s": gap.duration_s}
            for gap in judged.gaps
        ],
    }


def _rounded(value: float) -> float:
    """Cut off what is only an error of binary fractions."""
    return round(value, 9)


def _contents(source: Path) -> bytes:
    try:
        if source.is_dir():
            raise Unreadable(f"{source}: is a folder; name a logger's file")
        if not source.is_file():
            raise Unreadable(f"{source}: {'is no file' if source.exists() else 'there is no such file'}")
        size = source.stat().st_size
        if size > MOST_BYTES:
            raise Unreadable(f"{source}: has {size:,} bytes; at most {MOST_BYTES:,} are read")
        return source.read_bytes()
    except (OSError, ValueError) as error:
        raise Unreadable(f"{source}: can't be read: {getattr(error, 'strerror', None) or error}") from None


def _lines(judged: ColdChain, trace: LoggerTrace) -> list[str]:
    first, last = (trace.text(int(trace.times_ms[at])) for at in (0, -1))
    mkt = f"{judged.mkt_c:.2f} °C" if judged.mkt_c is not None else f"not given: {judged.mkt_reason}"
    if judged.mkt_c is not None:
        mkt += f", {highest_mkt_c(trace.times_ms, trace.values_c, DAY_MS):.2f} °C in the worst 24 h"
    lines = [
        f"readings          {judged.readings}, {first} to {last}",
        f"min / mean / max  {judged.min_c:.2f} / {judged.mean_c:.2f} / {judged.max_c:.2f} °C",
        f"mean kinetic      {mkt}",
    ]
    if judged.out_of_range_s is None:
        lines.append("out of range      no limits given")
    else:
        lines.append(
            f"out of range      {judged.out_of_range_s:.0f} s in {len(judged.excursions)} excursions, "
            f"longest {judged.longest_s:.0f} s"
        )
    lines += [
        f"  {trace.text(row.start)} to {trace.text(row.end)}: {row.duration_s:.0f} s {row.direction}, "
        f"extreme {row.extreme_c:.2f} °C, {row.degree_min:.1f} degree-minutes"
        for row in judged.excursions
    ]
    lines.append(
        f"gaps              {len(judged.gaps)}, {judged.unknown_s:.0f} s unknown "
        f"(a gap is more than {judged.gap_limit_ms / SECOND_MS:g} s without a reading)"
    )
    lines += [f"  {trace.text(gap.start)} to {trace.text(gap.end)}: {gap.duration_s:.0f} s" for gap in judged.gaps]
    return lines
