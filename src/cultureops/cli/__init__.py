"""The command line: thin commands, one-line errors, exit codes, no logic.

A group of commands is a module of its name; those without a group stand in ``running``.
"""

from __future__ import annotations

import typer

from cultureops.cli import (
    alarms,
    batch,
    coldchain,
    confluence,
    counter,
    counts,
    devices,
    equipment,
    growth,
    ledger,
    lots,
    recipe,
    telemetry,
)
from cultureops.cli.running import check, demo, init, run, simulate

__all__ = ["app", "main"]

app = typer.Typer(
    help="Watch the chambers and the batches inside them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (demo, run, check, init, simulate, devices.capture, coldchain.coldchain, confluence.confluence):
    app.command()(command)
app.add_typer(batch.group, name="batch")
app.add_typer(recipe.group, name="recipe")
app.add_typer(ledger.group, name="ledger")
app.add_typer(telemetry.group, name="telemetry")
app.add_typer(devices.group, name="devices")
app.add_typer(counts.group, name="counts")
app.add_typer(equipment.group, name="equipment")
app.add_typer(lots.group, name="lots")
app.add_typer(counter.group, name="counter")
app.add_typer(growth.group, name="growth")
app.add_typer(alarms.group, name="alarms")


def main() -> None:
    """Entry point of the ``cultureops`` command."""
    app()
