"""What can be connected: drivers with the package they come from, and the profiles of devices that need no code."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import EntryPoint
from pathlib import Path

from cultureops.device.profile import Profile, load_profile
from cultureops.device.registry import driver_folder, installed
from cultureops.errors import ConfigError

__all__ = ["DriverEntry", "ProfileEntry", "known_devices", "shown_driver", "shown_profile"]

PROFILE_FOLDER = "profiles"


@dataclass(frozen=True, slots=True)
class DriverEntry:
    """A driver: its name in site files, the package and version it comes with, and what it says of itself."""

    name: str
    distribution: str
    version: str
    summary: str


@dataclass(frozen=True, slots=True)
class ProfileEntry:
    """A device that a profile describes; ``driver`` reads it. ``unverified`` points are second-hand."""

    name: str
    driver: str
    vendor: str
    model: str
    device_class: str
    points: int
    unverified: int
    ours: bool


def known_devices() -> tuple[tuple[DriverEntry, ...], tuple[ProfileEntry, ...]]:
    """Return all installed drivers and all profiles that come with them, by name."""
    drivers = tuple(_driver_entry(entry) for entry in installed().values())
    profiles = tuple(
        _profile_entry(path, driver.name) for driver in drivers for path in _profile_files(_folder_of(driver.name))
    )
    return drivers, profiles


def shown_driver(name: str) -> tuple[DriverEntry, Mapping[str, object], str]:
    """Return a driver, its quality tiers and its README; raise ConfigError when there is no such driver."""
    entry = installed().get(name)
    if entry is None:
        known = [*installed(), *(path.stem for driver in installed() for path in _profile_files(_folder_of(driver)))]
        close = get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}? " if close else ""
        raise ConfigError(f"there is no driver or profile {name!r}; {hint}`cultureops devices list` names them")
    folder = _folder_of(name)
    quality: Mapping[str, object] = {}
    if folder is not None and (tiers := folder / "quality.toml").is_file():
        quality = tomllib.loads(tiers.read_text(encoding="utf-8"))
    readme = folder / "README.md" if folder is not None else None
    return (
        _driver_entry(entry),
        quality,
        readme.read_text(encoding="utf-8") if readme is not None and readme.is_file() else "",
    )


def shown_profile(name: str) -> tuple[ProfileEntry, Profile] | None:
    """Return a profile that some driver ships, or None when none has that name."""
    for driver in installed():
        for path in _profile_files(_folder_of(driver)):
            if path.stem == name:
                return _profile_entry(path, driver), load_profile(path)
    return None


def _driver_entry(entry: EntryPoint) -> DriverEntry:
    distribution = entry.dist
    return DriverEntry(
        entry.name,
        distribution.name if distribution is not None else "unknown",
        distribution.version if distribution is not None else "",
        _summary(_folder_of(entry.name)),
    )


def _folder_of(driver: str) -> Path | None:
    """Return a driver's folder, None for one that is installed but broken: it is listed all the same."""
    try:
        return driver_folder(driver)
    except (ConfigError, ImportError):
        return None


def _summary(folder: Path | None) -> str:
    """Return the first line of a package's docstring without running the package."""
    if folder is None:
        return "can't be loaded"
    try:
        tree = ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return "can't be loaded"
    return (ast.get_docstring(tree) or "").partition("\n")[0]


def _profile_files(folder: Path | None) -> list[Path]:
    return [] if folder is None else sorted((folder / PROFILE_FOLDER).glob("*.toml"))


def _profile_entry(path: Path, driver: str) -> ProfileEntry:
    profile = load_profile(path)
    return ProfileEntry(
        path.stem,
        driver,
        profile.identity.vendor,
        profile.identity.model,
        profile.device_class,
        len(profile.points),
        sum(row.confidence == "2" for row in profile.points),
        profile.ours,
    )
