"""Commands on raw files: images, traces and counts, kept as they came under their SHA-256."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cultureops.cli.shell import Actor, AsJson, DataDir, PasswordFile, Role, command_group, finish

__all__ = ["group"]

group = command_group("Raw files: images, traces and counts, kept as they came under their SHA-256.")


@group.command("keep")
def attachments_keep(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files, taken as they are.")],
    actor: Actor,
    role: Role,
    password_file: PasswordFile = None,
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Keep files for good and print the SHA-256 of each, by which a step names its image or trace."""
    from cultureops.keeping.entry import Entry
    from cultureops.keeping.raw_files import keep_files

    finish(lambda: keep_files(data_dir, files, Entry(actor, role, password_file=password_file), as_json=as_json))


@group.command("list")
def attachments_list(data_dir: DataDir = Path("data"), as_json: AsJson = False) -> None:
    """List what is kept, the oldest first."""
    from cultureops.keeping.raw_files import list_files

    finish(lambda: list_files(data_dir, as_json=as_json))
