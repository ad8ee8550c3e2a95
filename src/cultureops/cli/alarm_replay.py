"""The command that tries alarm rules on a logged trace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cultureops.cli.coldchain import Dates
from cultureops.cli.shell import AsJson, finish

__all__ = ["replay"]


def replay(
    source: Annotated[Path, typer.Argument(metavar="FILE.csv", help="The trace: a time and columns of numbers.")],
    rules: Annotated[Path, typer.Option(metavar="RULES.toml", help="[[alarm]] rows, as in a site file.")],
    time: Annotated[str | None, typer.Option(metavar="COL", help="Column of the time; found if not given.")] = None,
    zone: Annotated[
        str | None, typer.Option(metavar="NAME", help="Zone of times without offset, e.g. Europe/Vienna; UTC if not.")
    ] = None,
    since: Annotated[str | None, typer.Option("--from", metavar="ISO", help="Begin with rows of this time.")] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="ISO", help="End before rows of this time.")] = None,
    dates: Annotated[Dates | None, typer.Option(help="Order of dates that could be read two ways.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run a logged trace through alarm rules and print every transition: how a rule is tuned before it goes live."""
    from cultureops.keeping.alarm_replay import Asked, replay_file

    asked = Asked(time, zone, since, until, None if dates is None else dates.value)
    finish(lambda: replay_file(source, rules, asked, as_json=as_json))
