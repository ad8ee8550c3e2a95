"""The simulated instrument `virtual_bioreactor`: physics in `model`, wire language in `server`."""

from cultureops_simulators.virtual_bioreactor.server import VirtualBioreactor, build

__all__ = ["VirtualBioreactor", "build"]
