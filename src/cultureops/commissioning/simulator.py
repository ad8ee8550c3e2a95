"""The command that runs one simulated instrument: what was asked for, checked before a process is started."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points

from cultureops.device.registry import driver_folder
from cultureops.errors import ConfigError

__all__ = ["simulator_command"]


def simulator_command(
    name: str,
    wires: Mapping[str, str | None],
    seed: int,
    faults: Sequence[str],
    options: Sequence[str],
    control: str | None,
) -> list[str]:
    """Return the command that runs one simulated instrument; raise ConfigError for what can't be.

    ``wires`` are the ways to serve it with what was said of each, None for nothing.
    """
    if name == "list":
        return [sys.executable, "-m", "cultureops_simulators", "list"]
    known = sorted(found.name for found in entry_points(group="cultureops.simulators"))
    if name not in known:
        raise ConfigError(f"there is no simulator {name!r}; known: {', '.join(known)}")
    chosen = [(form, value) for form, value in wires.items() if value is not None]
    if len(chosen) > 1:
        raise ConfigError(f"serve it in one way, not with {' and '.join(form for form, _ in chosen)}")
    own_map = driver_folder("modbus") / "profiles" / f"cultureops_{name}.toml"
    given = [f"profile={own_map}", *options] if own_map.exists() else options
    arguments = [*chosen, ("--seed", str(seed)), *(("--fault", fault) for fault in faults)]
    arguments += [("--option", option) for option in given]
    arguments += [] if control is None else [("--control", control)]
    serve = [sys.executable, "-m", "cultureops_simulators", "serve", name]
    return serve + [part for pair in arguments for part in pair]
