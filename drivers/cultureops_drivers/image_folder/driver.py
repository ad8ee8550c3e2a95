"""Images that are whole, with their hash and what their names say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cultureops.device.driver import Link
from cultureops.device.folder import Folder, FolderSource
from cultureops.device.option import Options
from cultureops.errors import ConfigError
from cultureops_drivers.image_folder.protocol import parse_image

__all__ = ["create"]


def create(device: str, link: Link, options: Mapping[str, object]) -> FolderSource:
    """Create the source of one imager's images; needs a ``folder:///path`` link.

    Option ``atomic``: true where finished files are renamed into the folder; otherwise a file is taken when two visits
    saw it unchanged.
    """
    given = Options(device, options, ("atomic",))
    if not isinstance(link, Path):
        raise ConfigError(f"{device}: images need a folder:///path link")
    return FolderSource(device, Folder(link, parse_image, atomic=given.get("atomic", bool, False, "true or false")))
