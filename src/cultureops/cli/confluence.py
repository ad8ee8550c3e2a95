"""The command on phase-contrast images."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from cultureops.cli.shell import AsJson, finish

__all__ = ["confluence"]


def confluence(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Phase-contrast images: TIFF, PNG, JPEG.")],
    overlay: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for a picture of what was taken for cells.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure how much of the area cells cover, and say where that is unsure; ends with 1 if an image can't be read."""
    finish(lambda: _confluence(images, overlay, as_json=as_json))


def _confluence(images: list[Path], overlay: Path | None, *, as_json: bool) -> None:
    from cultureops import imaging

    judged = []
    for image in images:
        one = imaging.judge_file(image, overlay)
        judged.append(one)
        if not as_json and one.found is not None:
            print(imaging.line_of(one))
        if one.refusal:
            print(f"cultureops: {one.refusal}", file=sys.stderr)
    if as_json:
        print(json.dumps([imaging.as_json(one) for one in judged], indent=1, allow_nan=False))
    if not all(one.done for one in judged):
        raise SystemExit(1)
