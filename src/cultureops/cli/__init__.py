"""The command line: thin commands, one-line errors, exit codes, no logic.

A group of commands is a module of its name; those without a group stand in ``running``.
"""

from __future__ import annotations

import typer

from cultureops.cli import devices, ledger, telemetry
from cultureops.cli.running import check, demo, init, run, simulate

__all__ = ["app", "main"]

app = typer.Typer(
    help="Watch the chambers and the batches inside them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (demo, run, check, init, simulate, devices.capture):
    app.command()(command)
app.add_typer(ledger.group, name="ledger")
app.add_typer(telemetry.group, name="telemetry")
app.add_typer(devices.group, name="devices")


def main() -> None:
    """Entry point of the ``cultureops`` command."""
    app()
