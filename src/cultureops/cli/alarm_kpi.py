"""The command on alarm KPIs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cultureops.cli.shell import AsJson, DataDir, finish

__all__ = ["kpi"]


def kpi(
    data_dir: DataDir = Path("data"),
    since: Annotated[
        str | None, typer.Option("--from", metavar="ISO", help="Start, with UTC offset; 30 days before the end if not.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", metavar="ISO", help="End, not included, with UTC offset; now if not.")
    ] = None,
    operators: Annotated[int, typer.Option(metavar="N", help="How many people share the alarms.")] = 1,
    actor: Annotated[
        str | None, typer.Option(metavar="ID", help="Who prints it; the account on this machine if not.")
    ] = None,
    pdf: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report as PDF/A to this new file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Count alarms by ISA-18.2: rates, floods, chattering and stale ones, times to acknowledge, and what to mend."""
    from cultureops.keeping.alarm_kpi import report_alarm_kpi

    finish(lambda: report_alarm_kpi(data_dir, since, until, operators, actor, pdf, as_json=as_json))
