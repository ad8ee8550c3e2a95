"""The simulated instrument `julabo`: physics in `model`, wire language in `server`."""

from cultureops_simulators.julabo.server import Julabo, build

__all__ = ["Julabo", "build"]
