"""Commands on the hash-chained record of events."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cultureops.cli.shell import AsJson, DataDir, command_group, finish

__all__ = ["group"]

group = command_group("The hash-chained record of events.")


@group.command("verify")
def ledger_verify(
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
    known: Annotated[
        str | None, typer.Option(metavar="POSITION:HASH", help="A head noted elsewhere that must still be there.")
    ] = None,
) -> None:
    """Hash every stored event again; name the first bad one."""
    from cultureops.keeping.stores import verify_ledger

    finish(lambda: verify_ledger(data_dir, known, as_json=as_json))
