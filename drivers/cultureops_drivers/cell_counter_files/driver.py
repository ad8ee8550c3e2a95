"""Results of a cell counter, from the folder it exports to."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from cultureops.device.driver import Link
from cultureops.device.folder import VISIT_DEADLINE_S, Folder, FolderSource
from cultureops.device.option import Options
from cultureops.errors import ConfigError
from cultureops_drivers.cell_counter_files.asm import parse

__all__ = ["FORMATS", "create"]

FORMATS: Final = (
    "BECKMAN_VI_CELL_BLU",
    "BECKMAN_VI_CELL_XR",
    "CHEMOMETEC_NC_VIEW",
    "CHEMOMETEC_NUCLEOVIEW",
    "REVVITY_MATRIX",
    "ROCHE_CEDEX_HIRES",
)
"""The cell counters among allotropy's formats, by its names."""


def create(device: str, link: Link, options: Mapping[str, object]) -> FolderSource:
    """Create the source of one counter's results; needs a ``folder:///path`` link.

    Options: ``format`` (one of ``FORMATS``, default BECKMAN_VI_CELL_BLU), ``atomic`` (true where finished files are
    renamed into the folder; otherwise a file is read when two visits saw it unchanged), ``deadline_s`` (for one visit).
    """
    given = Options(device, options, ("format", "atomic", "deadline_s"))
    expected = f"one of {', '.join(FORMATS)}"
    file_format = given.get("format", str, FORMATS[0], expected)
    if file_format not in FORMATS:
        raise given.error("format", f"must be {expected}, not {file_format!r}")
    deadline_s = given.get("deadline_s", float, VISIT_DEADLINE_S, "seconds above 0")
    if not 0 < deadline_s < float("inf"):
        raise given.error("deadline_s", f"must be seconds above 0, not {deadline_s:g}")
    if not isinstance(link, Path):
        raise ConfigError(f"{device}: a counter's files need a folder:///path link")
    atomic = given.get("atomic", bool, False, "true or false")
    return FolderSource(device, Folder(link, partial(parse, file_format=file_format), atomic=atomic), deadline_s)
