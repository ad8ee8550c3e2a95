"""The simulated instrument `thermo_heracell`: physics in `model`, wire language in `server`."""

from cultureops_simulators.thermo_heracell.server import Heracell, build

__all__ = ["Heracell", "build"]
