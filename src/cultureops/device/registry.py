"""Drivers by name: whatever installed packages declare in the entry-point group ``cultureops.drivers``."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from cultureops.device.driver import Driver, DriverFactory, Link, ResultSource
from cultureops.errors import ConfigError

__all__ = ["GROUP", "create_driver", "driver_folder", "known_drivers"]

GROUP: Final = "cultureops.drivers"


def known_drivers() -> tuple[str, ...]:
    """Return the names of all installed drivers, sorted."""
    return tuple(sorted({entry.name for entry in entry_points(group=GROUP)}))


def create_driver(kind: str, device: str, link: Link, options: Mapping[str, object]) -> Driver | ResultSource:
    """Create the driver called ``kind`` for a device; raise ConfigError for an unknown or broken one."""
    found = [entry for entry in entry_points(group=GROUP) if entry.name == kind]
    if not found:
        known = ", ".join(known_drivers()) or "none; is the package installed?"
        raise ConfigError(f"{device}: there is no driver {kind!r}; known drivers: {known}")
    try:
        create: DriverFactory = found[0].load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{device}: driver {kind!r} ({found[0].value}) can't be loaded: {error}") from None
    return create(device, link, options)


def driver_folder(kind: str) -> Path:
    """Return the folder of a driver, where the data that it ships lies; raise ConfigError for an unknown kind."""
    for entry in entry_points(group=GROUP, name=kind):
        spec = find_spec(entry.module)
        if spec is not None and spec.origin is not None:
            return Path(spec.origin).parent
    raise ConfigError(f"there is no driver {kind!r} installed here; known: {', '.join(known_drivers())}")
