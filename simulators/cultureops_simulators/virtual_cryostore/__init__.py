"""The simulated instrument `virtual_cryostore`: physics in `model`, wire language in `server`."""

from cultureops_simulators.virtual_cryostore.server import VirtualCryostore, build

__all__ = ["VirtualCryostore", "build"]
