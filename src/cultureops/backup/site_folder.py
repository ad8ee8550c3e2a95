"""The site file and the TOML files that it names: recipes, profiles, mappings; never a key or a password's file."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cultureops.errors import ConfigError

__all__ = ["site_files", "toml_named_in"]


def site_files(site_file: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the site file with the files it names, relative to its folder, and those it names that lie elsewhere.

    Whatever text names a plain ``.toml`` file counts, so that no section has to be known here. Raises ConfigError for a
    site file that can't be read.
    """
    try:
        named = set(toml_named_in(tomllib.loads(site_file.read_text(encoding="utf-8"))))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{site_file}: can't be read: {error}") from None
    folder = site_file.parent.resolve()
    beside, outside = {site_file.name}, set()
    for text in named:
        try:
            file = (folder / text).resolve()
            if not file.is_file():
                continue
        except (OSError, ValueError):  # a text that can't be a path
            continue
        if file.is_relative_to(folder) and not (folder / text).is_symlink():
            beside.add(file.relative_to(folder).as_posix())
        else:
            outside.add(text)
    return tuple(sorted(beside)), tuple(sorted(outside))


def toml_named_in(value: Any) -> Iterator[str]:
    """Return every text in a parsed file that can name a TOML file."""
    if isinstance(value, dict):
        for item in value.values():
            yield from toml_named_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from toml_named_in(item)
    elif isinstance(value, str) and value.endswith(".toml") and len(value) < 1000:
        yield value
