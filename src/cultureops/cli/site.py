"""Commands on the site file under change control."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cultureops.cli.shell import Actor, AsJson, DataDir, PasswordFile, SiteFile, command_group, finish

__all__ = ["group"]

group = command_group("The site file: what the lab runs on, and what quality assurance has approved.")


@group.command("show")
def site_show(data_dir: DataDir = Path("data"), as_json: AsJson = False) -> None:
    """Print the text that the lab runs on, who approved it and when; secrets are hidden."""
    from cultureops.keeping.site import show_site

    finish(lambda: show_site(data_dir, as_json=as_json))


@group.command("diff")
def site_diff(site: SiteFile = Path("site.toml"), data_dir: DataDir = Path("data"), as_json: AsJson = False) -> None:
    """Show how the site file differs from what the lab runs on; secrets are hidden."""
    from cultureops.keeping.site import diff_site

    finish(lambda: diff_site(data_dir, site, as_json=as_json))


@group.command("approve")
def site_approve(
    reason: Annotated[str, typer.Option(help="Why: what has changed, and what was assessed.")],
    actor: Actor,
    role: Annotated[str, typer.Option("--role", help="In which role; QA.")] = "QA",
    site: SiteFile = Path("site.toml"),
    password_file: PasswordFile = None,
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Let the lab run on the site file as it is, from its next start; signed by quality assurance."""
    from cultureops.keeping.entry import Entry
    from cultureops.keeping.site import approve_site_file

    entry = Entry(actor, role, reason, None, password_file)
    finish(lambda: approve_site_file(data_dir, site, entry, as_json=as_json))
