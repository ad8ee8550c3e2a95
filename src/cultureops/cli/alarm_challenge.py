"""The command that challenges alarms."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cultureops.cli.shell import AsJson, finish

__all__ = ["challenge"]


def challenge(
    site: Annotated[
        Path | None,
        typer.Argument(metavar="[SITE.toml]", help="The site file; the demo's own lab where none is given."),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="New folder for the report and its evidence.")] = Path(
        "alarm-challenge"
    ),
    only: Annotated[
        list[str] | None, typer.Option(metavar="RULE", help="Only this alarm, e.g. incubator_1/temperature/*.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulators' noise.")] = 1,
    actor: Annotated[
        str | None, typer.Option(metavar="ID", help="Who performs it; the account on this machine if not.")
    ] = None,
    allow_unchallenged: Annotated[
        bool, typer.Option("--allow-unchallenged", help="Exit with 0 although some alarms could not be challenged.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Drive each alarm of a site through SIMULATORS of its devices, time it, and write a report for QA.

    No instrument is touched: each device is replaced by a simulator on this machine.
    """
    from cultureops.challenge.command import challenge_alarms

    finish(
        lambda: challenge_alarms(
            site, out, only or (), seed, actor, allow_unchallenged=allow_unchallenged, json_to_stdout=as_json
        )
    )
