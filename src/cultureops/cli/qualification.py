"""Commands on the installation itself: its qualification, and what it is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cultureops.cli.shell import AsJson, DataDir, SiteFile, finish

__all__ = ["qualify", "sbom"]


def qualify(
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder for report and bill of materials.")],
    site: SiteFile = Path("site.toml"),
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Check that an installed site is as it has to be and works here; exit code 1 when a check fails."""
    from cultureops.keeping.qualifying import qualify_site

    finish(lambda: qualify_site(site, data_dir, out, as_json=as_json))


def sbom(
    out: Annotated[Path, typer.Option(metavar="FILE", help="File to write, CycloneDX JSON.")],
    as_json: AsJson = False,
) -> None:
    """Write the software bill of materials of the running environment."""
    from cultureops.keeping.qualifying import write_bill

    finish(lambda: write_bill(out, as_json=as_json))
