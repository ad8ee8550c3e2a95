"""Commands on what is said to a broker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from cultureops.cli.shell import AsJson, command_group, finish

__all__ = ["group"]

group = command_group("What is said to an MQTT broker.")


@group.callback()
def _about() -> None:
    """Keep ``schema`` a command of its group, which has no other."""


@group.command("schema")
def mqtt_schema(
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write one file per kind of message into this folder.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show or write the JSON Schemas (2020-12) of the topics."""
    from cultureops.mqtt.schema import schemas, write_schemas

    def show() -> None:
        written = [] if out is None else [str(path) for path in write_schemas(out)]
        if as_json:
            bodies = {schema.name: schema.body for schema in schemas()}
            typer.echo(json.dumps(bodies if out is None else {"written": written}, indent=2, ensure_ascii=False))
            return
        if out is not None:
            typer.echo("\n".join(written))
            return
        for schema in schemas():
            typer.echo(f"{schema.name}: {schema.body['description']}")
            for topic in schema.topics:
                typer.echo(f"  {topic}")
            for key, says in schema.body["properties"].items():
                typer.echo(f"    {key:22} {says['description']}")

    finish(show)
