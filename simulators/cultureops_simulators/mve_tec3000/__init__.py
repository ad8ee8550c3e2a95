"""The simulated instrument `mve_tec3000`: physics in `model`, wire language in `server`."""

from cultureops_simulators.mve_tec3000.server import Tec3000, build

__all__ = ["Tec3000", "build"]
