"""The plots of a batch record, drawn from its data: growth, confluence, and the environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from cultureops.clock import Instant, local_text, parse_iso
from cultureops.ledger.event import JsonValue
from cultureops.report.batch_record.words import Row
from cultureops.report.plot import Line, Plot, svg

__all__ = ["with_plots"]


def with_plots(record: Mapping[str, JsonValue], zone: ZoneInfo) -> dict[str, JsonValue]:
    """Return a record with its plots as SVG, each with a caption and alternative text."""
    data: Any = record
    culture = [_growth(data, zone), _confluence(data, zone), _viability(data, zone)]
    return {
        **record,
        "culture_plots": [_figure(plot) for plot in culture if plot is not None],
        "environment_plots": [_figure(_environment(row, zone)) for row in data["series"]],
    }


def _figure(plot: Plot) -> Row:
    return {"svg": svg(plot), "caption": plot.title, "alt": f"{plot.title}. {plot.description}"}


def _growth(data: Any, zone: ZoneInfo) -> Plot | None:
    rows = data["passages"]
    if not rows:
        return None
    lines = [
        Line(
            [parse_iso(row["seeded_at"]), parse_iso(row["detached_at"])],
            [row["seeded_cells"], row["viable_cells"]],
            [row["seeded_cells"], row["viable_cells"] - (row["sd_cells"] or 0)],
            [row["seeded_cells"], row["viable_cells"] + (row["sd_cells"] or 0)],
            marker="circle",
        )
        for row in rows
    ]
    said = "; ".join(
        f"{row['passage']}: {row['seeded_text']} to {row['viable_text']} × 10⁶ cells in {row['hours']:.0f} h"
        for row in rows
    )
    bars = "" if all(row["sd_cells"] is None for row in rows) else "; bars: ± 1 SD of the replicate counts"
    start, end = _span(data)
    title = f"Cells seeded and viable cells detached, by passage (logarithmic{bars})"
    return Plot(title, said, "cells", start, end, zone, lines, is_log=True)


def _confluence(data: Any, zone: ZoneInfo) -> Plot | None:
    rows = data["confluences"]
    if not rows:
        return None
    lines = [
        Line([row["at_ms"] for row in rows if row["passage"] == passage],
             [row["pct"] for row in rows if row["passage"] == passage], marker="square", dash="dotted")
        for passage in dict.fromkeys(row["passage"] for row in rows)
    ]  # fmt: skip
    said = "; ".join(f"{row['passage']} {row['pct']:g} %" for row in rows)
    target = data["confluence_target_pct"]
    title = f"Confluence by passage; dashed: passage from {target:g} % on"
    return Plot(title, said, "%", *_span(data), zone, lines, (target,), at_least=100.0)


def _viability(data: Any, zone: ZoneInfo) -> Plot | None:
    rows = [row for row in data["counts"] if row.get("viability_pct") is not None]
    if not rows:
        return None
    rows.sort(key=lambda row: str(row["at"]))
    line = Line(
        [parse_iso(row["at"]) for row in rows], [row["viability_pct"] for row in rows], (), (), "none", "triangle"
    )
    low = data["viability_min_pct"]
    said = "; ".join(f"{row['sample_id']} {row['viability_text']} %" for row in rows)
    return Plot(f"Viability of every count; dashed: at least {low:g} %", said, "%", *_span(data), zone, [line], (low,))


def _span(data: Any) -> tuple[Instant, Instant]:
    """From the opening of the batch until its end, or until it was printed."""
    return parse_iso(data["batch"]["opened_at"]), parse_iso(data["batch"]["until"])


def _environment(row: Any, zone: ZoneInfo) -> Plot:
    values = [value for name in ("minimum", "maximum") for value in row[name] if value is not None]
    reach = f"{min(values):g} to {max(values):g} {row['unit']}" if values else "no value"
    limits = f"; limits {' and '.join(f'{limit:g}' for limit in row['limits'])}" if row["limits"] else ""
    alarms = f"; {len(row['alarms'])} alarms" if row["alarms"] else ""
    doors = f"; door seen open in {len(row['doors'])} stretches" if row["doors"] else ""
    start, end = row["from_ms"], row["to_ms"]
    when = f"{local_text(start, zone)} to {local_text(end, zone)}"
    return Plot(
        f"{row['title']}",
        f"{when}: {reach}{limits}{alarms}{doors}",
        row["unit"],
        start,
        end,
        zone,
        [Line(row["x"], row["mean"], row["minimum"], row["maximum"])],
        row["limits"],
        [tuple(span) for span in row["alarms"]],
        [tuple(span) for span in row["doors"]],
        at_least=20 * 10.0 ** -row["decimals"],
    )
