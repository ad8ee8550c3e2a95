"""The simulated instrument `mettler_sics`: physics in `model`, wire language in `server`."""

from cultureops_simulators.mettler_sics.server import Balance, build

__all__ = ["Balance", "build"]
