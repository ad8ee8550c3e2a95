"""The simulated instrument `vaisala_gmp252`: physics in `model`, wire language in `server`."""

from cultureops_simulators.vaisala_gmp252.server import Gmp252, build

__all__ = ["Gmp252", "build"]
