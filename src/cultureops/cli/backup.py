"""Commands on backups."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cultureops.cli.shell import AsJson, DataDir, SiteFile, finish

__all__ = ["group", "restore", "retention"]

group = typer.Typer(help="Make a backup beside a running lab; try one; list them.", invoke_without_command=True)
Shelf = Annotated[
    Path | None, typer.Option("--to", metavar="FOLDER", help="Folder that backups lie in; that of the site by default.")
]
Known = Annotated[str | None, typer.Option(metavar="POSITION:HASH", help="A head noted elsewhere that must be in it.")]


@group.callback()
def make(
    context: typer.Context,
    data_dir: DataDir = Path("data"),
    to: Shelf = None,
    site: Annotated[Path | None, typer.Option(help="The site file, copied with the recipes it names.")] = None,
    keep: Annotated[int, typer.Option(min=0, help="Remove the oldest beyond so many; 0 removes none.")] = 0,
    with_keys: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the secret keys into this new file of their own.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a backup, prove it, and record it in the ledger."""
    if context.invoked_subcommand is not None:
        return
    from cultureops.keeping.backups import make_backup

    finish(lambda: make_backup(data_dir, to, site, keep, with_keys, as_json=as_json))


@group.command("check")
def check(
    backup: Annotated[Path, typer.Argument(help="A backup, or the folder they lie in: then the newest.")],
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="Record the outcome in the ledger of this data folder.")
    ] = None,
    known: Known = None,
    within: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Restore on trial in this folder.")] = None,
    as_json: AsJson = False,
) -> None:
    """Restore a backup on trial, verify every hash, root and count, and clear it away."""
    from cultureops.keeping.backups import check_backup

    finish(lambda: check_backup(backup, data_dir, known, within, as_json=as_json))


@group.command("list")
def list_(shelf: Annotated[Path, typer.Argument(help="Folder that backups lie in.")], as_json: AsJson = False) -> None:
    """List the backups of a folder, by what their manifests say."""
    from cultureops.keeping.backups import list_backups

    finish(lambda: list_backups(shelf, as_json=as_json))


def restore(
    backup: Annotated[Path, typer.Argument(help="A backup, or the folder they lie in: then the newest.")],
    data_dir: Annotated[Path, typer.Option("--data-dir", help="A new or an empty folder.")],
    known: Known = None,
    keys: Annotated[Path | None, typer.Option(metavar="FILE", help="The file that --with-keys wrote.")] = None,
    as_json: AsJson = False,
) -> None:
    """Restore a backup into a new folder; verify every hash, root and count before it gets its name."""
    from cultureops.keeping.backups import restore_to

    finish(lambda: restore_to(backup, data_dir, known, keys, as_json=as_json))


def retention(site: SiteFile = Path("site.toml"), data_dir: DataDir = Path("data"), as_json: AsJson = False) -> None:
    """Say which records and readings are beyond the site's retention time; nothing is ever deleted."""
    from cultureops.keeping.retention import report_retention

    finish(lambda: report_retention(site, data_dir, as_json=as_json))
