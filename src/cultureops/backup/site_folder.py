"""The site file, TOML files and certificates that it names; never a key or a password's file."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cultureops.errors import ConfigError

__all__ = ["site_files", "toml_named_in"]


def site_files(site_file: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the site file with the files it names, relative to its folder, and those it names that lie elsewhere.

    Whatever text names a plain ``.toml`` file counts, so that no section has to be known here, and so does one that
    names certificates alone: a hub knows its gateways by theirs. Raises ConfigError for a site file that can't be read.
    """
    try:
        named = set(_named_in(tomllib.loads(site_file.read_text(encoding="utf-8")), (".toml", ".pem")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{site_file}: can't be read: {error}") from None
    folder = site_file.parent.resolve()
    beside, outside = {site_file.name}, set()
    for text in named:
        try:
            file = (folder / text).resolve()
            if not file.is_file() or (file.suffix == ".pem" and not _holds_certificates_alone(file)):
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
    return _named_in(value, (".toml",))


def _named_in(value: Any, ends: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _named_in(item, ends)
    elif isinstance(value, list):
        for item in value:
            yield from _named_in(item, ends)
    elif isinstance(value, str) and value.endswith(ends) and len(value) < 1000:
        yield value


def _holds_certificates_alone(file: Path) -> bool:
    """Whether a PEM file holds nothing but certificates; each block begins with what it is."""
    begins = [line.strip() for line in file.read_bytes().splitlines() if b"-----BEGIN" in line]
    return bool(begins) and all(line == b"-----BEGIN CERTIFICATE-----" for line in begins)
