"""The command line: thin commands, one-line errors, exit codes, no logic.

A group of commands is a module of its name; those without a group stand in ``running``.
"""

from __future__ import annotations

import typer

from cultureops.cli import (
    access,
    alarms,
    attachments,
    audit,
    backup,
    batch,
    coldchain,
    confluence,
    counter,
    counts,
    devices,
    equipment,
    evaluate,
    growth,
    ledger,
    lots,
    mqtt,
    pack,
    qualification,
    recipe,
    site,
    sync,
    telemetry,
)
from cultureops.cli.running import check, demo, gateway, hub, init, run, simulate
from cultureops.cli.verify import verify

__all__ = ["app", "main"]

app = typer.Typer(
    help="Watch the chambers and the batches inside them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    demo,
    run,
    gateway,
    hub,
    check,
    init,
    simulate,
    devices.capture,
    coldchain.coldchain,
    confluence.confluence,
    backup.restore,
    qualification.qualify,
    qualification.sbom,
    backup.retention,
):
    app.command()(command)
app.command()(verify)
app.add_typer(batch.group, name="batch")
app.add_typer(access.group, name="access")
app.add_typer(recipe.group, name="recipe")
app.add_typer(site.group, name="site")
app.add_typer(ledger.group, name="ledger")
app.add_typer(sync.group, name="sync")
app.add_typer(telemetry.group, name="telemetry")
app.add_typer(devices.group, name="devices")
app.add_typer(counts.group, name="counts")
app.add_typer(equipment.group, name="equipment")
app.add_typer(lots.group, name="lots")
app.add_typer(counter.group, name="counter")
app.add_typer(growth.group, name="growth")
app.add_typer(alarms.group, name="alarms")
app.add_typer(audit.group, name="audit")
app.add_typer(evaluate.group, name="evaluate")
app.add_typer(backup.group, name="backup")
app.add_typer(pack.group, name="pack")
app.add_typer(attachments.group, name="attachments")
app.add_typer(mqtt.group, name="mqtt")


def main() -> None:
    """Entry point of the ``cultureops`` command."""
    app()
