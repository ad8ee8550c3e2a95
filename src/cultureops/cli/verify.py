"""The command that verifies everything a data folder keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cultureops.cli.shell import AsJson, DataDir, finish

__all__ = ["verify"]


def verify(
    data_dir: DataDir = Path("data"),
    anchor: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="File of heads kept elsewhere; may be given again.")
    ] = None,
    head: Annotated[
        list[str] | None, typer.Option(metavar="HEAD", help="A head noted or printed; may be given again.")
    ] = None,
    site: Annotated[Path | None, typer.Option("--site", help="Site file that names the anchors.")] = None,
    as_json: AsJson = False,
) -> None:
    """Verify events, heads, keys, signatures, anchors, readings and roots; name the first bad record and its kind."""
    from cultureops.keeping.verifying import print_verified

    finish(lambda: print_verified(data_dir, anchor or [], head or [], site, as_json=as_json))
