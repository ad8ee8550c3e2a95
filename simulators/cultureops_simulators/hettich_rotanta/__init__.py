"""The simulated instrument `hettich_rotanta`: physics in `model`, wire language in `server`."""

from cultureops_simulators.hettich_rotanta.server import Rotanta, build

__all__ = ["Rotanta", "build"]
