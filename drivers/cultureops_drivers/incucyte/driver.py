"""Confluence computed by an Incucyte, from the folder its metric exports are written to."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from cultureops.device.driver import Link
from cultureops.device.folder import Folder, FolderSource
from cultureops.device.option import Options
from cultureops.errors import ConfigError
from cultureops_drivers.incucyte.protocol import DATE_ORDERS, parse_export

__all__ = ["create"]


def create(device: str, link: Link, options: Mapping[str, object]) -> FolderSource:
    """Create the source of one imager's exports; needs a ``folder:///path`` link.

    Options: ``date_order`` (``dmy``, ``mdy`` or ``ymd``; without it an export is read only where one order alone agrees
    with its column of elapsed hours) and ``atomic`` (true where finished files are renamed into the folder).
    """
    given = Options(device, options, ("date_order", "atomic"))
    expected = f"one of {', '.join(DATE_ORDERS)}"
    date_order = given.get("date_order", str, "", expected)
    if date_order not in ("", *DATE_ORDERS):
        raise given.error("date_order", f"must be {expected}, not {date_order!r}")
    if not isinstance(link, Path):
        raise ConfigError(f"{device}: an imager's exports need a folder:///path link")
    parse = partial(parse_export, date_order=date_order or None)
    return FolderSource(device, Folder(link, parse, atomic=given.get("atomic", bool, False, "true or false")))
