"""The simulated instrument `virtual_incubator`: physics in `model`, wire language in `server`."""

from cultureops_simulators.virtual_incubator.server import VirtualIncubator, build

__all__ = ["VirtualIncubator", "build"]
