"""Commands on files of cell counters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from cultureops.cli.shell import Actor, AsJson, DataDir, PasswordFile, Role, command_group, finish

__all__ = ["group"]

group = command_group("Files of cell counters.")

Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files as the counters wrote them.")]


@group.command("parse")
def counts_parse(files: Files, as_json: AsJson = False) -> None:
    """Show what the files hold and what is wrong with it; no batch is touched. Ends with 1 if one is refused."""
    finish(lambda: _parse(files, as_json=as_json))


def _parse(files: list[Path], *, as_json: bool) -> None:
    from cultureops import counter_file

    read = counter_file.read_count_files(files)
    if as_json:
        print(json.dumps([counter_file.as_json(one) for one in read], indent=1, allow_nan=False))
    else:
        print("\n".join(line for one in read for line in counter_file.lines_of(one)))
    if any(one.status is counter_file.Status.REFUSED for one in read):
        raise SystemExit(1)


@group.command("import")
def counts_import(
    files: Files,
    actor: Actor,
    role: Role,
    device: Annotated[
        str, typer.Option(metavar="NAME", help="Counter that wrote them; its calibration must be on record.")
    ] = "import",
    data_dir: DataDir = Path("data"),
    site: Annotated[
        Path | None, typer.Option("--site", help="The site file; site.toml of this folder where there is one.")
    ] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Try counts again that were set aside before.")] = False,
    password_file: PasswordFile = None,
    as_json: AsJson = False,
) -> None:
    """Attach counts to the batches that their sample ids name, or record why not; beside a running lab, too."""
    who = actor, role, password_file
    finish(lambda: _import(data_dir, files, device, site, who, retry=retry, as_json=as_json))


def _import(
    data_dir: Path,
    files: list[Path],
    device: str,
    site: Path | None,
    who: tuple[str, str, Path | None],
    *,
    retry: bool,
    as_json: bool,
) -> None:
    from cultureops.keeping.counts import import_counts
    from cultureops.keeping.entry import Entry

    actor, role, password_file = who
    entry = Entry(actor, role, password_file=password_file)
    if not import_counts(data_dir, files, device, site, entry, retry=retry, as_json=as_json):
        raise SystemExit(1)
